"""What the delivery loop reads. Every query is answered by an index, in the order wanted."""

import sqlite3

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import EndpointState, WaitingMessage
from sluicegate.engine.ports import WorkItem
from sluicegate.storage.rows import NO_HEADERS, headers_of, id_text, read_state
from sluicegate.storage.secret_box import SecretBox

__all__ = [
    "LOAD_QUEUED",
    "LOAD_RETRIES_DUE",
    "LOAD_RETRIES_IN_ORDER",
    "WORK",
    "load_queued",
    "load_retries_due",
    "load_retries_in_order",
    "load_state",
    "read_payload",
    "work",
]

_COLUMNS = """
SELECT m.seq, m.id, m.status, m.accepted_at_ms, m.next_attempt_at_ms, m.release_no,
    m.attempt_count, m.cycle_attempts, m.fast_retries, m.headers, p.body
FROM messages m
LEFT JOIN payloads p ON p.seq = m.seq AND m.size_bytes <= :bytes_max
WHERE m.endpoint_no = (SELECT no FROM endpoints WHERE id = :endpoint_id)
"""

LOAD_QUEUED = (
    _COLUMNS + "AND m.status = 'queued' AND m.seq > :after_seq ORDER BY m.seq LIMIT :limit"
)

LOAD_RETRIES_DUE = (
    _COLUMNS + "AND m.status = 'pending_retry' ORDER BY m.next_attempt_at_ms, m.seq LIMIT :limit"
)

LOAD_RETRIES_IN_ORDER = (
    _COLUMNS + "AND m.status = 'pending_retry' AND m.seq > :after_seq"
    " AND m.release_no < :below_release_no ORDER BY m.seq LIMIT :limit"
)

_SEQ_MAX = 2**63 - 1
_NO_PAYLOADS = -1

WORK = """
SELECT e.id, CASE
    WHEN l.queued_count > 0 OR e.deleted_at_ms IS NOT NULL THEN 0
    WHEN e.release_no > 0 AND EXISTS (
        SELECT 1 FROM messages m INDEXED BY messages_retry_in_order
        WHERE m.endpoint_no = e.no AND m.status = 'pending_retry' AND m.release_no < e.release_no
    ) THEN 0
    ELSE (
        SELECT min(m.next_attempt_at_ms) FROM messages m
        WHERE m.endpoint_no = e.no AND m.status = 'pending_retry'
    ) END
FROM endpoint_loads l
JOIN endpoints e ON e.no = l.endpoint_no
WHERE l.queued_count + l.pending_retry_count > 0
    AND (e.paused_at_ms IS NULL OR e.deleted_at_ms IS NOT NULL)
ORDER BY l.endpoint_no
"""


def load_state(db: sqlite3.Connection, endpoint_id: str, *, box: SecretBox) -> EndpointState | None:
    """Return what an actor needs at activation, in one snapshot."""
    db.execute("BEGIN")
    try:
        return read_state(db, endpoint_id, box=box)
    finally:
        db.execute("ROLLBACK")


def load_queued(
    db: sqlite3.Connection, endpoint_id: str, *, after_seq: int, limit: int, bytes_max: int
) -> list[WaitingMessage]:
    """Return `QUEUED` messages in acceptance order; payloads up to `bytes_max` with them."""
    return _load(
        db,
        LOAD_QUEUED,
        {
            "endpoint_id": endpoint_id,
            "after_seq": after_seq,
            "limit": limit,
            "bytes_max": bytes_max,
        },
    )


def load_retries_due(
    db: sqlite3.Connection, endpoint_id: str, *, limit: int
) -> list[WaitingMessage]:
    """Return `PENDING_RETRY` messages, the one due first first.

    Without their payloads: they may wait for days, and an actor keeps them all the while.
    """
    return _load(
        db,
        LOAD_RETRIES_DUE,
        {"endpoint_id": endpoint_id, "limit": limit, "bytes_max": _NO_PAYLOADS},
    )


def load_retries_in_order(
    db: sqlite3.Connection,
    endpoint_id: str,
    *,
    after_seq: int,
    below_release_no: int | None,
    limit: int,
    bytes_max: int,
) -> list[WaitingMessage]:
    """Return `PENDING_RETRY` messages in acceptance order, all or those of earlier releases."""
    return _load(
        db,
        LOAD_RETRIES_IN_ORDER,
        {
            "endpoint_id": endpoint_id,
            "after_seq": after_seq,
            "below_release_no": _SEQ_MAX if below_release_no is None else below_release_no,
            "limit": limit,
            "bytes_max": bytes_max,
        },
    )


def read_payload(db: sqlite3.Connection, seq: int) -> bytes | None:
    """Return a payload; `None` when it was removed."""
    row = db.execute("SELECT body FROM payloads WHERE seq = ?", (seq,)).fetchone()
    return None if row is None else bytes(row[0])


def work(db: sqlite3.Connection) -> list[WorkItem]:
    """Return the endpoints that have something to do, and when."""
    return [
        WorkItem(endpoint_id=endpoint_id, due_at_ms=due_at_ms)
        for endpoint_id, due_at_ms in db.execute(WORK)
    ]


def _load(
    db: sqlite3.Connection, query: str, parameters: dict[str, object]
) -> list[WaitingMessage]:
    return [
        WaitingMessage(
            seq=row[0],
            id=id_text(row[1]),
            status=MessageStatus(row[2]),
            accepted_at_ms=row[3],
            next_attempt_at_ms=row[4],
            release_no=row[5],
            attempt_count=row[6],
            cycle_attempts=row[7],
            fast_retries=row[8],
            headers=NO_HEADERS if row[9] is None else headers_of(row[9]),
            payload=row[10],
        )
        for row in db.execute(query, parameters)
    ]
