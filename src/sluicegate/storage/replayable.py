"""Which messages a bulk replay means, and whose messages are."""

import sqlite3
from collections.abc import Collection, Sequence

import msgspec

from sluicegate.engine.operations import REPLAYS_MAX
from sluicegate.storage.rows import id_blob, id_text, in_flight_seqs

__all__ = ["failed_sql", "find_endpoints", "select_failed", "select_slow_retries", "slow_sql"]

_FIND = """
SELECT e.id FROM messages m JOIN endpoints e ON e.no = m.endpoint_no
WHERE m.id = ? AND m.project_no = (SELECT no FROM projects WHERE id = ?)
"""
# Endpoint by endpoint: what they count leads to those that have any, and within one the order of
# acceptance is that of an index.
_SELECT = """
SELECT m.id, e.id
FROM {endpoints}
CROSS JOIN messages m INDEXED BY {index} ON m.endpoint_no = e.no
WHERE e.project_no = (SELECT no FROM projects WHERE id = :project_id)
    AND e.deleted_at_ms IS NULL AND {condition}
LIMIT :limit
"""
_ONE = "(SELECT * FROM endpoints WHERE id = :endpoint_id) e"
_COUNTED = (
    "(SELECT endpoint_no FROM endpoint_loads WHERE {count} > 0 ORDER BY endpoint_no) l"
    " CROSS JOIN endpoints e ON e.no = l.endpoint_no"
)
_FAILED = """m.status = 'failed_permanent' AND m.payload_removed_at_ms IS NULL
    AND m.replay_count < :replays_max"""
_SLOW = """m.status = 'pending_retry' AND m.retry_type = 'slow' AND e.paused_at_ms IS NULL
    AND m.seq NOT IN (SELECT value FROM json_each(:in_flight))"""


def failed_sql(*, of_endpoint: bool) -> str:
    """Return the SQL that finds failed messages which can be replayed."""
    endpoints = _ONE if of_endpoint else _COUNTED.format(count="failed_count")
    return _SELECT.format(endpoints=endpoints, index="messages_replayable", condition=_FAILED)


def slow_sql(*, of_endpoint: bool) -> str:
    """Return the SQL that finds messages which wait on a slow retry."""
    endpoints = _ONE if of_endpoint else _COUNTED.format(count="pending_retry_count")
    return _SELECT.format(endpoints=endpoints, index="messages_retry_in_order", condition=_SLOW)


def find_endpoints(
    db: sqlite3.Connection, project_id: str, message_ids: Sequence[str]
) -> dict[str, str]:
    """Return message id → endpoint id for those that the project has."""
    found: dict[str, str] = {}
    for message_id in message_ids:
        row = db.execute(_FIND, (id_blob(message_id), project_id)).fetchone()
        if row is not None:
            found[message_id] = row[0]
    return found


def select_failed(
    db: sqlite3.Connection, project_id: str, *, endpoint_id: str | None, limit: int
) -> list[tuple[str, str]]:
    """Return message id and endpoint id of failed messages that a counted replay may begin anew.

    Endpoint by endpoint, in the order of acceptance within each.
    """
    values = {
        "project_id": project_id,
        "endpoint_id": endpoint_id,
        "replays_max": REPLAYS_MAX,
        "limit": limit,
    }
    rows = db.execute(failed_sql(of_endpoint=endpoint_id is not None), values)
    return [(id_text(blob), owner) for blob, owner in rows]


def select_slow_retries(
    db: sqlite3.Connection,
    project_id: str,
    *,
    endpoint_id: str | None,
    in_flight: Collection[str],
    limit: int,
) -> list[tuple[str, str]]:
    """Return message id and endpoint id of what waits on a slow retry, in the same order.

    Neither what is held nor what is in flight.
    """
    values = {
        "project_id": project_id,
        "endpoint_id": endpoint_id,
        "in_flight": msgspec.json.encode(in_flight_seqs(db, in_flight)).decode(),
        "limit": limit,
    }
    rows = db.execute(slow_sql(of_endpoint=endpoint_id is not None), values)
    return [(id_text(blob), owner) for blob, owner in rows]
