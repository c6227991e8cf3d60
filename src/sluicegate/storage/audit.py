"""Comparing what is counted with what is there."""

import sqlite3

__all__ = ["miscounts"]

_MISCOUNTS = """
SELECT e.id, l.queued_count, l.pending_retry_count, l.failed_count,
    count(*) FILTER (WHERE m.status = 'queued') AS queued,
    count(*) FILTER (WHERE m.status = 'pending_retry') AS pending_retry,
    count(*) FILTER (WHERE m.status = 'failed_permanent' AND m.deleted_at_ms IS NULL) AS failed
FROM endpoints e
JOIN endpoint_loads l ON l.endpoint_no = e.no
LEFT JOIN messages m ON m.endpoint_no = e.no
GROUP BY e.no
HAVING (l.queued_count, l.pending_retry_count, l.failed_count)
    <> (queued, pending_retry, failed)
"""


def miscounts(db: sqlite3.Connection) -> list[tuple[str, int, int, int, int, int, int]]:
    """Recount every endpoint's messages; return those endpoints whose stored counts are wrong.

    Reads every message: for tests and for an operator's check, never on the way of a message.

    Returns:
        Endpoint id; queued, pending retry and failed as stored; the same three as recounted.
    """
    return db.execute(_MISCOUNTS).fetchall()
