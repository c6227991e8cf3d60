"""What a run came to: series by the minute, and what they say."""

import msgspec

from sluicegate.simulation.what_if.scenario import Scenario

__all__ = ["Course", "Recovery"]

_NEARLY = 0.01


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """What receivers get when the last outage has ended."""

    attempts_per_minute_max: int
    attempts_per_second_max: int
    times_normal_per_minute: float
    """The first, as a multiple of the messages that are sent in a minute."""
    times_normal_per_second: float
    backlog_normal_after_s: int | None
    """Seconds after the outage until the backlog is down to what it was before, but for 1 % of
    its peak; to the minute. `None`: not by the end."""


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """What one retry schedule made of a scenario. The same seed gives the same course.

    Counts stand for the whole installation.
    """

    schedule: str
    retry_slow_s: tuple[float, ...]
    backlog: tuple[int, ...]
    """Messages that wait or are in flight, at the beginning of each minute and at the end."""
    attempts: tuple[int, ...]
    """Attempts within each minute."""
    dead_letters: tuple[int, ...]
    """Messages given up so far, at the same moments as the backlog."""
    messages: int
    """Accepted."""
    paused_endpoints: int
    """At the end: paused, as they failed for too long."""
    backlog_max: int
    backlog_max_at_s: int
    attempts_total: int
    recovery: Recovery | None
    """`None` without outages."""
    simulated_messages: int
    simulated_attempts: int

    @property
    def dead_letters_total(self) -> int:
        """Messages given up by the end."""
        return self.dead_letters[-1]

    @property
    def backlog_end(self) -> int:
        """Messages that wait at the end."""
        return self.backlog[-1]


def recovery_of(
    scenario: Scenario,
    *,
    backlog: tuple[int, ...],
    attempts: tuple[int, ...],
    per_second_max: float,
) -> Recovery | None:
    """Return what the series say of the time after the last outage."""
    end_s = scenario.last_end_s
    if end_s is None:
        return None
    minute_max = max(attempts[int(end_s // 60) :], default=0)
    return Recovery(
        attempts_per_minute_max=minute_max,
        attempts_per_second_max=round(per_second_max),
        times_normal_per_minute=round(minute_max / (scenario.rate_per_s * 60), 2),
        times_normal_per_second=round(per_second_max / scenario.rate_per_s, 2),
        backlog_normal_after_s=_normal_after_s(scenario, backlog, end_s=end_s),
    )


def _normal_after_s(scenario: Scenario, backlog: tuple[int, ...], *, end_s: float) -> int | None:
    first_s = min(each.from_s for each in scenario.outages)
    before = max(backlog[: int(first_s // 60) + 1])
    normal = before + _NEARLY * max(backlog)
    for minute, count in enumerate(backlog):
        if minute * 60 >= end_s and count <= normal:
            return round(minute * 60 - end_s)
    return None
