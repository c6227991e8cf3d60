"""Which messages a listing or a bulk operation means: by endpoint, derived status and time.

Messages are found by `seq`, newest first, from an index for each stored status that can be seen as
the one asked for, merged in order. No selection walks past rows in numbers that it does not
return: deleted messages and others stand in ranges of their own, and what waits on few endpoints
is read from those endpoints' own indexes.
"""

import heapq
import sqlite3
from collections.abc import Collection, Iterator
from itertools import islice

import msgspec

from sluicegate.engine.lifecycle import STORED, WAITING, MessageStatus
from sluicegate.engine.ports import LogQuery
from sluicegate.storage.rows import in_flight_seqs

__all__ = ["find_seqs", "seqs_sql"]

_SEQ_MAX = 2**63 - 1
_MS_MAX = 2**53
_MINUTE_MS = 60_000
_MERGED_MAX = 1000
"""From how many endpoints what waits is merged; from more it is filtered out of the project's."""

_FLYING = "m.seq IN (SELECT value FROM json_each(:in_flight))"
_GROUNDED = "m.seq NOT IN (SELECT value FROM json_each(:in_flight))"
_UNPAUSED = f"e.deleted_at_ms IS NULL AND e.paused_at_ms IS NULL AND {_GROUNDED}"
_PAUSED = f"e.deleted_at_ms IS NULL AND e.paused_at_ms IS NOT NULL AND {_GROUNDED}"
_ORPHANED = f"e.deleted_at_ms IS NOT NULL AND {_GROUNDED}"

_S = MessageStatus
_Part = tuple[MessageStatus, bool]
"""A stored status, and whether of deleted messages."""

_FINISHED_PARTS: dict[_Part, str] = {
    (stored, deleted): "" for stored in STORED if stored not in WAITING for deleted in (False, True)
}

_BRANCHES: dict[MessageStatus | None, dict[_Part, str]] = {
    None: {**{(stored, False): "" for stored in WAITING}, **_FINISHED_PARTS},
    _S.QUEUED: {(_S.QUEUED, False): _UNPAUSED},
    _S.PENDING_RETRY: {(_S.PENDING_RETRY, False): _UNPAUSED},
    _S.DELIVERING: {
        **{(stored, False): _FLYING for stored in WAITING},
        (_S.FAILED_PERMANENT, True): _FLYING,  # deleted during the attempt
    },
    _S.PAUSED: {(stored, False): _PAUSED for stored in WAITING},
    _S.SUCCEEDED: {(_S.SUCCEEDED, False): "", (_S.SUCCEEDED, True): ""},
    _S.FAILED_PERMANENT: {
        (_S.FAILED_PERMANENT, False): "",
        (_S.FAILED_PERMANENT, True): _GROUNDED,
        **{(stored, False): _ORPHANED for stored in WAITING},
    },
}
"""Status as seen → parts that it may come from, and what must hold besides."""

_WAITED = {_S.QUEUED, _S.PENDING_RETRY, _S.PAUSED}
"""What only messages read that wait."""

_OF_ENDPOINT = {
    _S.QUEUED: "messages_queued",
    _S.PENDING_RETRY: "messages_retry_in_order",
    _S.SUCCEEDED: "messages_finished",
    _S.FAILED_PERMANENT: "messages_finished",
}

_WITH_WAITING = """
SELECT e.no FROM endpoint_loads l CROSS JOIN endpoints e ON e.no = l.endpoint_no
WHERE e.project_no = ? AND e.deleted_at_ms IS NULL AND (e.paused_at_ms IS NOT NULL) = ?
    AND (l.queued_count > 0 OR l.pending_retry_count > 0)
LIMIT ?
"""
_PAUSED_WITH_WAITING = """
SELECT e.no FROM endpoints e INDEXED BY endpoints_paused
CROSS JOIN endpoint_loads l ON l.endpoint_no = e.no
WHERE e.project_no = ? AND e.deleted_at_ms IS NULL AND (e.paused_at_ms IS NOT NULL) = ?
    AND e.paused_at_ms IS NOT NULL AND (l.queued_count > 0 OR l.pending_retry_count > 0)
LIMIT ?
"""


class _Owner(msgspec.Struct, frozen=True):
    """Whose messages are meant."""

    project_no: int
    no: int
    """The endpoint's; 0 for all of the project's."""
    orphans: bool
    """Some of them may wait on a deleted endpoint."""


