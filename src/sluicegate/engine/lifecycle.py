"""The states of a message, and every step between them, as one table.

Theory of operation
===================

A message is *accepted* once and then *waits*: as `QUEUED` until its first attempt, as
`PENDING_RETRY` after an attempt that may be repeated. It ends as `SUCCEEDED` or
`FAILED_PERMANENT`; a replay starts a new cycle from either end.

Two statuses are never stored. `DELIVERING` is true while an attempt is in flight and only
the process that runs the attempt knows it: a crash leaves the stored row waiting, which is
exactly what must happen to it. `PAUSED` is a fact about the *endpoint*: pausing writes one
row, whatever waits, and every waiting message reads `PAUSED` from then on. `view` derives
both. A step that is not in `TRANSITIONS` does not exist: `advance` raises and changes
nothing.
"""

from enum import StrEnum

__all__ = [
    "STORED",
    "TRANSITIONS",
    "WAITING",
    "IllegalTransitionError",
    "MessageStatus",
    "Trigger",
    "advance",
    "view",
]


class MessageStatus(StrEnum):
    """What a message is doing now."""

    QUEUED = "queued"
    """Accepted and stored, not attempted in this cycle. The endpoint's actor moves it on."""
    DELIVERING = "delivering"
    """An attempt is in flight. Derived; after a crash the message is waiting again."""
    PENDING_RETRY = "pending_retry"
    """An attempt failed and another is scheduled. The endpoint's actor moves it on when due."""
    PAUSED = "paused"
    """Waiting on an endpoint that is paused (held). Derived; a resume moves it on."""
    SUCCEEDED = "succeeded"
    """The receiver answered 2xx, and that is recorded. Only a replay moves it on."""
    FAILED_PERMANENT = "failed_permanent"
    """Given up: in the dead letter queue. Only a replay moves it on."""


class Trigger(StrEnum):
    """What can happen to a message."""

    START = "start"
    """The endpoint's actor starts an attempt."""
    DELIVERED = "delivered"
    """The attempt came to a 2xx."""
    RETRYABLE = "retryable"
    """The attempt failed in a way that the schedule repeats."""
    REJECTED = "rejected"
    """The attempt failed for good, or was the last of its cycle."""
    PAUSE = "pause"
    """The endpoint is paused (or the attempt ended on a paused endpoint)."""
    RESUME_UNTRIED = "resume_untried"
    """The endpoint is resumed; this message was not attempted in its cycle."""
    RESUME_FAILED = "resume_failed"
    """The endpoint is resumed; this message failed before."""
    GIVE_UP = "give_up"
    """A client cancels the retry, or the endpoint is deleted."""
    REPLAY = "replay"
    """A client asks for a new cycle of attempts."""


_S, _T = MessageStatus, Trigger

TRANSITIONS: dict[tuple[MessageStatus, Trigger], MessageStatus] = {
    (_S.QUEUED, _T.START): _S.DELIVERING,
    (_S.QUEUED, _T.PAUSE): _S.PAUSED,
    (_S.QUEUED, _T.GIVE_UP): _S.FAILED_PERMANENT,
    (_S.PENDING_RETRY, _T.START): _S.DELIVERING,
    (_S.PENDING_RETRY, _T.PAUSE): _S.PAUSED,
    (_S.PENDING_RETRY, _T.GIVE_UP): _S.FAILED_PERMANENT,
    (_S.DELIVERING, _T.DELIVERED): _S.SUCCEEDED,
    (_S.DELIVERING, _T.RETRYABLE): _S.PENDING_RETRY,
    (_S.DELIVERING, _T.REJECTED): _S.FAILED_PERMANENT,
    (_S.PAUSED, _T.RESUME_UNTRIED): _S.QUEUED,
    (_S.PAUSED, _T.RESUME_FAILED): _S.PENDING_RETRY,
    (_S.PAUSED, _T.GIVE_UP): _S.FAILED_PERMANENT,
    (_S.SUCCEEDED, _T.REPLAY): _S.QUEUED,
    (_S.FAILED_PERMANENT, _T.REPLAY): _S.QUEUED,
}
"""Every lawful step. A retryable failure on a paused endpoint is two: RETRYABLE, then PAUSE."""

STORED: tuple[MessageStatus, ...] = (
    _S.QUEUED,
    _S.PENDING_RETRY,
    _S.SUCCEEDED,
    _S.FAILED_PERMANENT,
)
"""The statuses a row may hold; storage enforces it with a `CHECK`. The others are derived."""

WAITING: tuple[MessageStatus, ...] = (_S.QUEUED, _S.PENDING_RETRY)
"""The stored statuses that still want an attempt."""


class IllegalTransitionError(Exception):
    """A step that the table does not have. Our bug, never the caller's mistake."""

    def __init__(self, status: MessageStatus, trigger: Trigger) -> None:
        """Name the state and what was tried on it."""
        super().__init__(f"no transition from {status} on {trigger}")
        self.status = status
        self.trigger = trigger


def advance(status: MessageStatus, trigger: Trigger) -> MessageStatus:
    """Return the status that follows `status` on `trigger`.

    Raises:
        IllegalTransitionError: the table has no such step.
    """
    try:
        return TRANSITIONS[status, trigger]
    except KeyError:
        raise IllegalTransitionError(status, trigger) from None


def view(
    stored: MessageStatus, *, in_flight: bool, paused: bool, deleted: bool = False
) -> MessageStatus:
    """Derive the status that a reader sees from the stored one.

    A message that was deleted while an attempt is in flight is stored as failed at once, so that
    a crash needs no repair; it reads as delivering until the attempt has ended.

    Args:
        stored: what the row says; one of `STORED`.
        in_flight: an attempt of this message is in flight in the owning process.
        paused: its endpoint is paused.
        deleted: it was deleted.
    """
    if in_flight and (stored in WAITING or (deleted and stored is MessageStatus.FAILED_PERMANENT)):
        return MessageStatus.DELIVERING
    if stored not in WAITING:
        return stored
    return MessageStatus.PAUSED if paused else stored
