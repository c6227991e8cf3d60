"""Very many endpoints with one message each, beside few with many."""

from collections.abc import Iterator
from typing import Any

from drain import Arrivals, drain
from run_context import Run
from section import Section
from stored import Owner

__all__ = ["goals", "measure", "sections"]

_LOOK_S = 0.1


def measure(run: Run) -> dict[str, Any]:
    """Let all that waits flow at a start: of few endpoints, of very many, and of few again."""
    few, each = run.sized((256, 60), quick=(64, 30))
    many = run.sized(100_000, quick=2000)
    sides = [
        _flow(run, endpoints, waiting)
        for endpoints, waiting in ((few, each), (many, 1), (few, each))
    ]
    before, crowd, after = sides
    normal_per_s = (before["per_s"] + after["per_s"]) / 2
    normal_us = (before["cpu_us"] + after["cpu_us"]) / 2
    return {
        "sides": sides,
        "ratio": crowd["per_s"] / normal_per_s,
        "cpu_ratio": crowd["cpu_us"] / normal_us,
        "most_bytes": crowd["most_bytes"],
    }


def _flow(run: Run, endpoints: int, each: int) -> dict[str, Any]:
    run.steps.say(f"crowds, storing {endpoints:,} endpoints")
    owners = [Owner(f"{run.sink_url}/{number}", waiting=each) for number in range(endpoints)]
    arrivals = Arrivals(run, endpoints * each)
    with run.serving(owners) as server:
        run.steps.say(f"crowds, {endpoints * each:,} messages of {endpoints:,} endpoints")
        numbers = server.ledger.numbers(server.stored_ids)
        per_s, cpu_us, most_bytes = drain(server, numbers, look_s=_LOOK_S)
    arrivals.check()
    return {
        "endpoints": endpoints,
        "waiting": endpoints * each,
        "per_s": per_s,
        "cpu_us": cpu_us,
        "most_bytes": most_bytes,
    }


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell the rates and the memory."""
    rows: list[tuple[str, ...]] = [
        (
            f"{side['waiting']:,} messages, {side['endpoints']:,} endpoints",
            f"{side['per_s']:,.0f}",
            f"{side['cpu_us']:,.0f}",
            f"{side['most_bytes'] / 1e6:.0f}",
        )
        for side in figures["sides"]
    ]
    rows.append(("ratio", f"{figures['ratio']:.2f}", f"{figures['cpu_ratio']:.2f}", ""))
    yield Section(
        "Very many endpoints",
        ("", "messages/s", "CPU µs/message", "most resident MB"),
        rows,
        "Everything waits at the start, and flows until all is recorded. An endpoint that comes "
        "into memory for one message brings its state, its keys and its URL with it, which those "
        "with many messages keep; the ratio is to the mean of before and after.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell the rate and the memory."""
    return {"many_rate": figures["ratio"], "many_resident": figures["most_bytes"] / 1e6}
