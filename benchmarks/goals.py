"""What must be reached, and whether it was."""

from collections.abc import Mapping
from typing import NamedTuple

from section import Section

__all__ = ["GOALS", "Goal", "goals_section", "reached"]


class Goal(NamedTuple):
    """A bound on something that a part of the run measures."""

    measure: str
    bound: float
    unit: str = ""
    at_least: bool = False
    """Whether the bound is the least that will do; otherwise it is the most."""

    @property
    def reach(self) -> str:
        """The bound, for people."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}{self.unit}"

    def say(self, value: float) -> str:
        """Write a value of what is measured."""
        digits = 0 if abs(value) >= 1000 else 2  # noqa: PLR2004 - four digits say enough
        return f"{value:,.{digits}f}{self.unit}"

    def is_reached(self, value: float) -> bool:
        """Return whether a value is within the bound."""
        return value >= self.bound if self.at_least else value <= self.bound


_RELAY = " times the relay's"
_PAUSE = "pause answered under full load, 1,000 active endpoints"
_START = "start with 1,000,000 waiting over 10,000 endpoints"
_MANY = "100,000 endpoints, each with one waiting message"
_DISK = "disk for a delivered message of 512 bytes with its attempt"
_IDLE = "idle server"

GOALS = {
    "single_relay": Goal(
        "end to end, single sends over HTTP, one process", 1.2, _RELAY, at_least=True
    ),
    "single_peers": Goal("the same", 1.0, " times the fastest peer's", at_least=True),
    "batch_relay": Goal("end to end by `send-batch` of 100", 2.5, _RELAY, at_least=True),
    "took_p50": Goal("send to delivered at half load, p50", 1.5, _RELAY),
    "took_p99": Goal("the same, p99", 25, " ms"),
    "host_lag": Goal("a host's loop late for a timer, embedded at 500 messages/s, p99", 5, " ms"),
    "pause_p50": Goal(f"{_PAUSE}, p50", 5, " ms"),
    "pause_p99": Goal("the same, p99", 30, " ms"),
    "pause_waiting": Goal("pause with 1,000,000 waiting, p50", 1.2, " times with none"),
    "resume_p99": Goal("resume to first attempt, idle machine, whatever waits, p99", 20, " ms"),
    "black_holes": Goal(
        "healthy endpoints' p99 beside 1,000 black holes", 1.5, " times without them"
    ),
    "drain": Goal(
        "drain rate with 1,000,000 waiting on one endpoint", 0.9, " times with 1,000", at_least=True
    ),
    "start_ready": Goal(f"{_START}, ready", 2, " s"),
    "start_resident": Goal("the same, resident", 200, " MB"),
    "many_resident": Goal(f"{_MANY}, resident", 400, " MB"),
    "many_rate": Goal("the same, all delivered", 0.8, " times the normal rate", at_least=True),
    "disk": Goal(_DISK, 1.5, " KiB"),
    "disk_returned": Goal("the same, returned after retention", 0.9, " of it", at_least=True),
    "idle_queries": Goal(f"{_IDLE}, queries", 0),
    "idle_timers": Goal("the same, timers due", 0),
    "idle_cpu": Goal("the same, CPU", 0.2, " %"),
    "idle_resident": Goal("the same, resident", 70, " MB"),
}
"""By the name under which a part tells what it measured. MB are 10^6 bytes."""


def reached(measured: Mapping[str, float]) -> dict[str, bool | None]:
    """Return for each goal whether it was reached; `None` where nothing was measured."""
    return {
        name: goal.is_reached(measured[name]) if name in measured else None
        for name, goal in GOALS.items()
    }


def goals_section(measured: Mapping[str, float], *, quick: bool, doubts: int) -> Section:
    """Return the table of all goals.

    Args:
        measured: by name.
        quick: whether the run was one that measures less than the goals speak of.
        doubts: how many remarks and faults the report ends with.
    """
    said = {True: "yes", False: "**no**", None: ""}
    verdicts = reached(measured)
    rows: list[tuple[str, ...]] = [
        (
            goal.measure,
            goal.reach,
            goal.say(measured[name]) if name in measured else "not measured",
            said[verdicts[name]],
        )
        for name, goal in GOALS.items()
    ]
    count = sum(verdict is True for verdict in verdicts.values())
    return Section(
        "Goals",
        ("", "goal", "measured", "reached"),
        rows,
        f"{count} of {len(GOALS)} reached, "
        f"{sum(verdict is None for verdict in verdicts.values())} not measured in this run. "
        "Medians, where a measure was made more than once. Why those that are not reached are not, "
        "and how far the machine could go: docs/performance-limits.md."
        + (" A QUICK RUN: less was sent and stored than the goals speak of." if quick else "")
        + (f" {doubts} LINES AT THE END say what of this is in doubt." if doubts else ""),
    )
