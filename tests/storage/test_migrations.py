"""Files of older versions, brought forward: they say what they said."""

import contextlib
import logging
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.storage.conftest import PROJECT

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import LogEntry, Message, PauseReason, RetryType, Verdict
from sluicegate.engine.ports import LogQuery
from sluicegate.storage import SqliteStorage, schema
from sluicegate.storage.audit import miscounts

if TYPE_CHECKING:
    from tests.storage.conftest import Place

FAILED = Verdict(status=MessageStatus.FAILED_PERMANENT, last_error="HTTP 404")
RETRYING = Verdict(
    status=MessageStatus.PENDING_RETRY, next_attempt_at_ms=1, retry_type=RetryType.SLOW
)


async def fill(place: "Place", storage: SqliteStorage) -> dict[str, str]:
    """Store messages of all kinds, on endpoints of all kinds; return their names by id."""
    plain, paused, deleted = [await place.endpoint(storage) for _ in range(3)]
    names: dict[str, str] = {}
    for endpoint in (plain, paused, deleted):
        for name, verdict, hours in (
            ("queued", None, None),
            ("retrying", RETRYING, 0),
            ("failed", FAILED, 0),
            ("delivered", Verdict(status=MessageStatus.SUCCEEDED), None),
            ("delivered, kept an hour", Verdict(status=MessageStatus.SUCCEEDED), 1),
            ("delivered, not kept", Verdict(status=MessageStatus.SUCCEEDED), 0),
        ):
            place.clock.now_ms += 30_000
            message = place.message(endpoint, idempotency_key=name[:3], retention_hours=hours)
            if name.startswith("delivered"):
                message = place.message(endpoint, retention_hours=hours)
            await storage.append([message])
            names[message.id] = name
            if verdict is None:
                continue
            waiting = await storage.load_queued(endpoint, after_seq=0, limit=9)
            [found] = [each for each in waiting if each.id == message.id]
            await storage.record_attempt(place.result(endpoint, found, verdict=verdict))
    await storage.pause(paused, reason=PauseReason.GONE, at_ms=1)
    await storage.delete_endpoint(deleted, at_ms=2)
    return names


async def told(
    storage: SqliteStorage, ids: list[str]
) -> tuple[dict[str, list[LogEntry]], list[Message | None], object, object]:
    """Return what a client can see: every listing by status, every message, what can be replayed.

    And what is to be done first.
    """
    listings = {}
    for status in (None, *MessageStatus):
        query = LogQuery(project_id=PROJECT, limit=100, status=status)
        listings[str(status)], _ = await storage.list_logs(query, in_flight=set())
    messages = [await storage.get_message(PROJECT, each, in_flight=set()) for each in ids]
    failed = await storage.select_replayable(PROJECT, endpoint_id=None, limit=100)
    slow = await storage.select_slow_retries(PROJECT, endpoint_id=None, in_flight=set(), limit=100)
    return listings, messages, (failed, slow), await storage.work()


def make_older(path: Path) -> None:
    """Turn a file into what the first version would have written of the same history."""
    older = path.with_suffix(".older")
    with contextlib.closing(sqlite3.connect(older, isolation_level=None)) as db:
        schema.migrate(db, version=0, known=schema.migrations()[:1])
        tables = [
            name
            for (name,) in db.execute(
                "SELECT name FROM sqlite_schema WHERE sql LIKE"
                " 'CREATE TABLE%' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        db.execute("ATTACH ? AS newer", (str(path),))
        for table in tables:
            columns = ", ".join(row[1] for row in db.execute(f"PRAGMA main.table_info({table})"))
            db.execute(f"DELETE FROM main.{table}")  # noqa: S608 - names of the schema
            db.execute(
                f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}"  # noqa: S608 - names of the schema
            )
    older.replace(path)


async def test_a_file_of_the_first_version_says_what_it_said(place: "Place") -> None:
    """Every message and listing; which payloads are gone is found out."""
    storage = await place.opened()
    names = await fill(place, storage)
    before = await told(storage, list(names))
    await storage.close()
    with contextlib.closing(place.raw()) as db:
        removed = db.execute("SELECT seq, payload_removed_at_ms FROM messages").fetchall()
    make_older(place.path)
    with contextlib.closing(place.raw()) as db:
        assert schema.check(db, path="x") == 1
        assert len(db.execute("SELECT * FROM messages").fetchall()) == len(names) == 18
    storage = await place.opened()
    assert await told(storage, list(names)) == before
    await storage.close()
    with contextlib.closing(place.raw()) as db:
        assert schema.check(db, path="x") == schema.migrations()[-1][0]
        found = db.execute("SELECT seq, payload_removed_at_ms FROM messages").fetchall()
        assert found == removed
        assert sum(at_ms is not None for _, at_ms in found) == 3
        assert miscounts(db) == []
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


async def test_a_full_disk_leaves_a_file_of_the_first_version_as_it_was(
    place: "Place", caplog: pytest.LogCaptureFixture
) -> None:
    """The version before can still open it; with room it is brought forward."""
    storage = await place.opened()
    await fill(place, storage)
    await storage.close()
    make_older(place.path)
    with contextlib.closing(sqlite3.connect(place.path, isolation_level=None)) as db:
        before = list(db.iterdump())
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages + 2}")  # some statements have room
        with pytest.raises(sqlite3.OperationalError, match="full"):
            schema.migrate(db, version=1)
        assert schema.check(db, path="x") == 1
        assert list(db.iterdump()) == before
        db.execute("PRAGMA max_page_count = 4294967294")
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="sluicegate"):
            schema.migrate(db, version=1)
        newest = schema.migrations()[-1][0]
        assert schema.check(db, path="x") == newest
    logged: list[Any] = [record.msg for record in caplog.records]
    [told_of] = logged
    assert told_of["event"] == "storage.migration_begun"
    assert (told_of["from_version"], told_of["to_version"]) == (1, newest)
