"""The records of what is done to messages after they were accepted."""

from datetime import datetime
from enum import StrEnum

import msgspec

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.model import LogEntry, WaitingMessage

__all__ = [
    "REPLAYS_MAX",
    "DeadLetter",
    "DeletedAll",
    "Deletion",
    "DeletionOutcome",
    "Moved",
    "ReplayKind",
    "ReplayResult",
    "ReplayStatus",
    "ReplaySummary",
]

REPLAYS_MAX = 10
"""Counted replays of one message."""


class ReplayKind(StrEnum):
    """Which rules a replay follows."""

    COUNTED = "counted"
    """Failed and succeeded messages, and those that wait on a slow retry; so often at most."""
    DEAD_LETTER = "dead_letter"
    """Failed messages only; neither counted nor limited."""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation did to a message, as its endpoint's actor must know it."""

    seq: int
    message_id: str
    waiting: WaitingMessage | None = None
    """As it waits now; `None`: it does not wait (any more)."""
    deleted_at_ms: int | None = None
    """When it was deleted; `None`: it is not."""
    already_deleted: bool = False
    """It was deleted before this operation."""


class ReplayStatus(StrEnum):
    """What became of one message of many that were to be replayed."""

    REPLAYED = "replayed"
    FAILED = "failed"
    """It cannot be replayed: unknown, its payload gone, replayed too often."""
    STUCK = "stuck"
    """Not now: an attempt is in flight, or a fast retry will come by itself."""


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """One message of many that were to be replayed."""

    message_id: str
    status: ReplayStatus
    error: SluicegateError | None = None
    """Why not."""


class ReplaySummary(msgspec.Struct, frozen=True, kw_only=True):
    """Many messages that were to be replayed."""

    results: list[ReplayResult]

    def ids(self, status: ReplayStatus) -> list[str]:
        """Return the messages of which that became."""
        return [result.message_id for result in self.results if result.status is status]


class DeletionOutcome(StrEnum):
    """What became of one message that was to be deleted."""

    DELETED = "deleted"
    ALREADY_DELETED = "already_deleted"
    NOT_FOUND = "not_found"


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """One message that was to be deleted."""

    message_id: str
    outcome: DeletionOutcome
    deleted_at: datetime | None = None
    """When it was deleted, now or before."""


class DeletedAll(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted of many; the rest, if there was an error, is as it was."""

    message_ids: list[str]
    error: SluicegateError | None = None
    """What ended it early."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message in the dead letter queue."""

    entry: LogEntry
    failed_at: datetime
    """When it was given up."""
