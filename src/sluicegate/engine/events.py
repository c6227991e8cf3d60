"""What an embedding program can be told of as it happens: the events, and a queue of them.

An event is told after what it says is durable, by the process that did it, at most once, and is
not stored: a process that dies has told less than it did. What must not be missed is asked for
(`Engine.list_logs`, `Engine.list_dlq`).
"""

from collections import deque
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

import msgspec

from sluicegate.engine import bounds
from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.model import PauseReason

__all__ = [
    "EVENTS_WAITING",
    "EVENTS_WAITING_MAX",
    "Event",
    "EventName",
    "EventQueue",
    "event_names",
]

EVENTS_WAITING = 1_000
EVENTS_WAITING_MAX = 100_000
"""How many events wait for a listener that is slow: when it does not say, and at most."""


class EventName(StrEnum):
    """What happened."""

    MESSAGE_ACCEPTED = "message.accepted"
    """A new message is stored: `message_id`, `endpoint_id`."""
    MESSAGE_SUCCEEDED = "message.succeeded"
    """An attempt was answered with 2xx: `attempt_no`, `response_status` besides."""
    MESSAGE_FAILED = "message.failed"
    """An attempt was the last, and the message is in the dead letter queue: `error` besides. Not
    told of messages that a call gave up: a cancel, or a delete."""
    ATTEMPT_FAILED = "attempt.failed"
    """An attempt failed and a retry follows: `error` and `next_attempt_at` besides."""
    ENDPOINT_PAUSED = "endpoint.paused"
    """No attempt starts until a resume: `endpoint_id`, `reason`."""
    ENDPOINT_RESUMED = "endpoint.resumed"
    """What was held flows again: `endpoint_id`, and in `count` how many messages that are."""
    STORAGE_FAILED = "storage.failed"
    """Nothing can be stored any more: `error`. End the process and start it anew."""
    EVENTS_MISSED = "events.missed"
    """The listener was too slow: `count` events that came here are left out. Told to everyone
    whom it concerns, asked for or not."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. What does not belong to it is `None`."""

    name: EventName
    at: datetime
    """When it happened, in UTC."""
    endpoint_id: str | None = None
    message_id: str | None = None
    attempt_no: int | None = None
    """Numbered from 1."""
    response_status: int | None = None
    error: str | None = None
    """One line for people."""
    next_attempt_at: datetime | None = None
    """When the retry is due, in UTC."""
    reason: PauseReason | None = None
    count: int | None = None


class EventQueue:
    """What waits for one listener: a bounded number of events, and where some are left out.

    While it is full, what comes is counted instead of kept; the count stands in its place.
    """

    def __init__(self, names: Collection[EventName], *, room: int = EVENTS_WAITING) -> None:
        """Keep events of these names only, at most `room` of them.

        Raises:
            InvalidRequestError: `room` is not 1 to `EVENTS_WAITING_MAX`.
        """
        bounds.whole("room", room, minimum=1, maximum=EVENTS_WAITING_MAX)
        self.names = frozenset(names)
        self._room = room
        self._events: deque[Event] = deque()
        self._missed = 0
        self._missed_at: datetime | None = None

    def put(self, event: Event) -> None:
        """Add an event, if it is of a name that is kept."""
        if event.name not in self.names:
            return
        if len(self._events) >= self._room:
            self._missed += 1
            self._missed_at = event.at
            return
        if (missed := self._gap()) is not None:
            self._events.append(missed)
        self._events.append(event)

    def take(self) -> Event | None:
        """Remove and return the oldest; `None` if there is none."""
        return self._events.popleft() if self._events else self._gap()

    def _gap(self) -> Event | None:
        if not self._missed or self._missed_at is None:
            return None
        count, self._missed = self._missed, 0
        return Event(name=EventName.EVENTS_MISSED, at=self._missed_at, count=count)


def event_names(names: Collection[str]) -> frozenset[EventName]:
    """Return the names that are meant; none: all.

    Raises:
        InvalidRequestError: there is no such event.
    """
    try:
        return frozenset(EventName(name) for name in names or EventName)
    except ValueError as error:
        known = ", ".join(EventName)
        raise InvalidRequestError(
            f"{error.args[0]}: an event is one of {known}", details={"field": "event"}
        ) from None
