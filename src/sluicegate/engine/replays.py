"""Whether a message can be replayed, and what a client is told if not (contract, section 6)."""

import msgspec

from sluicegate.engine.errors import (
    DeliveryInProgressError,
    EndpointNotFoundError,
    InvalidRequestError,
    InvalidStatusError,
    PayloadUnavailableError,
    ReplayLimitExceededError,
    RetentionExpiredError,
    RetryInProgressError,
    SluicegateError,
)
from sluicegate.engine.lifecycle import WAITING, MessageStatus, view
from sluicegate.engine.operations import REPLAYS_MAX, ReplayKind

__all__ = ["Standing", "not_in_status", "replay_refusal"]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a message stands when something is asked of it."""

    stored: MessageStatus
    in_flight: bool
    deleted: bool
    paused: bool
    """Its endpoint is."""
    endpoint_deleted: bool
    fast: bool
    """Its scheduled retry, if there is one, follows the fast schedule."""
    has_payload: bool
    replay_count: int

    @property
    def seen(self) -> MessageStatus:
        """The status that a reader sees."""
        if self.stored in WAITING and self.endpoint_deleted and not self.in_flight:
            return MessageStatus.FAILED_PERMANENT
        return view(self.stored, in_flight=self.in_flight, paused=self.paused, deleted=self.deleted)


def not_in_status(wanted: str, standing: Standing) -> InvalidStatusError:
    """Say which status was wanted, and which it is."""
    return InvalidStatusError(
        f"Message is not in {wanted} status (current: {standing.seen})",
        details={"current": standing.seen},
    )


def replay_refusal(standing: Standing, kind: ReplayKind) -> SluicegateError | None:
    """Return why a message cannot be replayed; `None` when it can.

    Held messages may be: a fast retry is in progress only while its endpoint is not paused.
    """
    is_dead = standing.seen is MessageStatus.FAILED_PERMANENT and not standing.deleted
    if kind is ReplayKind.DEAD_LETTER and not is_dead:
        return InvalidRequestError(
            "message is not in DLQ (must have failed_permanent status)",
            details={"current": standing.seen},
        )
    retrying = standing.stored is MessageStatus.PENDING_RETRY
    reasons: tuple[tuple[bool, SluicegateError], ...] = (
        (standing.in_flight, DeliveryInProgressError()),
        (standing.deleted, PayloadUnavailableError("the message was deleted")),
        (standing.endpoint_deleted, EndpointNotFoundError("the message's endpoint was deleted")),
        (standing.stored is MessageStatus.QUEUED, not_in_status("a replayable", standing)),
        (retrying and standing.fast and not standing.paused, RetryInProgressError()),
        (not standing.has_payload, RetentionExpiredError()),
        (
            kind is ReplayKind.COUNTED and standing.replay_count >= REPLAYS_MAX,
            ReplayLimitExceededError(details={"maximum": REPLAYS_MAX}),
        ),
    )
    return next((error for holds, error in reasons if holds), None)
