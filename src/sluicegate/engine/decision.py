"""What follows from an outcome: the verdict on its message, and whether its endpoint pauses."""

from enum import Enum, auto
from typing import assert_never

from sluicegate.engine.lifecycle import MessageStatus, Trigger, advance
from sluicegate.engine.model import PauseReason, RetryType, Verdict
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.retry_after import parse_retry_after
from sluicegate.engine.schedule import RetrySchedule, retry_delay_ms

__all__ = [
    "ENDPOINT_DELETED",
    "MESSAGE_DELETED",
    "OutcomeClass",
    "classify",
    "decide",
    "pause_reason",
]

ENDPOINT_DELETED = "endpoint deleted"
"""The `last_error` of a message whose endpoint was deleted before it could be delivered."""

MESSAGE_DELETED = "message deleted"
"""The `last_error` of a message that was deleted before it could be delivered."""

_REQUEST_TIMEOUT = 408
_GONE = 410
_TOO_EARLY = 425
_TOO_MANY_REQUESTS = 429
_REFUSALS = range(300, 500)
_SUCCESSES = range(200, 300)


class OutcomeClass(Enum):
    """What kind of thing an outcome is."""

    SUCCESS = auto()
    """Any 2xx."""
    RETRYABLE = auto()
    """It may well go otherwise another time."""
    PERMANENT = auto()
    """The receiver answered, and will answer the same again."""
    NO_ATTEMPT = auto()
    """Nothing was sent, because the endpoint was paused in time."""


def classify(outcome: Outcome) -> OutcomeClass:
    """Say what kind of thing an outcome is (section 7 of the contract)."""
    match outcome.kind:
        case OutcomeKind.ANSWERED:
            return _classify_status(outcome)
        case (
            OutcomeKind.TIMEOUT
            | OutcomeKind.DNS_ERROR
            | OutcomeKind.CONNECTION_ERROR
            | OutcomeKind.TLS_ERROR
        ):
            return OutcomeClass.RETRYABLE
        case OutcomeKind.BLOCKED:
            # The name may resolve to another address the next time.
            return OutcomeClass.RETRYABLE
        case OutcomeKind.RECALLED:
            return OutcomeClass.NO_ATTEMPT
        case _:
            assert_never(outcome.kind)


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
    withdrawn: str | None,
) -> Verdict:
    """Decide what an attempt does to its message.

    A mixed run of failures walks the fast and the slow schedule separately.

    Args:
        outcome: what the attempt came to.
        schedule: when failures are repeated, and how often.
        cycle_attempts: attempts in this cycle, this one included; from 1.
        fast_retries: retries of this cycle that followed the fast schedule, before this one.
        now_ms: the steady clock; `next_attempt_at_ms` is on it too.
        wall_ms: the wall clock, for a `Retry-After` that is a date.
        chance: for the jitter, in [0, 1).
        circuit_open: whether the endpoint's circuit was open; then no retry is fast.
        withdrawn: why nothing is repeated, `ENDPOINT_DELETED` or `MESSAGE_DELETED`; else `None`.

    Raises:
        ValueError: the outcome is `RECALLED`, which is no attempt.
    """
    match classify(outcome):
        case OutcomeClass.SUCCESS:
            return Verdict(status=advance(MessageStatus.DELIVERING, Trigger.DELIVERED))
        case OutcomeClass.PERMANENT:
            return _reject(outcome, _error_of(outcome), wall_ms=wall_ms)
        case OutcomeClass.RETRYABLE if withdrawn is not None:
            return _reject(outcome, withdrawn, wall_ms=wall_ms)
        case OutcomeClass.RETRYABLE if cycle_attempts >= schedule.attempts_max:
            return _reject(outcome, _error_of(outcome), wall_ms=wall_ms)
        case OutcomeClass.RETRYABLE:
            pass
        case OutcomeClass.NO_ATTEMPT:
            raise ValueError("a recalled request is no attempt: there is nothing to decide")
        case _ as unknown:
            assert_never(unknown)
    retry_type = RetryType.SLOW
    if outcome.status == _TOO_MANY_REQUESTS and not circuit_open:
        retry_type = RetryType.FAST
    retry_after_s = _retry_after_s(outcome, wall_ms=wall_ms)
    delay_ms = retry_delay_ms(
        schedule,
        retry_type,
        nth=fast_retries + 1 if retry_type is RetryType.FAST else cycle_attempts - fast_retries,
        retry_after_s=retry_after_s,
        chance=chance,
    )
    return Verdict(
        status=advance(MessageStatus.DELIVERING, Trigger.RETRYABLE),
        next_attempt_at_ms=now_ms + delay_ms,
        retry_type=retry_type,
        retry_after_s=retry_after_s,
        last_error=_error_of(outcome),
    )


def pause_reason(outcome: Outcome) -> PauseReason | None:
    """Return why this outcome pauses its endpoint; `None` when it does not.

    410 Gone says that the receiver is not there any more (RFC 9110 §15.5.11).
    """
    return PauseReason.GONE if outcome.status == _GONE else None


def _classify_status(outcome: Outcome) -> OutcomeClass:
    status = outcome.status
    assert status is not None, "an answer has a status"
    if status in _SUCCESSES:
        return OutcomeClass.SUCCESS
    if status in (_REQUEST_TIMEOUT, _TOO_EARLY, _TOO_MANY_REQUESTS):
        return OutcomeClass.RETRYABLE
    # Of what is no final status at all nobody knows what it means (RFC 9110 §15: as a 5xx).
    return OutcomeClass.PERMANENT if status in _REFUSALS else OutcomeClass.RETRYABLE


def _reject(outcome: Outcome, error: str, *, wall_ms: int) -> Verdict:
    return Verdict(
        status=advance(MessageStatus.DELIVERING, Trigger.REJECTED),
        retry_after_s=_retry_after_s(outcome, wall_ms=wall_ms),
        last_error=error,
    )


def _retry_after_s(outcome: Outcome, *, wall_ms: int) -> int | None:
    if outcome.retry_after is None:
        return None
    return parse_retry_after(outcome.retry_after, now_ms=wall_ms)


def _error_of(outcome: Outcome) -> str:
    if outcome.error:
        return outcome.error
    return str(outcome.kind) if outcome.status is None else f"HTTP {outcome.status}"
