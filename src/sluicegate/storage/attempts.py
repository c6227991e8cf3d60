"""Recording attempts and all that follows from them."""

import sqlite3
from collections.abc import Iterable
from typing import ClassVar

import msgspec

from sluicegate.engine.errors import NotFoundError, SluicegateError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import AttemptResult, Health, PauseReason, RetryType
from sluicegate.engine.outcome import OutcomeKind
from sluicegate.storage.rows import encode_headers, id_blob
from sluicegate.storage.writes import Gathered

__all__ = ["RecordAttempt", "joined_headers", "response_latency_ms"]

_INSERT = """
INSERT INTO attempts (seq, attempt_no, id, started_at_ms, processing_ms, response_status,
    response_latency_ms, error_text, retry_type, retry_after_s, resolved_ip, request_headers,
    response_headers, dns_us, tcp_connect_us, tls_handshake_us, ttfb_us, transfer_us, conn_reused,
    response_body, response_body_truncated)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_MOVE_ON = """
UPDATE messages SET status = ?, updated_at_ms = ?, attempt_count = attempt_count + 1,
    cycle_attempts = cycle_attempts + 1, fast_retries = fast_retries + ?, release_no = ?,
    next_attempt_at_ms = ?, retry_type = ?,
    first_attempt_at_ms = coalesce(first_attempt_at_ms, ?),
    delivered_at_ms = coalesce(?, delivered_at_ms), response_status = ?, response_latency_ms = ?,
    last_error = ?
WHERE seq = ?
"""


class RecordAttempt(msgspec.Struct, frozen=True):
    """Store a finished attempt; recording the same attempt again changes nothing."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = False

    result: AttemptResult

    def apply(self, db: sqlite3.Connection, gathered: Gathered) -> None:
        """Insert the attempt, move its message on, and count.

        Raises:
            NotFoundError: there is no such message.
        """
        result = self.result
        message = db.execute(
            "SELECT project_no, endpoint_no, status, retention_hours, deleted_at_ms FROM messages"
            " WHERE seq = ?",
            (result.seq,),
        ).fetchone()
        if message is None:
            raise NotFoundError("Message not found")
        if _is_recorded(db, result):
            return
        project_no, endpoint_no, status, retention_hours, deleted_at_ms = message
        if deleted_at_ms is not None:
            result = _withdrawn(result)
        latency_ms = response_latency_ms(result)
        db.execute(_INSERT, _attempt_row(result, latency_ms))
        gathered.activity.attempt(
            result, latency_ms, project_no=project_no, endpoint_no=endpoint_no
        )
        if status in {"queued", "pending_retry"}:
            _move_on(db, result, latency_ms)
            _count(gathered, endpoint_no, was=status, now=result.verdict.status)
            if result.verdict.status is MessageStatus.SUCCEEDED and retention_hours == 0:
                _remove_payload(db, result)
        elif deleted_at_ms is not None and status == "failed_permanent":
            _move_on(
                db, result, latency_ms
            )  # deleted while in flight; deleted ones are not counted
        else:
            # Given up while in flight: it keeps its status.
            db.execute(
                "UPDATE messages SET attempt_count = attempt_count + 1 WHERE seq = ?",
                (result.seq,),
            )
        if result.health is not None:
            _store_health(db, endpoint_no, result.health)
        if result.pause is not None:
            _pause(db, endpoint_no, result.pause, at_ms=result.finished_at_ms)


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


def _is_recorded(db: sqlite3.Connection, result: AttemptResult) -> bool:
    """Return whether this very attempt is in the table.

    Raises:
        SluicegateError: another one has its number.
    """
    row = db.execute(
        "SELECT id FROM attempts WHERE seq = ? AND attempt_no = ?",
        (result.seq, result.attempt_no),
    ).fetchone()
    if row is not None and row[0] != id_blob(result.attempt_id):
        raise SluicegateError(
            f"message {result.message_id} has an attempt number {result.attempt_no} already"
        )
    return row is not None


def _attempt_row(result: AttemptResult, latency_ms: int | None) -> tuple[object, ...]:
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


def _move_on(db: sqlite3.Connection, result: AttemptResult, latency_ms: int | None) -> None:
    verdict = result.verdict
    waits = verdict.status is MessageStatus.PENDING_RETRY
    db.execute(
        _MOVE_ON,
        (
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
            result.seq,
        ),
    )


def _count(gathered: Gathered, endpoint_no: int, *, was: str, now: MessageStatus) -> None:
    gathered.count(
        endpoint_no,
        queued=-(was == "queued"),
        pending_retry=(now is MessageStatus.PENDING_RETRY) - (was == "pending_retry"),
        failed=int(now is MessageStatus.FAILED_PERMANENT),
    )


def _store_health(db: sqlite3.Connection, endpoint_no: int, health: Health) -> None:
    db.execute(
        "UPDATE endpoint_loads SET consecutive_failures = ?, failing_since_ms = ?"
        " WHERE endpoint_no = ?",
        (health.consecutive_failures, health.failing_since_ms, endpoint_no),
    )


def _pause(db: sqlite3.Connection, endpoint_no: int, reason: PauseReason, *, at_ms: int) -> None:
    db.execute(
        "UPDATE endpoints SET paused_at_ms = ?, pause_reason = ?, updated_at_ms = ?"
        " WHERE no = ? AND paused_at_ms IS NULL AND deleted_at_ms IS NULL",
        (at_ms, reason, at_ms, endpoint_no),
    )
