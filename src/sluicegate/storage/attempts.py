"""Recording attempts and all that follows from them."""

import sqlite3
from collections.abc import Iterable
from typing import ClassVar

import msgspec

from sluicegate.engine.errors import NotFoundError, SluicegateError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import AttemptResult, Health, RetryType
from sluicegate.engine.outcome import OutcomeKind
from sluicegate.storage.recordings import AttemptRow, Move, Recordings
from sluicegate.storage.rows import encode_headers, id_blob
from sluicegate.storage.writes import Gathered

__all__ = ["RecordAttempt", "joined_headers", "response_latency_ms"]


class RecordAttempt(msgspec.Struct, frozen=True):
    """Store a finished attempt; recording the same attempt again changes nothing."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = False

    result: AttemptResult

    def apply(self, db: sqlite3.Connection, gathered: Gathered) -> bool:
        """Insert the attempt, move its message on, and count.

        What it says of its endpoint (health, a pause) counts for nothing once the endpoint has been
        resumed: that began anew.

        Returns:
            Whether it is by this attempt that the endpoint is paused.

        Raises:
            NotFoundError: there is no such message.
        """
        result, recordings = self.result, gathered.recordings
        message = recordings.facts(db, result.seq)
        if message is None:
            raise NotFoundError("Message not found")
        if message.attempt_count >= result.attempt_no and _is_recorded(db, recordings, result):
            return _has_paused(db, message.endpoint_no, result)
        deleted = message.deleted_at_ms is not None
        if deleted:
            result = _withdrawn(result)
        latency_ms = response_latency_ms(result)
        endpoint_no, status = message.endpoint_no, result.verdict.status
        waits = message.status in {"queued", "pending_retry"}
        # Deleted while in flight: it moves on, and is not counted. Given up while in flight: it
        # keeps its status.
        moves = waits or (deleted and message.status == "failed_permanent")
        recordings.add(
            _attempt_row(result, latency_ms), _move(result, latency_ms) if moves else None
        )
        gathered.activity.attempt(
            result, latency_ms, project_no=message.project_no, endpoint_no=endpoint_no
        )
        if waits:
            _count(gathered, endpoint_no, was=message.status, now=status)
            if status is MessageStatus.SUCCEEDED and message.retention_hours == 0:
                _remove_payload(db, result)
        if not moves:
            db.execute(
                "UPDATE messages SET attempt_count = attempt_count + 1 WHERE seq = ?",
                (result.seq,),
            )
        message.attempt_count += 1
        message.status = status if moves else message.status
        if result.health is not None:
            _store_health(db, endpoint_no, result.health, release_no=result.release_no)
        if result.pause is not None:
            _pause(db, endpoint_no, result)
        return _has_paused(db, endpoint_no, result)


def joined_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by name; the values of a repeated one joined (RFC 9110 §5.2)."""
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def response_latency_ms(result: AttemptResult) -> int | None:
    """Return how long the receiver took to answer; `None` when it did not."""
    if result.outcome.kind is not OutcomeKind.ANSWERED:
        return None
    return round(result.outcome.timings.total_ms)


def _is_recorded(db: sqlite3.Connection, recordings: Recordings, result: AttemptResult) -> bool:
    """Return whether this very attempt is stored, or left to be stored.

    Raises:
        SluicegateError: another one has its number.
    """
    stored = recordings.attempt_id(db, result.seq, result.attempt_no)
    if stored is not None and stored != id_blob(result.attempt_id):
        raise SluicegateError(
            f"message {result.message_id} has an attempt number {result.attempt_no} already"
        )
    return stored is not None


