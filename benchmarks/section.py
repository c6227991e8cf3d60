"""A part's tables: what a section of the report is, and how figures are written."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from turns import OTHERS_MAX

__all__ = ["Section", "discarded", "mib", "rates_section", "shares", "spread"]

SHARES = ("its core", "load generator", "sink", "others")


class Section(NamedTuple):
    """A table and what must be known to read it. A row that compares begins with "ratio"."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str


def rates_section(title: str, part: dict[str, Any], note: str) -> Section:
    """Return the table of what `turns.rates` measured, a row for each rival.

    Args:
        title: the section's.
        part: what `rates` returned.
        note: what the rivals did; how they were measured is said here.
    """
    rows: list[tuple[str, ...]] = []
    for name, each in part["rivals"].items():
        compared = "against" in each
        rows.append(
            (
                name,
                spread(each["per_s"], ",.0f"),
                spread(each["ratio"], ".2f") if compared else "",
                spread(each["cpu_us"], ",.0f"),
                spread(each["cpu_ratio"], ".2f") if compared else "",
                *shares(each["shares"]),
            )
        )
    messages = [each["messages"] for each in part["rivals"].values()]
    return Section(
        title,
        ("", "messages/s", "ratio", "CPU µs/message", "CPU ratio", *SHARES),
        rows,
        f"{note} Median (least to greatest) of {part['turns']} rounds each, in turn, "
        f"{min(messages):,} to {max(messages):,} messages a round. Then shares of a core: what is "
        "measured has one to itself; load generator and sink share the other, and are not the "
        "limit while together they stay well below 100%; others are programs that are no part of "
        f"the run.{discarded(part)}",
    )


def discarded(part: dict[str, Any]) -> str:
    """Return the sentence about rounds that were made again, with a space before it."""
    if not part["discarded"]:
        return ""
    return (
        f" {part['discarded']} further turns were discarded, in which other programs "
        f"took more than {OTHERS_MAX:.0%} of a core."
    )


def spread(measured: Sequence[float], form: str) -> str:
    """Write a `figures.Spread`."""
    median, low, high = measured
    return f"{median:{form}} ({low:{form}} to {high:{form}})"


def shares(measured: dict[str, float]) -> list[str]:
    """Write shares of a core, one for each of `SHARES`."""
    return [f"{measured[name]:.0%}" for name in ("subject", "load", "sink", "others")]


def mib(size_bytes: float) -> str:
    """Write a size."""
    return f"{size_bytes / 2**20:.1f}"
