"""When a failed attempt is repeated."""

from typing import Self

import msgspec

from sluicegate.engine.model import RetryType
from sluicegate.engine.settings import Settings

__all__ = ["RetrySchedule", "retry_delay_ms"]


class RetrySchedule(msgspec.Struct, frozen=True, kw_only=True):
    """The delays before each retry, and what bounds them."""

    slow_s: tuple[float, ...]
    """Seconds before the first, second, … slow retry; the last one repeats. Never empty."""
    fast_s: tuple[float, ...]
    """The same for fast retries."""
    attempts_max: int
    """Attempts in one cycle, the first included; at least 1."""
    jitter: float
    """The part of a delay that chance may add to it, 0..1."""
    retry_after_max_s: int
    """Seconds that a receiver's `Retry-After` may ask for; more counts as this."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the schedule that the settings describe."""
        return cls(
            slow_s=settings.retry_slow_s,
            fast_s=settings.retry_fast_s,
            attempts_max=settings.attempts_max,
            jitter=settings.retry_jitter,
            retry_after_max_s=settings.retry_after_max_s,
        )


def retry_delay_ms(
    schedule: RetrySchedule,
    retry_type: RetryType,
    *,
    nth: int,
    retry_after_s: int | None,
    chance: float,
) -> int:
    """Return how many milliseconds to wait before a retry.

    It is the schedule's delay, plus at most `schedule.jitter` of it, and never less than what
    the receiver asked for (up to `schedule.retry_after_max_s`).

    Args:
        schedule: the delays.
        retry_type: which of the two schedules.
        nth: the how manieth retry by that schedule in this cycle, from 1. After the end of the
            schedule its last delay repeats.
        retry_after_s: what the receiver asked for, if it asked; at least 0.
        chance: how much of the jitter, in [0, 1).
    """
    assert nth >= 1
    assert 0 <= chance < 1
    delays_s = schedule.fast_s if retry_type is RetryType.FAST else schedule.slow_s
    delay_ms = round(delays_s[min(nth, len(delays_s)) - 1] * 1000)
    jittered_ms = delay_ms + int(delay_ms * schedule.jitter * chance)
    asked_s = min(retry_after_s or 0, schedule.retry_after_max_s)
    return max(jittered_ms, asked_s * 1000)
