"""From the send to the delivery, at half of what can be had."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from figures import Spread
from rounds import Took
from run_context import Run
from section import SHARES, Section, discarded, shares, spread
from subjects import Ours
from turns import at_half_rate, median_shares

__all__ = ["goals", "measure", "sections"]


def measure(run: Run) -> dict[str, Any]:
    """Measure the relay, ours and the floor in turn, at half of the rate that ours has."""
    with run.relay() as relay, run.serving() as server, run.floor() as floor:
        ours = Ours(server, run.sink_url)
        rate, seconds, turns, again = at_half_rate(
            run,
            "send to delivered",
            [relay, ours, floor],
            of=ours,
            seconds=run.sized(4.0, quick=1.5),
        )
    return {
        "rate": rate,
        "seconds": seconds,
        "turns": len(turns),
        "discarded": again,
        "relay": _times([theirs for theirs, _, _ in turns]),
        "sluicegate": _times([own for _, own, _ in turns]),
        "floor": _times([least for _, _, least in turns]),
        "ratio": {
            p: Spread.of([own.ms[p] / theirs.ms[p] for theirs, own, _ in turns])
            for p in ("p50", "p99")
        },
        "floor_ratio": {
            p: Spread.of([least.ms[p] / theirs.ms[p] for theirs, _, least in turns])
            for p in ("p50", "p99")
        },
    }


def _times(rounds: Sequence[Took]) -> dict[str, Any]:
    return {
        "p50_ms": Spread.of([each.ms["p50"] for each in rounds]),
        "p99_ms": Spread.of([each.ms["p99"] for each in rounds]),
        "shares": median_shares([each.shares for each in rounds]),
        "late_p99_ms": median(each.late_ms["p99"] for each in rounds),
    }


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell the times."""
    rows: list[tuple[str, ...]] = [
        (
            name,
            *(spread(each[key], ".2f") for key in ("p50_ms", "p99_ms")),
            *shares(each["shares"]),
            f"{each['late_p99_ms']:.2f}",
        )
        for name, each in (
            ("aiohttp relay", figures["relay"]),
            ("Sluicegate", figures["sluicegate"]),
            ("the floor", figures["floor"]),
        )
    ]
    for name, key in (("Sluicegate to relay", "ratio"), ("the floor to relay", "floor_ratio")):
        ratio = figures[key]
        rows.append((name, *(spread(ratio[p], ".2f") for p in ("p50", "p99")), *[""] * 5))
    yield Section(
        "From send to delivered",
        ("", "p50 ms", "p99 ms", *SHARES, "load generator late, p99 ms"),
        rows,
        f"All at {figures['rate']:,.0f} messages/s, half of what Sluicegate delivered in a round "
        f"at full speed just before, {figures['seconds']:.1f} s a round; median (least to "
        f"greatest) of {figures['turns']} rounds each, in turn. From the moment the send is "
        "written to the moment the sink has the whole request, on the clock that both processes "
        f"share.{discarded(figures)}",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell the ratio of the medians, and the slowest hundredth."""
    return {
        "took_p50": figures["ratio"]["p50"][0],
        "took_p99": figures["sluicegate"]["p99_ms"][0],
    }
