"""When to try again."""

from typing import Self

import msgspec

from sluicegate.engine.model import RetryType
from sluicegate.engine.settings import Settings

__all__ = ["RetrySchedule", "retry_delay_ms"]


class RetrySchedule(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait before each retry of a cycle, and how many attempts a cycle has."""

    slow_s: tuple[float, ...]
    """After anything that may be repeated, except 429."""
    fast_s: tuple[float, ...]
    """After 429."""
    attempts_max: int
    jitter: float
    """The largest part of a delay that chance adds to it, 0..1."""
    retry_after_max_s: int
    """A receiver may ask for no more than this."""

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
    """Return how long to wait before a retry, in whole milliseconds, rounded up.

    Args:
        schedule: the delays.
        retry_type: which list of delays.
        nth: the how manieth retry of that type in the cycle, from 1; past the end of the list
            its last delay repeats.
        retry_after_s: what the receiver asked for (RFC 9110 §10.2.3): a minimum, capped.
        chance: a draw from [0, 1), which spreads retries by up to `jitter` of the delay.
    """
    delays = schedule.fast_s if retry_type is RetryType.FAST else schedule.slow_s
    delay_s = delays[min(nth, len(delays)) - 1]
    delay_s += delay_s * schedule.jitter * chance
    if retry_after_s is not None:
        delay_s = max(delay_s, min(retry_after_s, schedule.retry_after_max_s))
    return -int(-delay_s * 1000 // 1)
