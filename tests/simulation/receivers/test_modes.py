"""Requests as values come to what requests over HTTP come to."""

from collections.abc import Callable
from typing import Any

import pytest

from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Request, Sender
from sluicegate.simulation import Answer, Fate, Faults, ReceiverHost, Simulation

Set_up = Callable[[Simulation, ReceiverHost], object]


def outcome(
    set_up: Set_up,
    *,
    direct: bool,
    responses: Any = 200,
    url: str = "https://shop.example/hook?a=1",
    timeout_s: float = 30,
) -> tuple[Outcome, float, list[str]]:
    """Post once with the engine's own sender; return the outcome, its seconds, the paths seen."""
    with Simulation(5, direct=direct) as simulation:
        shop = simulation.host("shop.example", responses=responses)
        sluicegate = simulation.engine()
        sender: Sender = sluicegate._process._sender  # type: ignore[union-attr]  # noqa: SLF001 - what the engine has
        set_up(simulation, shop)
        request = Request(url=url, headers=(("webhook-id", "m"),), body=b"{}", timeout_s=timeout_s)
        began_s = simulation.loop.time()
        came_to = simulation.loop.run(sender.post(request), life=sluicegate.life)
        taken_s = simulation.loop.time() - began_s
        simulation.advance(5)
        return came_to, taken_s, [each.path for each in shop.requests]


def nothing(_: Simulation, __: ReceiverHost) -> None:
    """Let everything be as it is."""


def with_faults(**rates: Any) -> Set_up:
    return lambda simulation, _: simulation.set_faults(Faults(**rates))


def down(*, power_loss: bool) -> Set_up:
    return lambda _, shop: shop.crash(power_loss=power_loss, restart_after_s=None)


def dies_meanwhile(*, power_loss: bool) -> Set_up:
    def set_up(simulation: Simulation, shop: ReceiverHost) -> None:
        simulation.loop.call_later(
            3, lambda: shop.crash(power_loss=power_loss, restart_after_s=None)
        )

    return set_up


def parted(begin_s: float, seconds: float | None) -> Set_up:
    def part(simulation: Simulation) -> None:
        simulation.network.partition("sluicegate", "shop.example", seconds=seconds)

    def set_up(simulation: Simulation, _: ReceiverHost) -> None:
        if begin_s:
            simulation.loop.call_later(begin_s, part, simulation)
        else:
            part(simulation)

    return set_up


