"""The circuit: when an endpoint gets one probe at a time, and when it is given up.

It opens after so many retryable failures without a success between them. A permanent answer
(a 404, say) is neither: the receiver is alive, but it took nothing.
"""

from typing import assert_never

from sluicegate.engine.decision import OutcomeClass, classify
from sluicegate.engine.model import Health, PauseReason
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import CircuitChange

__all__ = ["after_attempt", "change", "is_given_up", "is_open"]

_HEALTHY = Health()


def after_attempt(health: Health, *, outcome: Outcome, at_ms: int) -> Health:
    """Return an endpoint's health after an attempt that ended at `at_ms`."""
    match classify(outcome):
        case OutcomeClass.SUCCESS:
            return _HEALTHY
        case OutcomeClass.RETRYABLE:
            since_ms = health.failing_since_ms
            return Health(
                consecutive_failures=health.consecutive_failures + 1,
                failing_since_ms=at_ms if since_ms is None else since_ms,
            )
        case OutcomeClass.PERMANENT | OutcomeClass.NO_ATTEMPT:
            return health
        case _ as unknown:
            assert_never(unknown)


def is_open(health: Health, *, failures_max: int) -> bool:
    """Say whether the endpoint gets one probe at a time.

    Args:
        health: the endpoint's.
        failures_max: retryable failures in a row that open the circuit; 0 = it never opens.
    """
    return 0 < failures_max <= health.consecutive_failures


def is_given_up(health: Health, *, at_ms: int, pause_after_s: int) -> bool:
    """Say whether the endpoint has failed for so long that it is to be paused.

    Args:
        health: the endpoint's, after its last attempt.
        at_ms: when that attempt ended.
        pause_after_s: seconds of failures without one success; 0 = never.
    """
    since_ms = health.failing_since_ms
    return since_ms is not None and 0 < pause_after_s * 1000 <= at_ms - since_ms


def change(
    before: Health, after: Health, *, pause: PauseReason | None, failures_max: int
) -> CircuitChange | None:
    """Say what an attempt did to the endpoint's circuit; `None`: nothing.

    Args:
        before: the endpoint's health.
        after: its health after the attempt.
        pause: why the endpoint is paused now, if it is.
        failures_max: as `is_open` has it.
    """
    if pause is PauseReason.FAILING:
        return CircuitChange.PAUSED
    was_open = is_open(before, failures_max=failures_max)
    if was_open == is_open(after, failures_max=failures_max):
        return None
    return CircuitChange.CLOSED if was_open else CircuitChange.OPENED
