"""Recounting activity from the messages and attempts, and comparing it with what was counted."""

import sqlite3
from datetime import datetime

import msgspec

from sluicegate.engine.metrics_windows import MINUTE_MS, WIDEST_MINUTES, packed_start
from sluicegate.engine.moments import from_ms

__all__ = ["Miscount", "activity_miscounts"]

# What is stored is taken away from what is recounted: what is left should be nothing. The table is
# SQLite's own temporary one, in a file when it grows, so memory stays flat.
_BALANCE = """
CREATE TEMP TABLE balance (
    minute INTEGER, project_no INTEGER, endpoint_no INTEGER, accepted INTEGER, succeeded INTEGER,
    failed INTEGER, retried INTEGER, answered INTEGER, latency_ms INTEGER,
    PRIMARY KEY (minute, project_no, endpoint_no)
) WITHOUT ROWID
"""
_ADD = """
ON CONFLICT DO UPDATE SET accepted = accepted + excluded.accepted,
    succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed,
    retried = retried + excluded.retried, answered = answered + excluded.answered,
    latency_ms = latency_ms + excluded.latency_ms
"""
_MESSAGES = f"""
INSERT INTO balance
SELECT packed(accepted_at_ms / 60000), project_no, endpoint_no, 1, 0, 0, 0, 0, 0
FROM messages WHERE accepted_at_ms / 60000 >= :since {_ADD}
"""  # noqa: S608 - a constant; values are parameters
_ATTEMPTS = f"""
INSERT INTO balance
SELECT packed((a.started_at_ms + a.processing_ms) / 60000), m.project_no, m.endpoint_no, 0,
    a.retry_type IS NULL AND coalesce(a.response_status BETWEEN 200 AND 299, 0),
    a.retry_type IS NULL AND NOT coalesce(a.response_status BETWEEN 200 AND 299, 0),
    a.retry_type IS NOT NULL, a.response_latency_ms IS NOT NULL, coalesce(a.response_latency_ms, 0)
FROM attempts a CROSS JOIN messages m ON m.seq = a.seq
WHERE (a.started_at_ms + a.processing_ms) / 60000 >= :since {_ADD}
"""  # noqa: S608 - a constant; values are parameters
_PROJECTS = """
INSERT INTO balance
SELECT minute, project_no, 0, sum(accepted), sum(succeeded), sum(failed), sum(retried),
    sum(answered), sum(latency_ms)
FROM balance GROUP BY minute, project_no
"""
_STORED = f"""
INSERT INTO balance
SELECT packed(minute), project_no, endpoint_no, -accepted, -succeeded, -failed, -retried,
    -answered, -latency_ms
FROM activity WHERE minute >= :since {_ADD}
"""  # noqa: S608 - a constant; values are parameters
_DIFFERENCES = """
SELECT b.minute, p.id, e.id, accepted, succeeded, failed, retried, answered, latency_ms
FROM balance b
LEFT JOIN projects p ON p.no = b.project_no
LEFT JOIN endpoints e ON e.no = b.endpoint_no
WHERE (accepted, succeeded, failed, retried, answered, latency_ms) <> (0, 0, 0, 0, 0, 0)
ORDER BY b.minute, b.project_no, b.endpoint_no LIMIT :limit
"""
# By what is counted by time, which was compared with the messages before.
_MONTHS = """
SELECT CAST(strftime('%s', month || '-01') AS INTEGER) / 60, p.id, NULL,
    sum(accepted) AS month_accepted
FROM (
    SELECT project_no, strftime('%Y-%m', minute * 60, 'unixepoch') AS month, accepted
    FROM activity WHERE endpoint_no = 0
    UNION ALL
    SELECT project_no, month, -accepted FROM usage_months
) LEFT JOIN projects p ON p.no = project_no
WHERE month > strftime('%Y-%m', :since * 60, 'unixepoch')
GROUP BY project_no, month HAVING month_accepted <> 0
ORDER BY month, project_no LIMIT :limit
"""
_COUNTS = ("accepted", "succeeded", "failed", "retried", "answered", "latency_ms")


class Miscount(msgspec.Struct, frozen=True, kw_only=True):
    """Counts that are not what their messages and attempts come to."""

    since: datetime
    """With which the miscounted minute, longer stretch, or month begins."""
    project_id: str | None
    """`None`: there is no such project."""
    endpoint_id: str | None
    """`None`: it is the count of the whole project, or of no endpoint that exists."""
    off: dict[str, int]
    """Which counts are wrong → how many more there should be; `month_accepted` is a month's."""


def activity_miscounts(
    db: sqlite3.Connection, *, now_minute: int, since_minute: int = 0, limit: int = 100
) -> list[Miscount]:
    """Recount activity, and return up to `limit` counts that are wrong, the oldest first.

    Reads every message and attempt, as of one moment; deliveries may go on meanwhile. For tests
    and for an operator's check, never on the way of a message. Months are compared from the first
    one after `since_minute` on.

    Args:
        db: a connection in autocommit mode that may make temporary tables; the file may be open
            read-only.
        now_minute: not before the moment when counts were packed last.
        since_minute: what happened before is not compared: its messages may be removed already.
        limit: at least 1.
    """
    values = {"since": since_minute + -since_minute % WIDEST_MINUTES, "limit": limit}
    db.create_function(
        "packed", 1, lambda minute: packed_start(minute, now_minute), deterministic=True
    )
    db.execute("BEGIN")
    try:
        db.execute(_BALANCE)
        for sql in (_MESSAGES, _ATTEMPTS, _PROJECTS, _STORED):
            db.execute(sql, values)
        rows = db.execute(_DIFFERENCES, values).fetchall()
        months = db.execute(_MONTHS, values).fetchall()
    finally:
        db.execute("ROLLBACK")
    found = [_miscount(row, _COUNTS) for row in rows]
    found += [_miscount(row, ("month_accepted",)) for row in months]
    return found[:limit]


def _miscount(
    row: tuple[int, str | None, str | None, *tuple[int, ...]], names: tuple[str, ...]
) -> Miscount:
    minute, project_id, endpoint_id, *off = row
    return Miscount(
        since=from_ms(minute * MINUTE_MS),
        project_id=project_id,
        endpoint_id=endpoint_id,
        off={name: count for name, count in zip(names, off, strict=True) if count},
    )
