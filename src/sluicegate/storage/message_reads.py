"""Messages and their attempts as their clients see them."""

import sqlite3
from collections.abc import Collection
from datetime import datetime

from sluicegate.engine.errors import PayloadUnavailableError, RetentionExpiredError
from sluicegate.engine.lifecycle import WAITING, MessageStatus, view
from sluicegate.engine.model import Attempt, Message, RetryType
from sluicegate.engine.moments import from_ms
from sluicegate.storage.rows import headers_of, id_blob, id_text

__all__ = ["ENDPOINT_DELETED", "derived", "get_message", "get_payload", "list_attempts", "moment"]

ENDPOINT_DELETED = "endpoint deleted"
"""The last error of what waited when its endpoint was deleted."""

_GET = """
SELECT m.*, e.id AS endpoint_id, e.paused_at_ms, e.deleted_at_ms AS endpoint_deleted_at_ms
FROM messages m
JOIN endpoints e ON e.no = m.endpoint_no
WHERE m.id = ? AND m.project_no = (SELECT no FROM projects WHERE id = ?)
"""
_PAYLOAD = """
SELECT p.body, m.deleted_at_ms FROM messages m LEFT JOIN payloads p ON p.seq = m.seq
WHERE m.id = ? AND m.project_no = (SELECT no FROM projects WHERE id = ?)
"""
_ATTEMPTS = """
SELECT a.* FROM messages m JOIN attempts a ON a.seq = m.seq
WHERE m.id = ? AND m.project_no = (SELECT no FROM projects WHERE id = ?)
ORDER BY a.attempt_no LIMIT ?
"""


def derived(
    row: sqlite3.Row, *, in_flight: Collection[str]
) -> tuple[MessageStatus, str | None, datetime | None]:
    """Return the status, last error and next attempt that a reader sees of a message.

    The row has `paused_at_ms` and `endpoint_deleted_at_ms` of the endpoint beside the message.
    What waits on a deleted endpoint has failed, even before its row says so.
    """
    stored = MessageStatus(row["status"])
    flying = id_text(row["id"]) in in_flight
    if stored in WAITING and row["endpoint_deleted_at_ms"] is not None and not flying:
        return MessageStatus.FAILED_PERMANENT, ENDPOINT_DELETED, None
    status = view(
        stored,
        in_flight=flying,
        paused=row["paused_at_ms"] is not None,
        deleted=row["deleted_at_ms"] is not None,
    )
    next_at_ms = row["next_attempt_at_ms"] if status is MessageStatus.PENDING_RETRY else None
    return status, row["last_error"], moment(next_at_ms)


def moment(at_ms: int | None) -> datetime | None:
    """Return a stored moment, if there is one."""
    return None if at_ms is None else from_ms(at_ms)


def get_message(
    db: sqlite3.Connection, project_id: str, message_id: str, *, in_flight: Collection[str]
) -> Message | None:
    """Return a message with its derived status; `None` when unknown or foreign."""
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    row = cursor.execute(_GET, (id_blob(message_id), project_id)).fetchone()
    if row is None:
        return None
    status, last_error, next_attempt_at = derived(row, in_flight=in_flight)
    return Message(
        id=message_id,
        project_id=project_id,
        endpoint_id=row["endpoint_id"],
        status=status,
        attempt_count=row["attempt_count"],
        replay_count=row["replay_count"],
        content_type="application/json",
        size_bytes=row["size_bytes"],
        payload_sha256=row["payload_sha256"].hex(),
        created_at=from_ms(row["accepted_at_ms"]),
        updated_at=from_ms(row["updated_at_ms"]),
        idempotency_key=row["idempotency_key"],
        next_attempt_at=next_attempt_at,
        last_error=last_error,
        response_status=row["response_status"],
        response_latency_ms=row["response_latency_ms"],
        delivered_at=moment(row["delivered_at_ms"]),
        queue_wait_ms=_since(row, "first_attempt_at_ms"),
        total_delivery_ms=_since(row, "delivered_at_ms"),
        retention_hours=row["retention_hours"],
        deleted_at=moment(row["deleted_at_ms"]),
        deleted_by_api_key_id=row["deleted_by"],
    )


def get_payload(db: sqlite3.Connection, project_id: str, message_id: str) -> bytes | None:
    """Return the payload; `None` when there is no such message.

    Raises:
        RetentionExpiredError: the payload was removed because its retention is over.
        PayloadUnavailableError: the message was deleted.
    """
    row = db.execute(_PAYLOAD, (id_blob(message_id), project_id)).fetchone()
    if row is None:
        return None
    if row[1] is not None:
        raise PayloadUnavailableError
    if row[0] is None:
        raise RetentionExpiredError
    return bytes(row[0])


def list_attempts(
    db: sqlite3.Connection, project_id: str, message_id: str, *, limit: int
) -> tuple[list[Attempt], bool]:
    """Return attempts oldest first, and whether there are more."""
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute(_ATTEMPTS, (id_blob(message_id), project_id, limit + 1)).fetchall()
    return [_attempt(row) for row in rows[:limit]], len(rows) > limit


def _since(row: sqlite3.Row, column: str) -> int | None:
    """Return the milliseconds from acceptance; 0 where the wall clock was set back between."""
    at_ms = row[column]
    return None if at_ms is None else max(0, at_ms - row["accepted_at_ms"])


def _attempt(row: sqlite3.Row) -> Attempt:
    retry_type, response_headers = row["retry_type"], row["response_headers"]
    body = row["response_body"]
    return Attempt(
        id=id_text(row["id"]),
        attempt_no=row["attempt_no"],
        created_at=from_ms(row["started_at_ms"]),
        response_status=row["response_status"],
        response_latency_ms=row["response_latency_ms"],
        processing_ms=row["processing_ms"],
        error_text=row["error_text"],
        response_headers=None if row["response_status"] is None else headers_of(response_headers),
        retry_type=None if retry_type is None else RetryType(retry_type),
        retry_after_seconds=row["retry_after_s"],
        resolved_ip=row["resolved_ip"],
        request_headers=headers_of(row["request_headers"]),
        dns_ms=_ms(row["dns_us"]),
        tcp_connect_ms=_ms(row["tcp_connect_us"]),
        tls_handshake_ms=_ms(row["tls_handshake_us"]),
        ttfb_ms=_ms(row["ttfb_us"]),
        transfer_ms=_ms(row["transfer_us"]),
        conn_reused=bool(row["conn_reused"]),
        response_body=_body_text(row["response_status"], body),
        response_body_truncated=bool(row["response_body_truncated"]),
    )


def _ms(duration_us: int | None) -> float | None:
    return None if duration_us is None else duration_us / 1000


def _body_text(response_status: int | None, body: bytes | None) -> str | None:
    if response_status is None:
        return None
    return (body or b"").decode("utf-8", "replace")
