"""Exports' records, and the pages of messages that their files are made of."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence

import msgspec

from sluicegate.engine.export_csv import csv_lines
from sluicegate.engine.export_model import Export, ExportQuery, ExportRow, ExportStatus
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.moments import from_ms, to_ms
from sluicegate.engine.ports.export_storage import ExportPage
from sluicegate.storage.message_reads import derived, moment
from sluicegate.storage.rows import id_blob, id_text

__all__ = [
    "EXPORT_ROWS",
    "EXPORT_TIMES",
    "NEXT_EXPORT",
    "WINDOW_END",
    "completed_exports",
    "export_times_ms",
    "get_export",
    "list_exports",
    "next_export",
    "read_export",
    "read_export_page",
    "read_query",
]

_MINUTE_MS = 60_000

_EXPORT = """
SELECT x.*, p.id AS project_id FROM exports x JOIN projects p ON p.no = x.project_no
WHERE x.id = ?
"""
_LIST = """
SELECT x.*, p.id AS project_id FROM projects p JOIN exports x ON x.project_no = p.no
WHERE p.id = ? AND x.no < ? ORDER BY x.no DESC LIMIT ?
"""
NEXT_EXPORT = """
SELECT x.*, p.id AS project_id FROM exports x INDEXED BY exports_unfinished
JOIN projects p ON p.no = x.project_no
WHERE x.status = :status AND (x.status = 'pending' OR x.status = 'processing')
ORDER BY x.no LIMIT 1
"""
EXPORT_TIMES = """
SELECT
    (SELECT min(expires_at_ms) FROM exports INDEXED BY exports_completed
        WHERE status = 'completed'),
    (SELECT min(created_at_ms) FROM exports INDEXED BY exports_over
        WHERE status = 'failed' OR status = 'expired')
"""
WINDOW_END = """
SELECT max(seq) FROM (
    SELECT m.seq AS seq FROM messages m NOT INDEXED
    WHERE m.seq > :after_seq AND m.seq <= :seq_last ORDER BY m.seq LIMIT :limit
)
"""
"""The last of the next messages, whosever they are: a page looks at so many and no more."""
EXPORT_ROWS = """
SELECT m.id, m.status, m.deleted_at_ms, m.next_attempt_at_ms, m.last_error, e.paused_at_ms,
    e.deleted_at_ms AS endpoint_deleted_at_ms, e.id AS endpoint_id, e.url, m.attempt_count,
    m.replay_count, m.accepted_at_ms, m.updated_at_ms, m.delivered_at_ms, m.response_status,
    m.response_latency_ms, m.idempotency_key, m.size_bytes, m.payload_sha256
FROM messages m NOT INDEXED
CROSS JOIN endpoints e ON e.no = m.endpoint_no
WHERE m.seq > :after_seq AND m.seq <= :until_seq
    AND m.project_no = (SELECT no FROM projects WHERE id = :project_id)
    AND m.accepted_at_ms >= :start_at_ms AND m.accepted_at_ms < :end_at_ms
    AND (:endpoint_id IS NULL OR e.id = :endpoint_id)
