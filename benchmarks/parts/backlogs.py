"""A million messages that wait: how fast they flow, and how a server starts with them."""

import time
from collections.abc import Iterator
from typing import Any

from drain import Arrivals, drain
from figures import Spread
from ours import Server
from run_context import Run
from section import Section, spread
from stored import Owner

__all__ = ["goals", "measure", "sections"]

_FEW = 1000
_PULSE = 900
"""How many messages of each backlog flow in a turn: the last of 1,000 would flow by ones."""
_LOOK_S = 0.2


def measure(run: Run) -> dict[str, Any]:
    """Measure both."""
    return {"drain": _drains(run), "start": _start(run)}


def _drains(run: Run) -> dict[str, Any]:
    """Let some of a long backlog and of short ones flow, in turn; then more of the long one."""
    turns, seconds = run.sized((8, 5.0), quick=(2, 1.0))
    waiting = run.sized(1_000_000, quick=20_000)
    run.steps.say(f"backlogs, storing {waiting:,} messages of one endpoint")
    owners = [Owner(f"{run.sink_url}/long", waiting=waiting, paused=True)]
    owners += [Owner(f"{run.sink_url}/{turn}", waiting=_FEW, paused=True) for turn in range(turns)]
    arrivals = Arrivals(run, sum(owner.waiting for owner in owners))
    with run.serving(owners) as server:
        run.steps.say("backlogs, draining")
        long_id, *short_ids = server.stored_ids
        pairs = [
            (_pulse(server, long_id, _PULSE), _pulse(server, short_id, _PULSE))
            for short_id in short_ids
        ]
        lasting = _pulse(server, long_id, int(pairs[-1][0] * seconds))
    arrivals.check()
    return {
        "waiting": waiting,
        "few": _FEW,
        "pulse": _PULSE,
        "long_per_s": Spread.of([long for long, _ in pairs]),
        "short_per_s": Spread.of([short for _, short in pairs]),
        "ratio": Spread.of([long / short for long, short in pairs]),
        "lasting_s": seconds,
        "lasting_per_s": lasting,
    }


def _pulse(server: Server, endpoint_id: str, count: int) -> float:
    """Resume an endpoint until so many messages have flowed; return how many did a second."""
    path = f"/v1/endpoints/{endpoint_id}"
    server.api.call("POST", f"{path}/resume")
    per_s, _, _ = drain(server, server.ledger.numbers([endpoint_id]), count=count)
    server.api.call("POST", f"{path}/pause")
    return per_s


def _start(run: Run) -> dict[str, Any]:
    """Start a server with messages that wait over many endpoints, and watch it for a while."""
    endpoints, each, seconds = run.sized((10_000, 100, 5.0), quick=(1000, 20, 1.0))
    run.steps.say(f"backlogs, storing {endpoints * each:,} messages of {endpoints:,} endpoints")
    owners = [Owner(f"{run.sink_url}/{number}", waiting=each) for number in range(endpoints)]
    arrivals = Arrivals(run, endpoints * each)
    with run.serving(owners) as server:
        run.steps.say("backlogs, starting")
        resident = [server.resident_bytes]
        numbers = server.ledger.numbers(server.stored_ids)
        waiting, began_s = server.ledger.waiting(numbers), time.monotonic()
        while time.monotonic() < began_s + seconds:
            time.sleep(_LOOK_S)
            resident.append(server.resident_bytes)
        flowed = waiting - server.ledger.waiting(numbers)
        took_s = time.monotonic() - began_s
    arrivals.check()
    return {
        "endpoints": endpoints,
        "waiting": endpoints * each,
        "ready_s": server.ready_s,
        "ready_bytes": resident[0],
        "seconds": seconds,
        "most_bytes": max(resident),
        "per_s": flowed / took_s,
    }


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell both."""
    drained, start = figures["drain"], figures["start"]
    yield Section(
        "A long backlog and short ones",
        ("", "messages/s"),
        [
            (f"{drained['waiting']:,} waiting", spread(drained["long_per_s"], ",.0f")),
            (f"{drained['few']:,} waiting", spread(drained["short_per_s"], ",.0f")),
            ("ratio", spread(drained["ratio"], ".2f")),
            (
                f"{drained['waiting']:,} waiting, for {drained['lasting_s']:.0f} s",
                f"{drained['lasting_per_s']:,.0f}",
            ),
        ],
        f"Of one endpoint each, which is resumed and has at most 16 attempts in flight; the first "
        f"{drained['pulse']} messages until they are recorded, median (least to greatest) of "
        "turns of both.",
    )
    yield Section(
        "A start with a backlog",
        ("", "ready after s", "resident MB", f"most in {start['seconds']:.0f} s", "messages/s"),
        [
            (
                f"{start['waiting']:,} waiting, {start['endpoints']:,} endpoints",
                f"{start['ready_s']:.2f}",
                f"{start['ready_bytes'] / 1e6:.0f}",
                f"{start['most_bytes'] / 1e6:.0f}",
                f"{start['per_s']:,.0f}",
            )
        ],
        "From the start of the process to a 200 of `/readyz`; resident then, and at most while "
        "the backlog flows.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell the rate of a long backlog, and the start."""
    return {
        "drain": figures["drain"]["ratio"][0],
        "start_ready": figures["start"]["ready_s"],
        "start_resident": figures["start"]["most_bytes"] / 1e6,
    }