def _attempt_row(result: AttemptResult, latency_ms: int | None) -> AttemptRow:
    outcome, verdict = result.outcome, result.verdict
    timings = outcome.timings
    return (
        result.seq,
        result.attempt_no,
        id_blob(result.attempt_id),
        result.started_at_ms,
        max(0, result.finished_at_ms - result.started_at_ms),
        outcome.status,
        latency_ms,
        outcome.error,
        verdict.retry_type,
        verdict.retry_after_s,
        outcome.resolved_ip,
        encode_headers(joined_headers(result.request_headers)),
        encode_headers(joined_headers(outcome.headers)),
        _us(timings.dns_ms),
        _us(timings.tcp_connect_ms),
        _us(timings.tls_handshake_ms),
        _us(timings.ttfb_ms),
        _us(timings.transfer_ms),
        timings.conn_reused,
        outcome.body or None,
        outcome.body_truncated,
    )


def _us(duration_ms: float | None) -> int | None:
    return None if duration_ms is None else round(duration_ms * 1000)


def _withdrawn(result: AttemptResult) -> AttemptResult:
    """Return the result for a message that was deleted during the attempt: nothing is repeated."""
    if result.verdict.status is not MessageStatus.PENDING_RETRY:
        return result
    verdict = msgspec.structs.replace(
        result.verdict,
        status=MessageStatus.FAILED_PERMANENT,
        next_attempt_at_ms=None,
        retry_type=None,
    )
    return msgspec.structs.replace(result, verdict=verdict)


def _remove_payload(db: sqlite3.Connection, result: AttemptResult) -> None:
    db.execute("DELETE FROM payloads WHERE seq = ?", (result.seq,))
    db.execute(
        "UPDATE messages SET payload_removed_at_ms = ? WHERE seq = ?",
        (result.finished_at_ms, result.seq),
    )


def _move(result: AttemptResult, latency_ms: int | None) -> Move:
    verdict = result.verdict
    waits = verdict.status is MessageStatus.PENDING_RETRY
    return (
        result.seq,
        verdict.status,
        result.finished_at_ms,
        int(verdict.retry_type is RetryType.FAST),
        result.release_no if waits else 0,
        verdict.next_attempt_at_ms if waits else None,
        verdict.retry_type,
        result.started_at_ms,
        result.finished_at_ms if verdict.status is MessageStatus.SUCCEEDED else None,
        result.outcome.status,
        latency_ms,
        verdict.last_error,
    )


def _count(gathered: Gathered, endpoint_no: int, *, was: str, now: MessageStatus) -> None:
    gathered.count(
        endpoint_no,
        queued=-(was == "queued"),
        pending_retry=(now is MessageStatus.PENDING_RETRY) - (was == "pending_retry"),
        failed=int(now is MessageStatus.FAILED_PERMANENT),
    )


def _store_health(
    db: sqlite3.Connection, endpoint_no: int, health: Health, *, release_no: int
) -> None:
    db.execute(
        "UPDATE endpoint_loads SET consecutive_failures = ?, failing_since_ms = ?"
        " WHERE endpoint_no = ? AND ? = (SELECT release_no FROM endpoints WHERE no = endpoint_no)",
        (health.consecutive_failures, health.failing_since_ms, endpoint_no, release_no),
    )


def _pause(db: sqlite3.Connection, endpoint_no: int, result: AttemptResult) -> None:
    at_ms = result.finished_at_ms
    db.execute(
        "UPDATE endpoints SET paused_at_ms = ?, pause_reason = ?, updated_at_ms = ?"
        " WHERE no = ? AND release_no = ? AND paused_at_ms IS NULL AND deleted_at_ms IS NULL",
        (at_ms, result.pause, at_ms, endpoint_no, result.release_no),
    )


def _has_paused(db: sqlite3.Connection, endpoint_no: int, result: AttemptResult) -> bool:
    """Return whether an endpoint is paused by this attempt, now or when it was recorded before."""
    if result.pause is None:
        return False
    paused = (result.finished_at_ms, result.pause, result.release_no)
    row = db.execute(
        "SELECT paused_at_ms, pause_reason, release_no FROM endpoints WHERE no = ?", (endpoint_no,)
    ).fetchone()
    return row is not None and tuple(row) == paused
