"""The log and the dead letter queue: messages newest first."""

import sqlite3
from collections.abc import Collection, Sequence

import msgspec

from sluicegate.engine.model import LogEntry
from sluicegate.engine.moments import from_ms
from sluicegate.engine.operations import DeadLetter
from sluicegate.engine.ports import LogQuery
from sluicegate.storage.message_reads import derived, moment
from sluicegate.storage.rows import id_text
from sluicegate.storage.selection import find_seqs

__all__ = ["list_dead_letters", "list_logs", "select_messages"]

_ROWS = """
SELECT m.*, e.id AS endpoint_id, e.url, e.paused_at_ms, e.deleted_at_ms AS endpoint_deleted_at_ms
FROM json_each(:seqs) found
CROSS JOIN messages m ON m.seq = found.value
CROSS JOIN endpoints e ON e.no = m.endpoint_no
ORDER BY found.key
"""


def list_logs(
    db: sqlite3.Connection, query: LogQuery, *, in_flight: Collection[str]
) -> tuple[list[LogEntry], int | None]:
    """Return a page of the log and, if there are more, the `seq` to go on before."""
    rows, position = _page(db, query, in_flight=in_flight)
    return [_entry(row, in_flight=in_flight) for row in rows], position


def list_dead_letters(
    db: sqlite3.Connection, query: LogQuery, *, in_flight: Collection[str]
) -> tuple[list[DeadLetter], int | None]:
    """Return a page of the dead letter queue: as `list_logs`, with when each was given up."""
    rows, position = _page(db, query, in_flight=in_flight)
    return [
        DeadLetter(entry=_entry(row, in_flight=in_flight), failed_at=from_ms(_failed_at_ms(row)))
        for row in rows
    ], position


def select_messages(
    db: sqlite3.Connection, queries: Sequence[LogQuery], *, in_flight: Collection[str], limit: int
) -> list[tuple[str, str]]:
    """Return message id and endpoint id of up to `limit` messages that any of `queries` means.

    The newest first, each once: all queries see the same moment.
    """
    db.execute("BEGIN")
    try:
        seqs = {
            seq
            for query in queries
            for seq in find_seqs(db, query, in_flight=in_flight, limit=limit)
        }
        rows = _rows(db, sorted(seqs, reverse=True)[:limit])
    finally:
        db.execute("ROLLBACK")
    return [(id_text(row["id"]), row["endpoint_id"]) for row in rows]


def _page(
    db: sqlite3.Connection, query: LogQuery, *, in_flight: Collection[str]
) -> tuple[list[sqlite3.Row], int | None]:
    db.execute("BEGIN")
    try:
        seqs = find_seqs(db, query, in_flight=in_flight, limit=query.limit + 1)
        more = len(seqs) > query.limit
        del seqs[query.limit :]
        rows = _rows(db, seqs)
    finally:
        db.execute("ROLLBACK")
    return rows, seqs[-1] if more else None


def _rows(db: sqlite3.Connection, seqs: list[int]) -> list[sqlite3.Row]:
    """Return messages with what their endpoints say of them, in the order of `seqs`."""
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(_ROWS, {"seqs": msgspec.json.encode(seqs).decode()}).fetchall()


def _failed_at_ms(row: sqlite3.Row) -> int:
    """Return when a message was given up: its row's last change, or its endpoint's deletion."""
    if row["status"] == "failed_permanent":
        return int(row["updated_at_ms"])
    return int(row["endpoint_deleted_at_ms"])


def _entry(row: sqlite3.Row, *, in_flight: Collection[str]) -> LogEntry:
    status, last_error, next_attempt_at = derived(row, in_flight=in_flight)
    return LogEntry(
        message_id=id_text(row["id"]),
        endpoint=row["url"],
        status=status,
        attempt_count=row["attempt_count"],
        created_at=from_ms(row["accepted_at_ms"]),
        delivered_at=moment(row["delivered_at_ms"]),
        next_attempt_at=next_attempt_at,
        response_status=row["response_status"],
        response_latency_ms=row["response_latency_ms"],
        last_error=last_error,
        deleted_at=moment(row["deleted_at_ms"]),
    )
