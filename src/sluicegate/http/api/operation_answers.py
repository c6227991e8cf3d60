"""What is answered about replays, cancels, deletes and the DLQ: contract section 6."""

from typing import Literal, Self

import msgspec

from sluicegate.engine.moments import format_moment
from sluicegate.engine.operations import (
    DeadLetter,
    DeletedAll,
    Deletion,
    DeletionOutcome,
    ReplayResult,
    ReplayStatus,
    ReplaySummary,
)
from sluicegate.engine.pages import Page
from sluicegate.http.api.fields import Moment, Uuid7, known_moment
from sluicegate.http.api.message_answers import LogEntryAnswer

__all__ = [
    "CancelAnswer",
    "DeadLetterAnswer",
    "DeadLettersAnswer",
    "DeletedAllAnswer",
    "DeletedBatchAnswer",
    "DeletionAnswer",
    "DlqReplayAnswer",
    "ReplayAllAnswer",
    "ReplayAnswer",
    "ReplayBatchAnswer",
    "RetryAnswer",
]


class ReplayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A message that begins a new cycle of attempts."""

    message_id: Uuid7
    status: Literal["queued"] = "queued"
    """Always `queued`, also on a paused endpoint."""


class RetryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A message whose retry is due now."""

    message_id: Uuid7
    status: Literal["pending_retry"] = "pending_retry"


class CancelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was given up."""

    message_id: Uuid7
    status: Literal["failed_permanent"] = "failed_permanent"


class DlqReplayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A message that has left the dead letter queue."""

    message_id: Uuid7
    status: Literal["replayed"] = "replayed"


class ReplayAllAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the messages that were found."""

    replayed: int
    failed: int
    """They could not be replayed after all."""
    stuck: int
    """An attempt is in flight, or a fast retry will come by itself."""
    replayed_message_ids: list[Uuid7]
    stuck_message_ids: list[Uuid7]

    @classmethod
    def of(cls, summary: ReplaySummary) -> Self:
        """Write what became of many messages."""
        replayed = summary.ids(ReplayStatus.REPLAYED)
        stuck = summary.ids(ReplayStatus.STUCK)
        return cls(
            replayed=len(replayed),
            failed=len(summary.ids(ReplayStatus.FAILED)),
            stuck=len(stuck),
            replayed_message_ids=replayed,
            stuck_message_ids=stuck,
        )


class ReplayResultAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one message of many."""

    message_id: str
    """As it was asked for."""
    status: ReplayStatus
    error: str | None = None
    """Why it was not replayed: the code and the sentence that `replay` answers."""

    @classmethod
    def of(cls, result: ReplayResult) -> Self:
        """Write what became of one message."""
        error = result.error
        return cls(
            message_id=result.message_id,
            status=result.status,
            error=None if error is None else f"{error.code}: {error.message}",
        )


class ReplayBatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the messages that were named."""

    replayed: int
    failed: int
    stuck: int
    results: list[ReplayResultAnswer]
    """One for each id, in order; a repeated id counts once."""

    @classmethod
    def of(cls, summary: ReplaySummary) -> Self:
        """Write what became of each message."""
        return cls(
            replayed=len(summary.ids(ReplayStatus.REPLAYED)),
            failed=len(summary.ids(ReplayStatus.FAILED)),
            stuck=len(summary.ids(ReplayStatus.STUCK)),
            results=[ReplayResultAnswer.of(each) for each in summary.results],
        )


class DeletionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is deleted."""

    message_id: Uuid7
    deleted_at: Moment
    """When it was, now or before."""
    already_deleted: bool

    @classmethod
    def of(cls, deletion: Deletion) -> Self:
        """Write a deletion that found its message."""
        assert deletion.deleted_at is not None
        return cls(
            message_id=deletion.message_id,
            deleted_at=format_moment(deletion.deleted_at),
            already_deleted=deletion.outcome is DeletionOutcome.ALREADY_DELETED,
        )


class DeletionResultAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one message of many."""

    message_id: str
    """As it was asked for."""
    outcome: DeletionOutcome
    deleted_at: Moment | None = None

    @classmethod
    def of(cls, deletion: Deletion) -> Self:
        """Write what became of one message."""
        return cls(
            message_id=deletion.message_id,
            outcome=deletion.outcome,
            deleted_at=known_moment(deletion.deleted_at),
        )


class DeletedBatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the messages that were named."""

    results: list[DeletionResultAnswer]
    """One for each id, in order; a repeated id counts once."""
    deleted_count: int
    already_deleted_count: int
    not_found_count: int

    @classmethod
    def of(cls, deletions: list[Deletion]) -> Self:
        """Write what became of each message."""
        outcomes = [deletion.outcome for deletion in deletions]
        return cls(
            results=[DeletionResultAnswer.of(each) for each in deletions],
            deleted_count=outcomes.count(DeletionOutcome.DELETED),
            already_deleted_count=outcomes.count(DeletionOutcome.ALREADY_DELETED),
            not_found_count=outcomes.count(DeletionOutcome.NOT_FOUND),
        )


class DeletedAllAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted."""

    deleted: int
    deleted_message_ids: list[Uuid7]

    @classmethod
    def of(cls, deleted: DeletedAll) -> Self:
        """Write what was deleted."""
        return cls(deleted=len(deleted.message_ids), deleted_message_ids=deleted.message_ids)


class DeadLetterAnswer(LogEntryAnswer, frozen=True, kw_only=True, omit_defaults=True):
    """A message in the dead letter queue."""

    failed_at: Moment
    """When it was given up."""

    @classmethod
    def of_letter(cls, letter: DeadLetter) -> Self:
        """Write a dead letter."""
        entry = msgspec.structs.asdict(LogEntryAnswer.of(letter.entry))
        return cls(**entry, failed_at=format_moment(letter.failed_at))


class DeadLettersAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the dead letter queue, newest message first."""

    messages: list[DeadLetterAnswer]
    has_more: bool
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[DeadLetter]) -> Self:
        """Write a page."""
        return cls(
            messages=[DeadLetterAnswer.of_letter(each) for each in page.items],
            has_more=page.has_more,
            next_cursor=page.next_cursor,
        )
