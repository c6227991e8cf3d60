"""The log: messages newest first, by endpoint, derived status and time.

A page is found in two steps: the `seq` of its messages, from an index for each stored status that
can be seen as the one asked for, merged in order; then their rows.
"""

import sqlite3
from collections.abc import Collection

import msgspec

from sluicegate.engine.lifecycle import STORED, WAITING, MessageStatus
from sluicegate.engine.model import LogEntry
from sluicegate.engine.moments import from_ms
from sluicegate.engine.ports import LogQuery
from sluicegate.storage.message_reads import derived, moment
from sluicegate.storage.rows import id_text, waiting_seqs

__all__ = ["list_logs", "log_sql"]

_SEQ_MAX = 2**63 - 1
_MS_MAX = 2**53
_MINUTE_MS = 60_000

_FLYING = "m.seq IN (SELECT value FROM json_each(:in_flight))"
_GROUNDED = "m.seq NOT IN (SELECT value FROM json_each(:in_flight))"
_UNPAUSED = f"e.deleted_at_ms IS NULL AND e.paused_at_ms IS NULL AND {_GROUNDED}"
_PAUSED = f"e.deleted_at_ms IS NULL AND e.paused_at_ms IS NOT NULL AND {_GROUNDED}"
_ORPHANED = f"e.deleted_at_ms IS NOT NULL AND {_GROUNDED}"

_S = MessageStatus

_BRANCHES: dict[MessageStatus | None, dict[MessageStatus, str]] = {
    None: dict.fromkeys(STORED, ""),
    _S.QUEUED: {_S.QUEUED: _UNPAUSED},
    _S.PENDING_RETRY: {_S.PENDING_RETRY: _UNPAUSED},
    _S.DELIVERING: dict.fromkeys(WAITING, _FLYING),
    _S.PAUSED: dict.fromkeys(WAITING, _PAUSED),
    _S.SUCCEEDED: {_S.SUCCEEDED: ""},
    _S.FAILED_PERMANENT: {_S.FAILED_PERMANENT: "", **dict.fromkeys(WAITING, _ORPHANED)},
}
"""Status as seen → stored statuses it may come from, and what must hold besides."""

_OF_ENDPOINT = {
    _S.QUEUED: "messages_queued",
    _S.PENDING_RETRY: "messages_retry_in_order",
    _S.SUCCEEDED: "messages_finished",
    _S.FAILED_PERMANENT: "messages_finished",
}

_PAGE = """
SELECT m.*, e.url, e.paused_at_ms, e.deleted_at_ms AS endpoint_deleted_at_ms
FROM ({seqs} ORDER BY seq DESC LIMIT :limit) found
CROSS JOIN messages m ON m.seq = found.seq
CROSS JOIN endpoints e ON e.no = m.endpoint_no
ORDER BY found.seq DESC
"""


def log_sql(query: LogQuery, *, orphans: bool = True) -> str:
    """Return the SQL of a page; only the shape of `query` matters, its values are parameters.

    Args:
        query: what the page holds.
        orphans: there may be messages that wait on a deleted endpoint.
    """
    branches = [
        _branch(query, stored, condition)
        for stored, condition in _BRANCHES[query.status].items()
        if orphans or condition != _ORPHANED
    ]
    return _PAGE.format(seqs=" UNION ALL ".join(branches))


def _branch(query: LogQuery, stored: MessageStatus, condition: str) -> str:
    """Return the SELECT of the `seq` of messages with one stored status."""
    if query.endpoint_id is not None:
        source = f"messages m INDEXED BY {_OF_ENDPOINT[stored]}"
        owner = "m.endpoint_no = :no"
    else:
        source = "messages m INDEXED BY messages_by_status"
        owner = "m.project_no = :project_no"
    if condition == _FLYING:
        source = "messages m NOT INDEXED"
    join = "CROSS JOIN endpoints e ON e.no = m.endpoint_no" if "e." in condition else ""
    if condition == _ORPHANED and query.endpoint_id is None:
        # There are few deleted endpoints with waiting messages, and many waiting messages.
        source = "endpoints e INDEXED BY endpoints_deleted"
        join = f"CROSS JOIN messages m INDEXED BY {_OF_ENDPOINT[stored]} ON m.endpoint_no = e.no"
        owner = "e.project_no = :project_no"
    parts = [
        f"SELECT m.seq AS seq FROM {source}",  # noqa: S608 - constants; values are parameters
        join,
        f"WHERE {owner} AND m.status = '{stored}' AND m.seq BETWEEN :seq_first AND :seq_last",
        f"AND {condition}" if condition else "",
        "AND m.accepted_at_ms >= :start_at_ms" if query.start_at_ms is not None else "",
        "AND m.accepted_at_ms < :end_at_ms" if query.end_at_ms is not None else "",
    ]
    return " ".join(part for part in parts if part)


