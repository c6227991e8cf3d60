"""What a user of the kit gets wrong is refused at once, with what was meant; nothing is ignored."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from sluicegate.engine.errors import SettingError
from sluicegate.simulation import (
    Answer,
    CounterexampleError,
    EngineHost,
    Faults,
    Mishap,
    MishapKind,
    Simulation,
    explore,
)

WRONG_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"windw": 8}, r"'windw' is not a setting \(did you mean window"),
    ({"nonsense": 0}, "'nonsense' is not a setting$"),
    ({"window": 0}, "window: value 0 is not allowed: a whole number from 1 to 10000"),
    ({"window": "8"}, "window: value '8' is not allowed"),
    ({"retry_slow_s": [-1]}, "retry_slow_s: value -1 is not allowed"),
    ({"database": "./mine.db"}, "database: value './mine.db' is not allowed: .*simulated disk"),
]


@pytest.mark.parametrize(("settings", "says"), WRONG_SETTINGS, ids=[s for _, s in WRONG_SETTINGS])
def test_a_setting_is_refused_by_the_rules_of_the_engine(
    settings: dict[str, Any], says: str
) -> None:
    """At the first start as at another one; the world stays as it was."""
    with Simulation(1, direct=True) as simulation:
        with pytest.raises(SettingError, match=says):
            simulation.engine(**settings)
        host = simulation.engine(retry_slow_s=[5, 20])
        life = host.life
        assert list(host.settings.retry_slow_s) == [5, 20]
        with pytest.raises(SettingError, match=says):
            host.restart(**settings)
        assert host.is_up
        assert host.life is life


@pytest.mark.parametrize("rate", [7, -0.1, math.nan, "0.5", None, True])
def test_a_rate_is_a_probability(rate: object) -> None:
    """A rate that can never be is no storm."""
    with pytest.raises(ValueError, match=r"reset: .* is not allowed: a rate is a number from 0 to"):
        Faults(reset=rate)  # type: ignore[arg-type] # wrong on purpose


@pytest.mark.parametrize(
    "latency_s", [(1, 0), (-1, 1), (0, math.inf), (0, math.nan), (0, True), (0,), 1, ("0", "1")]
)
def test_a_latency_is_two_times_in_order(latency_s: object) -> None:
    """Nothing arrives before it was sent, or never."""
    with pytest.raises(ValueError, match=r"latency_s: .* is not allowed"):
        Faults(latency_s=latency_s)  # type: ignore[arg-type] # wrong on purpose


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Mishap(host="shop.example", request=0, kind=MishapKind.BUSY), "counted from 1"),
        (lambda: Mishap(host="", request=1, kind=MishapKind.BUSY), "the name of a receiver"),
        (lambda: Mishap(host="shop.example", request=1, kind="busi"), "busi"),  # type: ignore[arg-type] # wrong on purpose
    ],
    ids=["request", "host", "kind"],
)
def test_a_mishap_befalls_a_request_that_can_be(make: Callable[[], Mishap], says: str) -> None:
    """Requests are counted from 1; kinds have names."""
    with pytest.raises(ValueError, match=says):
        make()


def test_a_request_that_was_before_is_no_plan() -> None:
    """Plans of a host are for requests to come."""
    with Simulation() as simulation, pytest.raises(ValueError, match="counted from 1"):
        simulation.host("shop.example").lose_answer(nth=0)


def test_a_mishap_for_a_host_that_never_was_is_told_at_the_end() -> None:
    """A mistyped name would else be a test that tests nothing."""
    wrong = Mishap(host="shpo.example", request=1, kind=MishapKind.BUSY)
    simulation = Simulation(mishaps=[wrong])
    says = r"never a host 'shpo.example' \(there was 'shop.example'"
    with pytest.raises(ValueError, match=says), simulation:
        simulation.host("shop.example")
    with pytest.raises(ZeroDivisionError), Simulation(mishaps=[wrong]):
        raise ZeroDivisionError  # the cause of everything else, and not to be hidden


def test_a_scenario_that_fails_before_all_its_hosts_are_there_is_a_finding() -> None:
    """`explore` plans mishaps for hosts that a run which fails early does not come to make."""

    def scenario(simulation: Simulation) -> None:
        shop = simulation.host("shop.example")
        sluicegate = simulation.engine()
        sluicegate.send(sluicegate.create_endpoint(shop.url).id, 1)
        simulation.settle()
        assert len(shop.requests) == 1, "once"
        bank = simulation.host("bank.example")
        sluicegate.send(sluicegate.create_endpoint(bank.url).id, 1)
        simulation.settle()

    with pytest.raises(CounterexampleError) as found:  # seed 11 plans something for both
        explore(scenario, seeds=[11], kinds=[MishapKind.ANSWER_LOST], direct=True)
    assert [each.host for each in found.value.mishaps] == ["shop.example"]
    assert "once" in found.value.story


NO_TIME = [-5, math.nan, math.inf, 1e300, True, "5", None]
"""What is no number of seconds; `None` is one where it means that there is no limit."""


@pytest.mark.parametrize(
    ("name", "take", "none_is_fine"),
    [
        ("seconds", lambda world, _, number: world.advance(number), False),
        ("limit_s", lambda world, _, number: world.settle(number), True),
        ("within_s", lambda _, host, number: host.start(within_s=number), False),
        ("restart_s", lambda _, host, number: setattr(host, "restart_s", number), True),
        ("delay_s", lambda *given: Answer(delay_s=given[-1]), False),
        ("restart_after_s", lambda world, _, n: world.hosts[0].crash(restart_after_s=n), True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_time_passes_forwards_and_ends(
    name: str,
    take: Callable[[Simulation, EngineHost, Any], object],
    none_is_fine: bool,  # noqa: FBT001 - a parameter
) -> None:
    """A mistake in a test's sum is no standstill and no endless run, and nothing has changed."""
    with Simulation(direct=True) as simulation:
        simulation.host("shop.example")
        host = simulation.engine()
        for number in NO_TIME[: -1 if none_is_fine else None]:
            before = simulation.digest()
            with pytest.raises(ValueError, match=rf"{name}: .* is not allowed: seconds from 0"):
                take(simulation, host, number)
            assert simulation.digest() == before
        take(simulation, host, 0)


