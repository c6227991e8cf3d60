"""What actors tell those who listen, when it is durable."""

from sluicegate.engine.events import Event, EventName
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import AttemptResult, PauseReason
from sluicegate.engine.moments import from_ms
from sluicegate.engine.ports import Events

__all__ = ["tell_paused", "tell_result", "tell_resumed"]

_NAMES = {
    MessageStatus.SUCCEEDED: EventName.MESSAGE_SUCCEEDED,
    MessageStatus.FAILED_PERMANENT: EventName.MESSAGE_FAILED,
    MessageStatus.PENDING_RETRY: EventName.ATTEMPT_FAILED,
}


def tell_result(events: Events, result: AttemptResult, *, paused: bool) -> None:
    """Tell what an attempt came to, and that it has `paused` its endpoint, if it has."""
    verdict = result.verdict
    name = _NAMES[verdict.status]
    if name in events.wanted:
        next_ms = verdict.next_attempt_at_ms
        events.tell(
            Event(
                name=name,
                at=from_ms(result.finished_at_ms),
                endpoint_id=result.endpoint_id,
                message_id=result.message_id,
                attempt_no=result.attempt_no,
                response_status=result.outcome.status,
                error=verdict.last_error,
                next_attempt_at=None if next_ms is None else from_ms(next_ms),
            )
        )
    if paused and result.pause is not None:
        tell_paused(events, result.endpoint_id, result.pause, at_ms=result.finished_at_ms)


def tell_paused(events: Events, endpoint_id: str, reason: PauseReason, *, at_ms: int) -> None:
    """Tell that an endpoint is paused."""
    _tell(events, EventName.ENDPOINT_PAUSED, endpoint_id, at_ms=at_ms, reason=reason)


def tell_resumed(events: Events, endpoint_id: str, count: int, *, at_ms: int) -> None:
    """Tell that an endpoint is not paused any more, and how many messages were held."""
    _tell(events, EventName.ENDPOINT_RESUMED, endpoint_id, at_ms=at_ms, count=count)


def _tell(
    events: Events,
    name: EventName,
    endpoint_id: str,
    *,
    at_ms: int,
    reason: PauseReason | None = None,
    count: int | None = None,
) -> None:
    if name in events.wanted:
        at = from_ms(at_ms)
        events.tell(Event(name=name, at=at, endpoint_id=endpoint_id, reason=reason, count=count))
