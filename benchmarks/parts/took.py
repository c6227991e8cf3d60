"""From the send to the delivery, at half of what can be had."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from figures import Spread
from rounds import Took
from run_context import Run
from section import SHARES, Section, discarded, shares, spread
from subjects import Ours
from turns import in_turn, median_shares

__all__ = ["goals", "measure", "sections"]

_FULL_SPEED_S = 2.0


def measure(run: Run) -> dict[str, Any]:
    """Measure the relay and ours in turn, at half of the rate that ours has."""
    seconds = run.sized(4.0, quick=1.5)
    with run.relay() as relay, run.serving() as server:
        ours = Ours(server, run.sink_url)
        run.steps.say("send to delivered, warming up")
        run.rounds.warm_up(relay, round_s=_FULL_SPEED_S)
        count = run.rounds.warm_up(ours, round_s=_FULL_SPEED_S)
        rate = run.rounds.throughput(ours, count).per_s / 2
        turns, again = in_turn(
            run,
            f"send to delivered at {rate:,.0f}/s",
            [relay, ours],
            wanted=run.sized(4, quick=2),
            measure=lambda subject: run.rounds.latency(subject, rate=rate, seconds=seconds),
        )
    return {
        "rate": rate,
        "seconds": seconds,
        "turns": len(turns),
        "discarded": again,
        "relay": _times([theirs for theirs, _ in turns]),
        "sluicegate": _times([own for _, own in turns]),
        "ratio": {
            p: Spread.of([own.ms[p] / theirs.ms[p] for theirs, own in turns])
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
        )
    ]
    ratio = figures["ratio"]
    rows.append(("ratio", spread(ratio["p50"], ".2f"), spread(ratio["p99"], ".2f"), *[""] * 5))
    yield Section(
        "From send to delivered",
        ("", "p50 ms", "p99 ms", *SHARES, "load generator late, p99 ms"),
        rows,
        f"Both at {figures['rate']:,.0f} messages/s, half of what Sluicegate delivered in a round "
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
