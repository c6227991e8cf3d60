"""Replaying, hastening, cancelling and deleting messages.

Each write concerns messages of one endpoint, and is made by its owner: what is in flight is
known to the owner only, and is an argument. A write checks a message and moves it in one step, so
whatever raced it has happened wholly before or wholly after.
"""

import sqlite3
from collections.abc import Collection, Sequence
from typing import ClassVar

import msgspec

from sluicegate.engine.decision import MESSAGE_DELETED
from sluicegate.engine.errors import NotFoundError, SluicegateError
from sluicegate.engine.lifecycle import WAITING, MessageStatus, Trigger, advance
from sluicegate.engine.model import RetryType, WaitingMessage
from sluicegate.engine.operations import Moved, ReplayKind
from sluicegate.engine.replays import Standing, not_in_status, replay_refusal
from sluicegate.storage.rows import headers_of, id_blob
from sluicegate.storage.writes import Gathered

__all__ = ["CancelRetry", "DeleteMessages", "ReplayMessages", "RetryNow"]

_CANCELLED = "retry cancelled"

_GET = """
SELECT m.*, e.paused_at_ms, e.deleted_at_ms AS endpoint_deleted_at_ms,
    EXISTS (SELECT 1 FROM payloads p WHERE p.seq = m.seq) AS has_payload
FROM messages m JOIN endpoints e ON e.no = m.endpoint_no
WHERE m.id = ? AND e.id = ?
"""
_REPLAY = """
UPDATE messages SET status = ?, cycle_attempts = 0, fast_retries = 0, release_no = 0,
    next_attempt_at_ms = NULL, retry_type = NULL, last_error = NULL, updated_at_ms = ?,
    replay_count = replay_count + ?
WHERE seq = ?
"""
_HASTEN = "UPDATE messages SET next_attempt_at_ms = ?, updated_at_ms = ? WHERE seq = ?"
_GIVE_UP = """
UPDATE messages SET status = ?, last_error = ?, updated_at_ms = ?, next_attempt_at_ms = NULL,
    retry_type = NULL, release_no = 0
WHERE seq = ?
"""
_MARK_DELETED = """
UPDATE messages SET deleted_at_ms = ?, deleted_by = ?, updated_at_ms = ?,
    payload_removed_at_ms = coalesce(payload_removed_at_ms, ?)
WHERE seq = ?
"""


class ReplayMessages(msgspec.Struct, frozen=True, kw_only=True):
    """Begin a new cycle of attempts for each message that can be replayed."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    endpoint_id: str
    message_ids: Sequence[str]
    kind: ReplayKind
    in_flight: Collection[str]
    at_ms: int

    def apply(self, db: sqlite3.Connection, gathered: Gathered) -> list[Moved | SluicegateError]:
        """Move the messages; each slot answers for itself."""
        answers: list[Moved | SluicegateError] = []
        for message_id in self.message_ids:
            row = _row(db, self.endpoint_id, message_id)
            if row is None:
                answers.append(NotFoundError("Message not found"))
                continue
            standing = _standing(row, flying=message_id in self.in_flight)
            refusal = replay_refusal(standing, self.kind)
            if refusal is not None:
                answers.append(refusal)
                continue
            was = standing.stored
            if was is MessageStatus.PENDING_RETRY:  # its cycle ends here
                was = _give_up(db, gathered, row, error=_CANCELLED, at_ms=self.at_ms)
            now = advance(was, Trigger.REPLAY)
            counted = self.kind is ReplayKind.COUNTED
            db.execute(_REPLAY, (now, self.at_ms, int(counted), row["seq"]))
            failed = was is MessageStatus.FAILED_PERMANENT
            gathered.count(row["endpoint_no"], queued=1, failed=-failed)
            answers.append(_moved(db, self.endpoint_id, message_id))
        return answers


class RetryNow(msgspec.Struct, frozen=True, kw_only=True):
    """Make one message's scheduled retry due now."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    endpoint_id: str
    message_id: str
    in_flight: Collection[str]
    due_at_ms: int
    at_ms: int

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> Moved:
        """Move its moment.

        Raises:
            NotFoundError: the endpoint has no such message.
            InvalidStatusError: it does not wait on a retry.
        """
        row = _retrying(db, self.endpoint_id, self.message_id, in_flight=self.in_flight)
        db.execute(_HASTEN, (self.due_at_ms, self.at_ms, row["seq"]))
        return _moved(db, self.endpoint_id, self.message_id)