def seqs_sql(query: LogQuery, *, orphans: bool = True) -> str:
    """Return SQL that finds messages; only the shape of `query` matters, values are parameters.

    Args:
        query: what is meant.
        orphans: there may be messages that wait on a deleted endpoint.
    """
    branches = [
        _branch(query, part, condition)
        for part, condition in _BRANCHES[query.status].items()
        if (orphans or condition != _ORPHANED) and query.deleted in (None, part[1])
    ]
    return f"{' UNION ALL '.join(branches)} ORDER BY seq DESC LIMIT :limit"


def _branch(query: LogQuery, part: _Part, condition: str) -> str:
    """Return the SELECT of the `seq` of one part's messages."""
    stored, deleted = part
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
    by_deletion = not (stored in WAITING and "messages_by_status" not in source)
    parts = [
        f"SELECT m.seq AS seq FROM {source}",  # noqa: S608 - constants; values are parameters
        join,
        f"WHERE {owner} AND m.status = '{stored}' AND m.seq BETWEEN :seq_first AND :seq_last",
        f"AND (m.deleted_at_ms IS NULL) = {int(not deleted)}" if by_deletion else "",
        f"AND {condition}" if condition else "",
        _moments(query),
    ]
    return " ".join(part for part in parts if part)


def _moments(query: LogQuery) -> str:
    first = "AND m.accepted_at_ms >= :start_at_ms" if query.start_at_ms is not None else ""
    last = "AND m.accepted_at_ms < :end_at_ms" if query.end_at_ms is not None else ""
    return f"{first} {last}".strip()


def find_seqs(
    db: sqlite3.Connection, query: LogQuery, *, in_flight: Collection[str], limit: int
) -> list[int]:
    """Return the `seq` of up to `limit` messages, newest first. Run it inside a transaction."""
    owner = _owner(db, query)
    span = _seq_span(db, query)
    if owner is None or span is None or (query.deleted and query.status in _WAITED):
        return []  # what is deleted does not wait
    flying = [] if query.status is None else list(in_flight_seqs(db, in_flight))
    values = {
        "project_no": owner.project_no,
        "no": owner.no,
        "seq_first": span[0],
        "seq_last": span[1],
        "in_flight": msgspec.json.encode(flying).decode(),
        "start_at_ms": query.start_at_ms,
        "end_at_ms": query.end_at_ms,
        "limit": limit,
    }
    if owner.no == 0 and query.status in _WAITED:
        endpoints = _waited_on(db, owner.project_no, paused=query.status is _S.PAUSED)
        if len(endpoints) <= _MERGED_MAX:
            aloft = frozenset(flying)
            merged = _merged(db, query, endpoints, values)
            return list(islice((seq for seq in merged if seq not in aloft), limit))
    return [seq for (seq,) in db.execute(seqs_sql(query, orphans=owner.orphans), values)]


def _waited_on(db: sqlite3.Connection, project_no: int, *, paused: bool) -> list[int]:
    """Return the endpoints, paused or not, that messages wait on; at most one more than merged."""
    sql = _PAUSED_WITH_WAITING if paused else _WITH_WAITING
    return [no for (no,) in db.execute(sql, (project_no, int(paused), _MERGED_MAX + 1))]


def _merged(
    db: sqlite3.Connection, query: LogQuery, endpoints: list[int], values: dict[str, object]
) -> Iterator[int]:
    """Merge what waits on some endpoints, newest first, reading no further than is taken."""
    statuses = WAITING if query.status is _S.PAUSED else (query.status or _S.QUEUED,)
    return heapq.merge(
        *(
            _waiting_on(db, query, status, {**values, "no": no})
            for no in endpoints
            for status in statuses
        ),
        reverse=True,
    )


def _waiting_on(
    db: sqlite3.Connection, query: LogQuery, stored: MessageStatus, values: dict[str, object]
) -> Iterator[int]:
    sql = (
        f"SELECT m.seq FROM messages m INDEXED BY {_OF_ENDPOINT[stored]}"  # noqa: S608 - constants
        f" WHERE m.endpoint_no = :no AND m.status = '{stored}'"
        f" AND m.seq BETWEEN :seq_first AND :seq_last {_moments(query)} ORDER BY m.seq DESC"
    )
    return (seq for (seq,) in db.execute(sql, values))


def _owner(db: sqlite3.Connection, query: LogQuery) -> _Owner | None:
    """Return whose messages are meant; `None` when there can be none.

    A long backlog that cannot match is not walked through.
    """
    if query.endpoint_id is None:
        row = db.execute("SELECT no FROM projects WHERE id = ?", (query.project_id,)).fetchone()
        return None if row is None else _Owner(row[0], 0, orphans=True)
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


def _seq_span(db: sqlite3.Connection, query: LogQuery) -> tuple[int, int] | None:
    """Return the first and last `seq` that may be meant; `None` when there is none."""
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
