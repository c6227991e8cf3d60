"""What an outcome does to its message (contract, section 7)."""

from typing import assert_never

from sluicegate.engine.lifecycle import MessageStatus, Trigger, advance
from sluicegate.engine.model import PauseReason, RetryType, Verdict
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.retry_after import parse_retry_after
from sluicegate.engine.schedule import RetrySchedule, retry_delay_ms

__all__ = ["decide", "is_retryable", "is_success", "pause_reason"]

_RETRYABLE = frozenset({408, 425, 429})
_TOO_MANY_REQUESTS = 429
_GONE = 410


def is_success(outcome: Outcome) -> bool:
    """Whether the receiver took the message: any 2xx."""
    return outcome.status is not None and 200 <= outcome.status <= 299  # noqa: PLR2004 - 2xx


def is_retryable(outcome: Outcome) -> bool:
    """Whether the same request may succeed later.

    A blocked address counts: a name may resolve to another one next time.
    """
    match outcome.kind:
        case OutcomeKind.ANSWERED:
            status = outcome.status or 0
            return status in _RETRYABLE or 500 <= status <= 599  # noqa: PLR2004 - 5xx
        case (
            OutcomeKind.TIMEOUT
            | OutcomeKind.DNS_ERROR
            | OutcomeKind.CONNECTION_ERROR
            | OutcomeKind.TLS_ERROR
            | OutcomeKind.BLOCKED
            | OutcomeKind.RECALLED
        ):
            return True
        case _:
            assert_never(outcome.kind)


def pause_reason(outcome: Outcome) -> PauseReason | None:
    """Return why the outcome pauses its endpoint, if it does: the receiver is gone."""
    return PauseReason.GONE if outcome.status == _GONE else None


def decide(
    outcome: Outcome,
    *,
    schedule: RetrySchedule,
    cycle_attempts: int,
    fast_retries: int,
    now_ms: int,
    wall_ms: int,
    chance: float,
    circuit_open: bool,
    endpoint_deleted: bool,
) -> Verdict:
    """Return what follows from an attempt.

    Args:
        outcome: what it came to; not `RECALLED`, which is no attempt.
        schedule: when to try again.
        cycle_attempts: attempts in this cycle, this one included.
        fast_retries: retries of this cycle that followed the fast schedule, before this one.
        now_ms: the steady clock: the base of the next attempt's moment.
        wall_ms: the wall clock: what a `Retry-After` date is measured against.
        chance: a draw from [0, 1), for the jitter.
        circuit_open: probes follow the slow schedule, whatever the receiver answers.
        endpoint_deleted: nothing is tried again.
    """
    delivering = MessageStatus.DELIVERING
    if is_success(outcome):
        return Verdict(status=advance(delivering, Trigger.DELIVERED))
    error = outcome.error or (f"HTTP {outcome.status}" if outcome.status else outcome.kind.value)
    rejected = advance(delivering, Trigger.REJECTED)
    if not is_retryable(outcome):
        return Verdict(status=rejected, last_error=error)
    if endpoint_deleted:
        return Verdict(status=rejected, last_error="endpoint deleted")
    if cycle_attempts >= schedule.attempts_max:
        return Verdict(status=rejected, last_error=error)
    fast = outcome.status == _TOO_MANY_REQUESTS and not circuit_open
    retry_type = RetryType.FAST if fast else RetryType.SLOW
    retry_after_s = None
    if outcome.retry_after is not None:
        retry_after_s = parse_retry_after(outcome.retry_after, now_ms=wall_ms)
    delay_ms = retry_delay_ms(
        schedule,
        retry_type,
        nth=fast_retries + 1 if fast else cycle_attempts - fast_retries,
        retry_after_s=retry_after_s,
        chance=chance,
    )
    return Verdict(
        status=advance(delivering, Trigger.RETRYABLE),
        next_attempt_at_ms=now_ms + delay_ms,
        retry_type=retry_type,
        retry_after_s=retry_after_s,
        last_error=error,
    )