def test_the_wall_clock_jumps_by_seconds_either_way() -> None:
    """By no infinite ones: no date would be left."""
    with Simulation() as simulation:
        before_ms = simulation.wall.now_ms()
        for number in (math.nan, math.inf, -1e300, True):
            with pytest.raises(ValueError, match=r"seconds: .* is not allowed"):
                simulation.wall.jump(number)
        simulation.wall.jump(-2.5)
        assert simulation.wall.now_ms() == before_ms - 2500


def test_a_timer_is_set_for_a_number_of_seconds() -> None:
    """One for no number would be in everybody's way: it is neither before nor after another."""
    with Simulation() as simulation:
        with pytest.raises(ValueError, match="nan is not allowed"):
            simulation.loop.call_later(math.nan, print)
        with pytest.raises(ValueError, match="moment_s: nan is not allowed"):
            simulation.loop.advance_to(math.nan)


@pytest.mark.parametrize("number", [0, -1, True, 1.0, math.nan])
def test_writes_and_callbacks_are_counted_from_one(number: Any) -> None:
    """A crash at no write would never come; a world that may do nothing does nothing."""
    with (
        Simulation() as simulation,
        pytest.raises(ValueError, match=r"count: .* is not allowed: a whole number from 1"),
    ):
        simulation.crash_at_write(number)
    with pytest.raises(ValueError, match=r"standstill_steps: .* is not allowed"):
        Simulation(standstill_steps=number)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "shop.",
        "shop..example",
        "Shop.example",
        "shop_1",
        "-shop",
        "shop-",
        "https://shop.example",
        "shop.example:8080",
        "a" * 64,
        "a." * 127 + "a",
        "44.0.0.1",
        "localhost",
        "outside",
        "shop\n",
    ],
)
def test_a_host_has_a_name_by_which_it_can_be_reached(name: str) -> None:
    """A name that no URL can lead to is refused, and one that leads elsewhere."""
    with Simulation() as simulation:
        with pytest.raises(ValueError, match=r"host name|can be called"):
            simulation.host(name)
        assert not simulation.hosts


@pytest.mark.parametrize("name", ["shop", "a", "1.example", "xn--bcher-kva.example", "a" * 63])
def test_a_host_name_is_taken(name: str) -> None:
    """RFC 1123 allows them all."""
    with Simulation(direct=True) as simulation:
        assert simulation.host(name).is_up


def test_only_hosts_that_are_there_can_be_parted() -> None:
    """A mistyped name would part nobody; the tester's side of the network is there always."""
    with Simulation() as simulation:
        shop = simulation.host("shop.example")
        for one, other in ((shop, "nobody"), ("nobody", shop)):
            with pytest.raises(ValueError, match=r"no host 'nobody', but .*'shop.example'"):
                simulation.partition(one, other)
        simulation.partition(shop, "outside")
        simulation.partition("shop.example", "sluicegate")