class _Owner(msgspec.Struct, frozen=True):
    """Whose messages a page lists."""

    project_no: int
    no: int
    """The endpoint's; 0 for all of the project's."""
    orphans: bool
    """Some of them may wait on a deleted endpoint."""


def list_logs(
    db: sqlite3.Connection, query: LogQuery, *, in_flight: Collection[str]
) -> tuple[list[LogEntry], int | None]:
    """Return a page of the log and, if there are more, the `seq` to go on before."""
    db.execute("BEGIN")
    try:
        rows = _rows(db, query, in_flight=in_flight)
    finally:
        db.execute("ROLLBACK")
    page = rows[: query.limit]
    more = len(rows) > query.limit
    return [_entry(row, in_flight=in_flight) for row in page], page[-1]["seq"] if more else None


def _rows(
    db: sqlite3.Connection, query: LogQuery, *, in_flight: Collection[str]
) -> list[sqlite3.Row]:
    owner = _owner(db, query)
    seqs = _seq_span(db, query)
    if owner is None or seqs is None:
        return []
    flying = [] if query.status is None else list(waiting_seqs(db, in_flight))
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(
        log_sql(query, orphans=owner.orphans),
        {
            "project_no": owner.project_no,
            "no": owner.no,
            "seq_first": seqs[0],
            "seq_last": seqs[1],
            "in_flight": msgspec.json.encode(flying).decode(),
            "start_at_ms": query.start_at_ms,
            "end_at_ms": query.end_at_ms,
            "limit": query.limit + 1,
        },
    ).fetchall()


def _owner(db: sqlite3.Connection, query: LogQuery) -> _Owner | None:
    """Return whose messages to list; `None` when there can be none.

    A long backlog that cannot match is not walked through.
    """
    if query.endpoint_id is None:
        row = db.execute("SELECT no FROM projects WHERE id = ?", (query.project_id,)).fetchone()
        if row is None or (query.status is MessageStatus.PAUSED and not _has_paused(db, row[0])):
            return None
        return _Owner(row[0], 0, orphans=True)
    row = db.execute(
        "SELECT e.no, e.project_no, e.paused_at_ms, e.deleted_at_ms FROM endpoints e"
        " JOIN projects p ON p.no = e.project_no WHERE e.id = ? AND p.id = ?",
        (query.endpoint_id, query.project_id),
    ).fetchone()
    if row is None:
        return None
    no, project_no, paused_at_ms, deleted_at_ms = row
    paused, deleted = paused_at_ms is not None, deleted_at_ms is not None
    if query.status is MessageStatus.PAUSED and (deleted or not paused):
        return None
    if query.status in {MessageStatus.QUEUED, MessageStatus.PENDING_RETRY} and (deleted or paused):
        return None
    return _Owner(project_no, no, orphans=deleted)


def _has_paused(db: sqlite3.Connection, project_no: int) -> bool:
    row = db.execute(
        "SELECT 1 FROM endpoints WHERE project_no = ? AND paused_at_ms IS NOT NULL LIMIT 1",
        (project_no,),
    ).fetchone()
    return row is not None


def _seq_span(db: sqlite3.Connection, query: LogQuery) -> tuple[int, int] | None:
    """Return the first and last `seq` that the page may hold; `None` when there is none."""
    last = _SEQ_MAX if query.before_seq is None else min(query.before_seq - 1, _SEQ_MAX)
    if query.start_at_ms is None and query.end_at_ms is None:
        return 0, last
    start_at_ms = 0 if query.start_at_ms is None else query.start_at_ms
    end_at_ms = _MS_MAX if query.end_at_ms is None else query.end_at_ms
    lowest, highest = db.execute(
        "SELECT min(seq_first), max(seq_last) FROM accepted_minutes WHERE minute BETWEEN ? AND ?",
        (start_at_ms // _MINUTE_MS, (end_at_ms - 1) // _MINUTE_MS),
    ).fetchone()
    return None if lowest is None else (lowest, min(highest, last))


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
