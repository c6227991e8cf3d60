"""What the engine's insides and the database say at the end of a run."""

import gc
import sqlite3
from collections import Counter
from contextlib import closing

from sluicegate.actors.endpoint import EndpointActor
from sluicegate.app import Engine
from sluicegate.storage.audit import miscounts

__all__ = ["inspect_actors", "inspect_file"]

_CHECKS = (
    (
        "a waiting message has no payload",
        (
            "SELECT count(*) FROM messages m LEFT JOIN payloads p ON p.seq = m.seq"
            " WHERE m.status IN ('queued', 'pending_retry') AND p.seq IS NULL"
        ),
    ),
    (
        "a message waits on a deleted endpoint",
        (
            "SELECT count(*) FROM messages m JOIN endpoints e ON e.no = m.endpoint_no"
            " WHERE m.status IN ('queued', 'pending_retry') AND e.deleted_at_ms IS NOT NULL"
        ),
    ),
    (
        "attempts are not numbered from 1 without a gap",
        (
            "SELECT count(*) FROM (SELECT seq FROM attempts GROUP BY seq"
            " HAVING max(attempt_no) <> count(*) OR min(attempt_no) <> 1)"
        ),
    ),
    (
        "a message's attempt count is not that of its attempts",
        (
            "SELECT count(*) FROM messages m WHERE m.attempt_count <>"
            " (SELECT count(*) FROM attempts a WHERE a.seq = m.seq)"
        ),
    ),
    (
        "one idempotency key has two messages",
        (
            "SELECT count(*) FROM (SELECT 1 FROM messages WHERE idempotency_key IS NOT NULL"
            " AND deleted_at_ms IS NULL GROUP BY endpoint_no, idempotency_key HAVING count(*) > 1)"
        ),
    ),
    (
        "an endpoint has no signing key, or more than two",
        (
            "SELECT count(*) FROM endpoints e WHERE (SELECT count(*) FROM signing_keys k"
            " WHERE k.endpoint_no = e.no) NOT BETWEEN 1 AND 2"
        ),
    ),
)


def inspect_actors(engine: Engine) -> list[str]:
    """Return which endpoints have more than one actor that lives; none, if all is well."""
    alive = [
        each.endpoint_id
        for each in gc.get_objects()
        if type(each) is EndpointActor
        and each._parts.clock is engine.clock  # noqa: SLF001 - whose process it is
        and not each.actor_stopped.is_set()
    ]
    return [f"{name} has {n} actors" for name, n in sorted(Counter(alive).items()) if n > 1]


def inspect_file(path: str) -> list[str]:
    """Return what is wrong with a database that no process uses; nothing if all is well."""
    with closing(sqlite3.connect(path)) as db:
        wrong = [f"{text}: {count}" for text, sql in _CHECKS if (count := _count(db, sql))]
        wrong += [f"miscounted: {each}" for each in miscounts(db)]
        (verdict,) = db.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            wrong.append(f"integrity: {verdict}")
        if db.execute("PRAGMA foreign_key_check").fetchone() is not None:
            wrong.append("a row refers to one that is not there")
    return wrong


def _count(db: sqlite3.Connection, sql: str) -> int:
    (count,) = db.execute(sql).fetchone()
    return int(count)
