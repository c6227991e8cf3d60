"""Sums of everything stored, on SQLite."""

import sqlite3

from sluicegate.engine.model import PauseReason
from sluicegate.engine.ports import Overview
from sluicegate.storage.access import Access

__all__ = ["OVERVIEW_QUERIES", "SqliteOverviewStorage", "read_overview"]

_LOADS = """
SELECT coalesce(sum(queued_count), 0), coalesce(sum(pending_retry_count), 0),
    coalesce(sum(failed_count), 0)
FROM endpoint_loads
"""
_ENDPOINTS = "SELECT count(*) FROM endpoints WHERE deleted_at_ms IS NULL"
_PAUSED = """
SELECT e.pause_reason, count(*), sum(l.queued_count), sum(l.pending_retry_count)
FROM endpoints e INDEXED BY endpoints_paused
CROSS JOIN endpoint_loads l ON l.endpoint_no = e.no
WHERE e.paused_at_ms IS NOT NULL AND e.deleted_at_ms IS NULL
GROUP BY e.pause_reason
"""
_CIRCUITS = """
SELECT count(*) FROM endpoint_loads l CROSS JOIN endpoints e ON e.no = l.endpoint_no
WHERE l.consecutive_failures >= :circuit_failures AND :circuit_failures > 0
    AND e.paused_at_ms IS NULL AND e.deleted_at_ms IS NULL
"""
# A replay queues a message anew, so it waits since its last change, not since its acceptance.
_QUEUED_SINCE = """
SELECT min(m.updated_at_ms)
FROM endpoint_loads l
CROSS JOIN endpoints e ON e.no = l.endpoint_no
CROSS JOIN messages m ON m.seq = (
    SELECT seq FROM messages WHERE endpoint_no = l.endpoint_no AND status = 'queued'
    ORDER BY seq LIMIT 1
)
WHERE l.queued_count > 0 AND e.paused_at_ms IS NULL AND e.deleted_at_ms IS NULL
"""
_ACCEPTED_AT = """
SELECT min(m.accepted_at_ms)
FROM projects p
CROSS JOIN (SELECT 'queued' AS status UNION ALL SELECT 'pending_retry') waiting
CROSS JOIN messages m ON m.seq = (
    SELECT seq FROM messages
    WHERE project_no = p.no AND status = waiting.status AND (deleted_at_ms IS NULL) = 1
    ORDER BY seq LIMIT 1
)
"""

OVERVIEW_QUERIES = (_LOADS, _ENDPOINTS, _PAUSED, _CIRCUITS, _QUEUED_SINCE, _ACCEPTED_AT)
"""Each walks the endpoints' counts, or an index; none walks the messages."""


class SqliteOverviewStorage(Access):
    """Implements `sluicegate.engine.ports.overview_storage.OverviewStorage`."""

    async def overview(self, *, circuit_failures: int) -> Overview:
        """Sum up everything, on a connection that clients' reads share."""
        return await self._read.read(read_overview, circuit_failures=circuit_failures)


def read_overview(db: sqlite3.Connection, *, circuit_failures: int) -> Overview:
    """Read the sums in one snapshot."""
    db.execute("BEGIN")
    try:
        queued, pending_retry, failed = db.execute(_LOADS).fetchone()
        (endpoints,) = db.execute(_ENDPOINTS).fetchone()
        paused = db.execute(_PAUSED).fetchall()
        (circuits,) = db.execute(_CIRCUITS, {"circuit_failures": circuit_failures}).fetchone()
        (queued_since_ms,) = db.execute(_QUEUED_SINCE).fetchone()
        (accepted_at_ms,) = db.execute(_ACCEPTED_AT).fetchone()
    finally:
        db.execute("ROLLBACK")
    held_queued = sum(row[2] for row in paused)
    held_retries = sum(row[3] for row in paused)
    by_reason = {row[0]: row[1] for row in paused}
    return Overview(
        queued=queued - held_queued,
        pending_retry=pending_retry - held_retries,
        held=held_queued + held_retries,
        failed=failed,
        active=endpoints - sum(by_reason.values()),
        paused={reason.value: by_reason.get(reason.value, 0) for reason in PauseReason},
        circuits_open=circuits,
        queued_since_ms=queued_since_ms,
        accepted_at_ms=accepted_at_ms,
    )