class CancelRetry(msgspec.Struct, frozen=True, kw_only=True):
    """Give one message up that waits on a retry."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    endpoint_id: str
    message_id: str
    in_flight: Collection[str]
    at_ms: int

    def apply(self, db: sqlite3.Connection, gathered: Gathered) -> Moved:
        """Move it into the dead letter queue.

        Raises:
            NotFoundError: the endpoint has no such message.
            InvalidStatusError: it does not wait on a retry.
        """
        row = _retrying(db, self.endpoint_id, self.message_id, in_flight=self.in_flight)
        _give_up(db, gathered, row, error=_CANCELLED, at_ms=self.at_ms)
        return Moved(seq=row["seq"], message_id=self.message_id)


class DeleteMessages(msgspec.Struct, frozen=True, kw_only=True):
    """Remove payloads at once, give up what waits; rows, statuses and attempts stay."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    endpoint_id: str
    message_ids: Sequence[str]
    deleted_by: str | None
    at_ms: int

    def apply(self, db: sqlite3.Connection, gathered: Gathered) -> list[Moved | SluicegateError]:
        """Delete the messages; each slot answers for itself. Deleted ones stay as they are."""
        return [self._delete(db, gathered, message_id) for message_id in self.message_ids]

    def _delete(
        self, db: sqlite3.Connection, gathered: Gathered, message_id: str
    ) -> Moved | SluicegateError:
        row = _row(db, self.endpoint_id, message_id)
        if row is None:
            return NotFoundError("Message not found")
        if row["deleted_at_ms"] is not None:
            return Moved(
                seq=row["seq"],
                message_id=message_id,
                deleted_at_ms=row["deleted_at_ms"],
                already_deleted=True,
            )
        stored = MessageStatus(row["status"])
        if stored in WAITING:
            _give_up(db, gathered, row, error=MESSAGE_DELETED, at_ms=self.at_ms)
        if stored is not MessageStatus.SUCCEEDED:
            gathered.count(row["endpoint_no"], failed=-1)  # deleted ones don't count
        db.execute(_MARK_DELETED, (self.at_ms, self.deleted_by, self.at_ms, self.at_ms, row["seq"]))
        db.execute("DELETE FROM payloads WHERE seq = ?", (row["seq"],))
        return Moved(seq=row["seq"], message_id=message_id, deleted_at_ms=self.at_ms)


def _row(db: sqlite3.Connection, endpoint_id: str, message_id: str) -> sqlite3.Row | None:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    row: sqlite3.Row | None = cursor.execute(_GET, (id_blob(message_id), endpoint_id)).fetchone()
    return row


def _retrying(
    db: sqlite3.Connection, endpoint_id: str, message_id: str, *, in_flight: Collection[str]
) -> sqlite3.Row:
    """Return the row of a message that waits on a retry, held or not.

    Raises:
        NotFoundError: the endpoint has no such message.
        InvalidStatusError: it does not wait on a retry.
    """
    row = _row(db, endpoint_id, message_id)
    if row is None:
        raise NotFoundError("Message not found")
    standing = _standing(row, flying=message_id in in_flight)
    waits = standing.stored is MessageStatus.PENDING_RETRY
    if standing.in_flight or not waits or standing.endpoint_deleted:
        raise not_in_status(MessageStatus.PENDING_RETRY, standing)
    return row


def _standing(row: sqlite3.Row, *, flying: bool) -> Standing:
    return Standing(
        stored=MessageStatus(row["status"]),
        in_flight=flying,
        deleted=row["deleted_at_ms"] is not None,
        paused=row["paused_at_ms"] is not None,
        endpoint_deleted=row["endpoint_deleted_at_ms"] is not None,
        fast=row["retry_type"] == RetryType.FAST,
        has_payload=bool(row["has_payload"]),
        replay_count=row["replay_count"],
    )


def _give_up(
    db: sqlite3.Connection, gathered: Gathered, row: sqlite3.Row, *, error: str, at_ms: int
) -> MessageStatus:
    stored = MessageStatus(row["status"])
    given_up = advance(stored, Trigger.GIVE_UP)
    db.execute(_GIVE_UP, (given_up, error, at_ms, row["seq"]))
    queued = stored is MessageStatus.QUEUED
    gathered.count(row["endpoint_no"], queued=-queued, pending_retry=-(not queued), failed=1)
    return given_up


def _moved(db: sqlite3.Connection, endpoint_id: str, message_id: str) -> Moved:
    row = _row(db, endpoint_id, message_id)
    assert row is not None, message_id
    waiting = WaitingMessage(
        seq=row["seq"],
        id=message_id,
        status=MessageStatus(row["status"]),
        accepted_at_ms=row["accepted_at_ms"],
        next_attempt_at_ms=row["next_attempt_at_ms"],
        release_no=row["release_no"],
        attempt_count=row["attempt_count"],
        cycle_attempts=row["cycle_attempts"],
        fast_retries=row["fast_retries"],
        headers=headers_of(row["headers"]),
        payload=None,
    )
    return Moved(seq=row["seq"], message_id=message_id, waiting=waiting)