SLOW = Answer(status=200, delay_s=8)
CASES: dict[str, tuple[Set_up, dict[str, Any], OutcomeKind]] = {
    "success": (nothing, {}, OutcomeKind.ANSWERED),
    "an unknown status": (nothing, {"responses": 599}, OutcomeKind.ANSWERED),
    "429 with Retry-After": (
        nothing,
        {"responses": Answer(status=429, headers=(("Retry-After", "7"),), body=b"later")},
        OutcomeKind.ANSWERED,
    ),
    "a long answer": (nothing, {"responses": Answer(body=b"x" * 70_000)}, OutcomeKind.ANSWERED),
    "a slow answer": (nothing, {"responses": SLOW}, OutcomeKind.ANSWERED),
    "an answer too slow": (nothing, {"responses": SLOW, "timeout_s": 5}, OutcomeKind.TIMEOUT),
    "a lost answer": (nothing, {"responses": Answer(fate=Fate.LOST)}, OutcomeKind.CONNECTION_ERROR),
    "no answer": (nothing, {"responses": Answer(fate=Fate.NEVER)}, OutcomeKind.TIMEOUT),
    "a flood": (nothing, {"responses": Answer(fate=Fate.FLOODED)}, OutcomeKind.CONNECTION_ERROR),
    "a drip too slow": (nothing, {"responses": Answer(fate=Fate.DRIP)}, OutcomeKind.TIMEOUT),
    "a drip": (
        nothing,
        {"responses": Answer(fate=Fate.DRIP, body=b"drop"), "timeout_s": 120},
        OutcomeKind.ANSWERED,
    ),
    "a drip cut short": (
        nothing,
        {"responses": Answer(fate=Fate.DRIP, body=b"drop" * 30), "timeout_s": 60},
        OutcomeKind.ANSWERED,
    ),
    "an exception": (nothing, {"responses": lambda _: 1 / 0}, OutcomeKind.ANSWERED),
    "no such name": (nothing, {"url": "https://nobody.example/"}, OutcomeKind.DNS_ERROR),
    "another port": (nothing, {"url": "https://shop.example:9/"}, OutcomeKind.CONNECTION_ERROR),
    "without TLS": (nothing, {"url": "http://shop.example/x"}, OutcomeKind.ANSWERED),
    "DNS fails": (with_faults(dns_failure=1), {}, OutcomeKind.DNS_ERROR),
    "DNS hangs": (with_faults(dns_hang=1), {}, OutcomeKind.DNS_ERROR),
    "DNS flaps": (with_faults(dns_flap=1), {}, OutcomeKind.CONNECTION_ERROR),
    "refused": (with_faults(refuse=1), {}, OutcomeKind.CONNECTION_ERROR),
    "a black hole": (with_faults(black_hole=1), {}, OutcomeKind.TIMEOUT),
    "a bad certificate": (with_faults(tls_failure=1), {}, OutcomeKind.TLS_ERROR),
    "reset": (with_faults(reset=1), {}, OutcomeKind.CONNECTION_ERROR),
    "split": (with_faults(split=1), {}, OutcomeKind.ANSWERED),
    "faults elsewhere": (
        lambda simulation, _: simulation.network.set_faults("bank.example", Faults(refuse=1)),
        {},
        OutcomeKind.ANSWERED,
    ),
    "faults there": (
        lambda simulation, _: simulation.network.set_faults("shop.example", Faults(refuse=1)),
        {},
        OutcomeKind.CONNECTION_ERROR,
    ),
    "down": (down(power_loss=False), {}, OutcomeKind.CONNECTION_ERROR),
    "without power": (down(power_loss=True), {}, OutcomeKind.TIMEOUT),
    "dies meanwhile": (
        dies_meanwhile(power_loss=False),
        {"responses": SLOW},
        OutcomeKind.CONNECTION_ERROR,
    ),
    "loses power meanwhile": (
        dies_meanwhile(power_loss=True),
        {"responses": SLOW},
        OutcomeKind.TIMEOUT,
    ),
    "parted": (parted(0, None), {}, OutcomeKind.TIMEOUT),
    "parted for a moment": (parted(0, 4), {}, OutcomeKind.ANSWERED),
    "parted before the answer": (parted(3, 10), {"responses": SLOW}, OutcomeKind.ANSWERED),
    "parted for good before the answer": (
        parted(3, None),
        {"responses": SLOW},
        OutcomeKind.TIMEOUT,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_both_modes_come_to_the_same(case: str) -> None:
    """Most seeds run without bytes: what they teach must hold with them."""
    set_up, options, kind = CASES[case]
    over_http, http_s, http_seen = outcome(set_up, direct=False, **options)
    directly, direct_s, direct_seen = outcome(set_up, direct=True, **options)
    assert over_http.kind is directly.kind is kind
    assert over_http.status == directly.status
    assert over_http.retry_after == directly.retry_after
    assert over_http.body_truncated == directly.body_truncated
    assert over_http.resolved_ip == directly.resolved_ip or kind is not OutcomeKind.ANSWERED
    if case != "an exception":
        assert over_http.body == directly.body
    if kind is OutcomeKind.ANSWERED:
        assert over_http.error == directly.error
    assert http_seen == direct_seen
    assert http_s == pytest.approx(direct_s, abs=0.5)


def test_time_limits_are_the_engines() -> None:
    """A time limit of the engine's settings holds without bytes, too."""
    _, taken_s, _ = outcome(with_faults(black_hole=1), direct=True)
    assert taken_s == pytest.approx(10, abs=0.2)  # connect_timeout_s
    _, taken_s, _ = outcome(with_faults(dns_hang=1), direct=True)
    assert taken_s == pytest.approx(5, abs=0.2)  # dns_timeout_s
