"""Several subjects, measured in turn: A B C A B C, so that what changes meanwhile meets all."""

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple, Protocol, TypeVar

from figures import Spread
from rounds import Delivered, Shares, Took
from run_context import Run
from subjects import Subject

__all__ = ["OTHERS_MAX", "HalfRate", "Rival", "at_half_rate", "in_turn", "median_shares", "rates"]

OTHERS_MAX = 0.1
"""The share of a core that other programs may take before a round compares nothing."""
_FULL = 0.9
"""The share of their core from which load generator and sink may be what limits."""


class _Measured(Protocol):
    @property
    def shares(self) -> Shares:
        """How much of a core each used."""


_R = TypeVar("_R", bound=_Measured)


class Rival(NamedTuple):
    """A subject, and the name of the one whose rate its own is divided by."""

    subject: Subject
    against: str | None = None


def in_turn(
    run: Run,
    what: str,
    subjects: Sequence[Subject],
    *,
    wanted: int,
    measure: Callable[[Subject], _R],
) -> tuple[list[list[_R]], int]:
    """Measure every subject, and all of them again, `wanted` times.

    A turn in which other programs took much of a core compares nothing: it is discarded and made
    again while the run has time for it, at most as often as turns are wanted. If that leaves less
    than half of them, all are kept, and the run remarks it.

    Returns:
        The turns, each with the subjects' measurements in their order; how many were discarded.
    """
    kept: list[list[_R]] = []
    disturbed: list[list[_R]] = []
    while len(kept) < wanted and len(kept) + len(disturbed) < 2 * wanted:
        made = len(kept) + len(disturbed)
        if made >= wanted and run.repeats_left_s <= 0:
            break
        run.steps.say(f"{what}, turn {made + 1}" + (", again" if made >= wanted else ""))
        started_s = time.monotonic()
        turn = [measure(subject) for subject in subjects]
        if made >= wanted:
            run.repeats_left_s -= time.monotonic() - started_s
        is_disturbed = max(each.shares.others for each in turn) > OTHERS_MAX
        (disturbed if is_disturbed else kept).append(turn)
    if len(kept) * 2 < wanted:
        kept, disturbed = kept + disturbed, []
        most = max(each.shares.others for turn in kept for each in turn)
        run.remarks.append(f"DISTURBED: {what}: other programs took up to {most:.0%} of a core")
    for subject, *column in zip(subjects, *kept, strict=True):
        share = median(each.shares.load + each.shares.sink for each in column)
        if share > _FULL:
            run.remarks.append(
                f"FULL: {what}: {subject.name} may be faster than told, since load generator and "
                f"sink took {share:.0%} of their core"
            )
    return kept, len(disturbed)


class HalfRate(NamedTuple):
    """How long messages took at half of what one of the subjects delivers at full speed."""

    rate: float
    """Messages a second, of each subject."""
    seconds: float
    """How long each round was."""
    turns: list[list[Took]]
    """Each with the subjects' rounds in their order."""
    discarded: int
    """How many turns compared nothing: see `in_turn`."""


def at_half_rate(
    run: Run,
    what: str,
    subjects: Sequence[Subject],
    *,
    of: Subject,
    seconds: float,
    full_speed_s: float = 2.0,
) -> HalfRate:
    """Measure in turn how long messages take, at half of the rate that one subject has.

    Args:
        run: the run.
        what: is measured, for the progress bar.
        subjects: in turn, 4 rounds each; 2 in a quick run.
        of: the one of them whose rate is halved; it is warmed up last, and then measured.
        seconds: how long each round takes.
        full_speed_s: how long the round at full speed takes that finds the rate, roughly.
    """
    run.steps.say(f"{what}, warming up")
    for each in subjects:
        if each is not of:
            run.rounds.warm_up(each, round_s=full_speed_s)
    count = run.rounds.warm_up(of, round_s=full_speed_s)
    rate = run.rounds.throughput(of, count).per_s / 2
    turns, discarded = in_turn(
        run,
        f"{what} at {rate:,.0f}/s",
        subjects,
        wanted=run.sized(4, quick=2),
        measure=lambda subject: run.rounds.latency(subject, rate=rate, seconds=seconds),
    )
    return HalfRate(rate, seconds, turns, discarded)


def rates(
    run: Run, what: str, rivals: Sequence[Rival], *, turns: int | None = None, round_s: float = 2.0
) -> dict[str, Any]:
    """Measure how many messages a second each rival delivers, as fast as it takes them.

    Args:
        run: the run.
        what: is measured, for the progress bar.
        rivals: in turn.
        turns: how many rounds each has; 3 when not given, 1 in a quick run.
        round_s: how long each takes, roughly; half of it in a quick run.

    Returns:
        For `section.rates_table`: the rivals by name, in their order.
    """
    run.steps.say(f"{what}, warming up")
    turns, round_s = turns or run.sized(3, quick=1), run.sized(round_s, quick=round_s / 2)
    subjects = [rival.subject for rival in rivals]
    counts = {each.name: run.rounds.warm_up(each, round_s=round_s) for each in subjects}
    made, discarded = in_turn(
        run,
        what,
        subjects,
        wanted=turns,
        measure=lambda subject: run.rounds.throughput(subject, counts[subject.name]),
    )
    columns = dict(zip(counts, zip(*made, strict=True), strict=True))
    return {
        "turns": len(made),
        "discarded": discarded,
        "rivals": {
            rival.subject.name: _rate(columns[rival.subject.name])
            | _ratios(rival.against, columns[rival.subject.name], columns)
            for rival in rivals
        },
    }


def _rate(column: Sequence[Delivered]) -> dict[str, Any]:
    return {
        "messages": column[0].messages,
        "per_s": Spread.of([each.per_s for each in column]),
        "cpu_us": Spread.of([each.cpu_us for each in column]),
        "shares": median_shares([each.shares for each in column]),
    }


def _ratios(
    against: str | None, column: Sequence[Delivered], columns: dict[str, tuple[Delivered, ...]]
) -> dict[str, Any]:
    if against is None:
        return {}
    pairs = list(zip(column, columns[against], strict=True))
    return {
        "against": against,
        "ratio": Spread.of([ours.per_s / theirs.per_s for ours, theirs in pairs]),
        "cpu_ratio": Spread.of([ours.cpu_us / theirs.cpu_us for ours, theirs in pairs]),
    }


def median_shares(shares: Sequence[Shares]) -> dict[str, float]:
    """Return the median of each share, by name."""
    columns = zip(*shares, strict=True)
    return {name: median(values) for name, values in zip(Shares._fields, columns, strict=True)}
