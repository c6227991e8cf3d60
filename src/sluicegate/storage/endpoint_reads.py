"""Endpoints as their clients see them."""

import sqlite3
from collections.abc import Collection

import msgspec

from sluicegate.engine.model import Endpoint, EndpointCounts, PauseReason
from sluicegate.engine.moments import from_ms
from sluicegate.storage.rows import config_of, waiting_seqs

__all__ = ["get_endpoint", "list_endpoints"]

_NO_MAX = 2**63 - 1

_GET = """
SELECT e.*, l.queued_count, l.pending_retry_count, l.failed_count
FROM endpoints e
JOIN projects p ON p.no = e.project_no
JOIN endpoint_loads l ON l.endpoint_no = e.no
WHERE e.id = ? AND p.id = ? AND e.deleted_at_ms IS NULL
"""
_LIST = """
SELECT * FROM endpoints
WHERE project_no = (SELECT no FROM projects WHERE id = ?) AND deleted_at_ms IS NULL AND no < ?
ORDER BY no DESC LIMIT ?
"""


def get_endpoint(
    db: sqlite3.Connection, project_id: str, endpoint_id: str, *, in_flight: Collection[str]
) -> Endpoint | None:
    """Return an endpoint with its counts, both of one moment; O(in flight)."""
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    db.execute("BEGIN")
    try:
        row = cursor.execute(_GET, (endpoint_id, project_id)).fetchone()
        if row is None:
            return None
        delivering = waiting_seqs(db, in_flight, endpoint_no=row["no"])
    finally:
        db.execute("ROLLBACK")
    return msgspec.structs.replace(
        _endpoint(row, project_id),
        counts=_counts(row, list(delivering.values()), paused=row["paused_at_ms"] is not None),
    )


def list_endpoints(
    db: sqlite3.Connection, project_id: str, *, limit: int, before_no: int | None
) -> tuple[list[Endpoint], int | None]:
    """Return a page of endpoints, newest first, and the position to go on from."""
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    before = _NO_MAX if before_no is None else before_no
    rows = cursor.execute(_LIST, (project_id, before, limit + 1)).fetchall()
    page = rows[:limit]
    more = rows[limit:]
    return [_endpoint(row, project_id) for row in page], page[-1]["no"] if more else None


def _endpoint(row: sqlite3.Row, project_id: str) -> Endpoint:
    paused_at_ms, reason = row["paused_at_ms"], row["pause_reason"]
    return Endpoint(
        id=row["id"],
        project_id=project_id,
        config=config_of(row),
        paused_at=None if paused_at_ms is None else from_ms(paused_at_ms),
        pause_reason=None if reason is None else PauseReason(reason),
        created_at=from_ms(row["created_at_ms"]),
        updated_at=from_ms(row["updated_at_ms"]),
    )


def _counts(row: sqlite3.Row, delivering: list[str], *, paused: bool) -> EndpointCounts:
    queued = row["queued_count"] - delivering.count("queued")
    pending_retry = row["pending_retry_count"] - delivering.count("pending_retry")
    return EndpointCounts(
        queued=0 if paused else queued,
        delivering=len(delivering),
        pending_retry=0 if paused else pending_retry,
        paused=queued + pending_retry if paused else 0,
        failed_permanent=row["failed_count"],
    )
