"""The circuit: an endpoint that fails again and again is probed, one attempt at a time."""

from sluicegate.engine.decision import is_retryable, is_success
from sluicegate.engine.model import Health
from sluicegate.engine.outcome import Outcome

__all__ = ["after_attempt", "is_given_up", "is_open"]

_HEALTHY = Health()


def after_attempt(health: Health, *, outcome: Outcome, at_ms: int) -> Health:
    """Return an endpoint's health after an attempt.

    A 2xx makes it healthy; a retryable failure counts; any other answer does neither: the
    receiver works, it only does not want this message.

    Args:
        health: before the attempt.
        outcome: what the attempt came to.
        at_ms: when it ended, on the steady clock.
    """
    if is_success(outcome):
        return _HEALTHY
    if not is_retryable(outcome):
        return health
    since = health.failing_since_ms
    return Health(
        consecutive_failures=health.consecutive_failures + 1,
        failing_since_ms=at_ms if since is None else since,
    )


def is_open(health: Health, *, failures_max: int) -> bool:
    """Whether only one attempt at a time may be made, of the oldest message; 0 = never."""
    return 0 < failures_max <= health.consecutive_failures


def is_given_up(health: Health, *, at_ms: int, pause_after_s: int) -> bool:
    """Whether nothing has succeeded for so long that the endpoint is to be paused; 0 = never."""
    if pause_after_s <= 0 or health.failing_since_ms is None:
        return False
    return at_ms - health.failing_since_ms >= pause_after_s * 1000
