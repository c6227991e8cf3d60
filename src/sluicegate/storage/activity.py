"""What was accepted and attempted, by time: reading the counts."""

import sqlite3

from sluicegate.engine.ports import ActivityCounts, UsageMonth

__all__ = ["ACTIVITY", "STORED_MINUTES", "get_activity", "list_usage_months", "month_usage"]

STORED_MINUTES = """
WITH RECURSIVE stored (minute) AS (
    SELECT min(minute) FROM activity WHERE minute >= :first
    UNION ALL
    SELECT (SELECT min(minute) FROM activity a WHERE a.minute > stored.minute)
    FROM stored WHERE stored.minute < :end
)
"""
"""Goes from each minute that has rows to the next one: some hundreds once they are packed, however
many endpoints there are."""

ACTIVITY = f"""
{STORED_MINUTES}
SELECT (a.minute - :first) / :width, sum(a.accepted), sum(a.succeeded), sum(a.failed),
    sum(a.retried), sum(a.answered), sum(a.latency_ms)
FROM stored
CROSS JOIN activity a
    ON a.minute = stored.minute AND a.project_no = :project_no AND a.endpoint_no = :endpoint_no
WHERE stored.minute < :end
GROUP BY 1
"""  # noqa: S608 - a constant; values are parameters

_LIST_MONTHS = """
SELECT month, accepted FROM usage_months WHERE project_no = ?
ORDER BY month DESC LIMIT ? OFFSET ?
"""


def get_activity(
    db: sqlite3.Connection,
    project_id: str,
    endpoint_id: str | None,
    *,
    first_minute: int,
    width_minutes: int,
    count: int,
) -> dict[int, ActivityCounts]:
    """Return the counts of those buckets that have any, by number from 0."""
    owner = _owner(db, project_id, endpoint_id)
    if owner is None:
        return {}
    rows = db.execute(
        ACTIVITY,
        {
            "project_no": owner[0],
            "endpoint_no": owner[1],
            "first": first_minute,
            "end": first_minute + count * width_minutes,
            "width": width_minutes,
        },
    )
    return {
        bucket: ActivityCounts(
            accepted=accepted,
            succeeded=succeeded,
            failed=failed,
            retried=retried,
            answered=answered,
            latency_ms=latency_ms,
        )
        for bucket, accepted, succeeded, failed, retried, answered, latency_ms in rows
    }


def list_usage_months(
    db: sqlite3.Connection, project_id: str, *, limit: int, offset: int
) -> tuple[list[UsageMonth], int]:
    """Return months with messages, newest first, and how many there are in all."""
    db.execute("BEGIN")
    try:
        owner = _owner(db, project_id, None)
        if owner is None:
            return [], 0
        rows = db.execute(_LIST_MONTHS, (owner[0], limit, offset)).fetchall()
        (total,) = db.execute(
            "SELECT count(*) FROM usage_months WHERE project_no = ?", owner[:1]
        ).fetchone()
    finally:
        db.execute("ROLLBACK")
    return [UsageMonth(month, accepted) for month, accepted in rows], total


def month_usage(db: sqlite3.Connection, project_id: str, month: str) -> int:
    """Return how many messages were accepted in a month, as `2026-04`."""
    row = db.execute(
        "SELECT accepted FROM usage_months WHERE month = ?"
        " AND project_no = (SELECT no FROM projects WHERE id = ?)",
        (month, project_id),
    ).fetchone()
    return 0 if row is None else int(row[0])


def _owner(
    db: sqlite3.Connection, project_id: str, endpoint_id: str | None
) -> tuple[int, int] | None:
    """Return the numbers of a project and of an endpoint of it (0: all of them)."""
    if endpoint_id is None:
        found = db.execute("SELECT no, 0 FROM projects WHERE id = ?", (project_id,))
    else:
        found = db.execute(
            "SELECT p.no, e.no FROM endpoints e JOIN projects p ON p.no = e.project_no"
            " WHERE p.id = ? AND e.id = ?",
            (project_id, endpoint_id),
        )
    row: tuple[int, int] | None = found.fetchone()
    return row