ORDER BY m.seq
"""
_SPAN = """
SELECT min(seq_first), max(seq_last), (SELECT max(seq) FROM messages)
FROM accepted_minutes WHERE minute BETWEEN ? AND ?
"""
_NO_MAX = 2**63 - 1


def get_export(db: sqlite3.Connection, project_id: str, export_id: str) -> Export | None:
    """Return an export; `None` when unknown or foreign."""
    export = read_export(db, export_id)
    return None if export is None or export.project_id != project_id else export


def read_export(db: sqlite3.Connection, export_id: str) -> Export | None:
    """Return an export, whosever it is."""
    row = _rows(db).execute(_EXPORT, (id_blob(export_id),)).fetchone()
    return None if row is None else _export(row)


def list_exports(
    db: sqlite3.Connection, project_id: str, *, limit: int, before_no: int | None
) -> tuple[list[Export], int | None]:
    """Return exports newest first and, if there are more, the number to go on before."""
    before = _NO_MAX if before_no is None else before_no
    rows = _rows(db).execute(_LIST, (project_id, before, limit + 1)).fetchall()
    page = rows[:limit]
    return [_export(row) for row in page], page[-1]["no"] if len(rows) > limit else None


def next_export(db: sqlite3.Connection) -> Export | None:
    """Return the oldest export that is processing; else the oldest that is pending."""
    for status in (ExportStatus.PROCESSING, ExportStatus.PENDING):
        row = _rows(db).execute(NEXT_EXPORT, {"status": status}).fetchone()
        if row is not None:
            return _export(row)
    return None


def completed_exports(db: sqlite3.Connection, export_ids: Sequence[str]) -> frozenset[str]:
    """Return those of `export_ids` that are completed."""
    blobs = {each: id_blob(each) for each in export_ids}
    sql = "SELECT 1 FROM exports WHERE id = ? AND status = 'completed'"
    return frozenset(
        each for each, blob in blobs.items() if db.execute(sql, (blob,)).fetchone() is not None
    )


def read_query(db: sqlite3.Connection, export_id: str) -> ExportQuery | None:
    """Return what an export holds as of now; `None` when there is no such export."""
    export = read_export(db, export_id)
    if export is None:
        return None
    start_at_ms, end_at_ms = to_ms(export.filter_start_time), to_ms(export.filter_end_time)
    first, last, newest = db.execute(
        _SPAN, (start_at_ms // _MINUTE_MS, (end_at_ms - 1) // _MINUTE_MS)
    ).fetchone()
    empty = first is None or newest is None
    return ExportQuery(
        project_id=export.project_id,
        start_at_ms=start_at_ms,
        end_at_ms=end_at_ms,
        status=export.filter_status,
        endpoint_id=export.filter_endpoint_id,
        seq_first=1 if empty else first,
        seq_last=0 if empty else min(last, newest),
    )


def read_export_page(
    db: sqlite3.Connection,
    query: ExportQuery,
    *,
    after_seq: int,
    limit: int,
    in_flight: Collection[str],
) -> ExportPage:
    """Look at up to `limit` messages after `after_seq`; O(limit), whatever is stored.

    Runs in one transaction, so that a line never mixes two moments.
    """
    db.execute("BEGIN")
    try:
        (until_seq,) = db.execute(
            WINDOW_END, {"after_seq": after_seq, "seq_last": query.seq_last, "limit": limit}
        ).fetchone()
        if until_seq is None:
            return ExportPage(text=b"", rows=0, seq=None)
        values = msgspec.structs.asdict(query) | {"after_seq": after_seq, "until_seq": until_seq}
        found = _rows(db).execute(EXPORT_ROWS, values)
        lines = list(_lines(found, query.status, in_flight))
    finally:
        db.execute("ROLLBACK")
    return ExportPage(text=csv_lines(lines), rows=len(lines), seq=until_seq)


def _lines(
    rows: sqlite3.Cursor, status: MessageStatus | None, in_flight: Collection[str]
) -> Iterator[ExportRow]:
    for row in rows:
        seen, last_error, next_attempt_at = derived(row, in_flight=in_flight)
        if status is not None and seen is not status:
            continue
        yield ExportRow(
            message_id=id_text(row["id"]),
            endpoint_id=row["endpoint_id"],
            endpoint=row["url"],
            status=seen,
            attempt_count=row["attempt_count"],
            replay_count=row["replay_count"],
            created_at_ms=row["accepted_at_ms"],
            updated_at_ms=row["updated_at_ms"],
            delivered_at_ms=row["delivered_at_ms"],
            next_attempt_at_ms=None if next_attempt_at is None else to_ms(next_attempt_at),
            response_status=row["response_status"],
            response_latency_ms=row["response_latency_ms"],
            last_error=last_error,
            idempotency_key=row["idempotency_key"],
            size_bytes=row["size_bytes"],
            payload_sha256=row["payload_sha256"].hex(),
            deleted_at_ms=row["deleted_at_ms"],
        )


def _rows(db: sqlite3.Connection) -> sqlite3.Cursor:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor


def _export(row: sqlite3.Row) -> Export:
    status = row["filter_status"]
    return Export(
        id=id_text(row["id"]),
        project_id=row["project_id"],
        status=ExportStatus(row["status"]),
        filter_start_time=from_ms(row["filter_start_at_ms"]),
        filter_end_time=from_ms(row["filter_end_at_ms"]),
        filter_status=None if status is None else MessageStatus(status),
        filter_endpoint_id=row["filter_endpoint_id"],
        row_count=row["row_count"],
        file_size_bytes=row["file_size_bytes"],
        error_message=row["error_message"],
        created_at=from_ms(row["created_at_ms"]),
        started_at=moment(row["started_at_ms"]),
        completed_at=moment(row["completed_at_ms"]),
        expires_at=moment(row["expires_at_ms"]),
    )


def export_times_ms(db: sqlite3.Connection) -> tuple[int | None, int | None]:
    """Return when the first completed export expires, and when the oldest that is over began."""
    expires_ms, began_ms = db.execute(EXPORT_TIMES).fetchone()
    return expires_ms, began_ms
