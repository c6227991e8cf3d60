"""Removing from the file: what a sweep costs, what meets it, and that the file gets shorter."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.operations import ReplayKind
from sluicegate.engine.ports.retention_storage import KeptFor, Removed
from sluicegate.storage import SqliteStorage, schema
from sluicegate.storage.audit import miscounts
from sluicegate.storage.bridge import call

from .test_disk_errors import Fault
from .test_disk_full import ROOM_PAGES, Disk

if TYPE_CHECKING:
    from tests.storage.conftest import Place

CHILD = Path(__file__).with_name("child_that_sweeps.py")
PROJECT = "proj_" + "1" * 32
KEPT_FOR = KeptFor(succeeded_ms=1_000, failed_ms=1_000, history_ms=2_000)
PAYLOAD = b'"' + b"x" * 8_000 + b'"'
HOUR_MS = 3_600_000

FINISH_ALL = """
UPDATE messages SET status = 'succeeded', delivered_at_ms = updated_at_ms, attempt_count = 1;
INSERT INTO attempts (seq, attempt_no, id, started_at_ms, processing_ms, conn_reused,
    response_body_truncated)
SELECT seq, 1, randomblob(16), 0, 0, 0, 0 FROM messages;
UPDATE endpoint_loads SET queued_count = 0;
"""
LEFTOVERS = """
SELECT
    (SELECT count(*) FROM payloads WHERE seq NOT IN (SELECT seq FROM messages)),
    (SELECT count(*) FROM attempts WHERE seq NOT IN (SELECT seq FROM messages)),
    (SELECT count(*) FROM messages m LEFT JOIN payloads p ON p.seq = m.seq
        WHERE (p.seq IS NULL) <> (m.payload_removed_at_ms IS NOT NULL))
"""
"""Payloads and attempts without a message; messages that tell wrongly of their payload."""


async def fill(
    place: "Place", storage: SqliteStorage, endpoint: str, count: int, **more: object
) -> None:
    """Have so many messages of 8 KB that are delivered."""
    messages = [place.message(endpoint, PAYLOAD, **more) for _ in range(count)]
    await storage.append(messages)
    await call(place.connections[0], lambda db: db.executescript(FINISH_ALL))


async def sweep(storage: SqliteStorage, at_ms: int) -> list[Removed]:
    """Remove all that is past its time; return what each piece removed."""
    done = [await storage.remove_expired(KEPT_FOR, at_ms=at_ms)]
    while (position := done[-1].position) is not None:
        done.append(await storage.remove_expired(KEPT_FOR, at_ms=at_ms, position=position))
    return done


async def release(storage: SqliteStorage) -> int:
    """Give back all the space that is to spare; return how many bytes."""
    released, more = await storage.release_space()
    while more:
        some, more = await storage.release_space()
        released += some
    return released


async def facts(place: "Place", sql: str) -> tuple[object, ...]:
    """Return the one row of a query."""

    def query(db: sqlite3.Connection) -> tuple[object, ...]:
        row: tuple[object, ...] = db.execute(sql).fetchone()
        return row

    return await call(place.connections[0], query)


async def assert_sound(place: "Place") -> None:
    """Check the file, the counts, and that what belongs together is there or gone together."""
    assert await facts(place, "PRAGMA integrity_check") == ("ok",)
    assert await call(place.connections[0], miscounts) == []
    assert await facts(place, LEFTOVERS) == (0, 0, 0)


# -- removing -----------------------------------------------------------------------------------


async def test_a_sweep_that_finds_nothing_writes_nothing(place: "Place") -> None:
    """Not even an empty transaction."""
    storage = await place.opened()
    await fill(place, storage, await place.endpoint(storage), 10)
    await release(storage)
    before = storage.commits
    await sweep(storage, place.clock.now_ms)
    await release(storage)
    assert storage.commits == before


async def test_a_minute_of_the_log_goes_with_its_last_message(place: "Place") -> None:
    """Not while one of them waits."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await fill(place, storage, endpoint, 150)
    await place.send(storage, endpoint)
    place.clock.now_ms += HOUR_MS
    await place.send(storage, endpoint)
    await sweep(storage, place.clock.now_ms)
    assert await facts(place, "SELECT count(*) FROM accepted_minutes") == (2,)
    await call(place.connections[0], lambda db: db.executescript(FINISH_ALL))
    await sweep(storage, place.clock.now_ms)
    assert await facts(place, "SELECT count(*), max(minute) FROM accepted_minutes") == (
        1,
        place.clock.now_ms // 60_000,
    )
    await assert_sound(place)


async def test_a_replay_that_comes_first_keeps_its_payload(place: "Place") -> None:
    """Also when the message was found to be past its time before: the write looks again."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await fill(place, storage, endpoint, 2)
    await call(
        place.connections[0],
        lambda db: db.executescript(
            "UPDATE messages SET status = 'failed_permanent';"
            " UPDATE endpoint_loads SET failed_count = 2"
        ),
    )
    (first,) = await facts(place, "SELECT id FROM messages WHERE seq = 1")
    assert isinstance(first, bytes)
    gate = threading.Event()
    blocked = asyncio.ensure_future(call(place.connections[0], lambda _db: gate.wait(20)))
    replayed = asyncio.ensure_future(
        storage.replay_messages(
            endpoint,
            [str(uuid.UUID(bytes=first))],
            kind=ReplayKind.COUNTED,
            in_flight=set(),
            at_ms=place.clock.now_ms,
        )
    )
    await asyncio.sleep(0)
    sweeping = asyncio.ensure_future(
        storage.remove_expired(KEPT_FOR, at_ms=place.clock.now_ms + 1_000)
    )
    try:
        # Two reads are answered in order on the thread that the sweep's read may be on.
        await asyncio.gather(*(storage.default_project() for _ in range(4)))
        assert not sweeping.done()
    finally:
        gate.set()
    await asyncio.gather(blocked, replayed)
    assert (await sweeping).payloads == 1
    assert await storage.get_payload_by_seq(1) == PAYLOAD
    assert await storage.get_payload_by_seq(2) is None
    await assert_sound(place)


async def test_very_many_different_times_are_looked_at_in_pieces(place: "Place") -> None:
    """1,000 of them a piece, each by one look into the index."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await storage.append(
        [place.message(endpoint, retention_hours=3 + hours) for hours in range(2_500)]
    )
    await storage.append([place.message(endpoint, retention_hours=2_600)])
    await call(place.connections[0], lambda db: db.executescript(FINISH_ALL))
    kept_for = KeptFor(succeeded_ms=0, failed_ms=0, history_ms=2**40)
    position: int | None = None
    pieces = 0
    while True:
        removed = await storage.remove_expired(
            kept_for, at_ms=place.clock.now_ms + 2, position=position
        )
        pieces += 1
        position = removed.position
        if position is None:
            break
    assert pieces == 3


async def test_nobody_waits_for_more_than_two_pieces(place: "Place") -> None:
    """The one that is being written, and the one in the same transaction; even without rests."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await fill(place, storage, endpoint, 3_000)
    pieces = 0

    async def remove() -> None:
        nonlocal pieces
        position: int | None = None
        for at_ms in (place.clock.now_ms + 1_000, place.clock.now_ms + 2_000):
            while True:
                removed = await storage.remove_expired(KEPT_FOR, at_ms=at_ms, position=position)
                pieces += 1
                position = removed.position
                if position is None:
                    break
        more = True
        while more:
            _, more = await storage.release_space()
            pieces += 1

    removing = asyncio.ensure_future(remove())
    waited: list[int] = []
    while not removing.done():
        before = pieces
        await place.send(storage, endpoint)
        waited.append(pieces - before)
        [message, *_] = await storage.load_queued(endpoint, after_seq=0, limit=1)
        before = pieces
        late = place.clock.now_ms + HOUR_MS  # it is not yet past its time
        await storage.record_attempt(
            place.result(endpoint, message, started_at_ms=late, finished_at_ms=late)
        )
        waited.append(pieces - before)
    await removing
    assert pieces > 100
    assert len(waited) > 50
    assert max(waited) <= 2
    await assert_sound(place)


@pytest.mark.parametrize("lines", [1, 2, 4, 9, 14, 17, 24])
async def test_kill_9_in_the_middle_of_a_sweep_loses_nothing_else(
    place: "Place", lines: int
) -> None:
    """Payloads, history or pages: what waits is whole, the rest there or gone, and it goes on."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await fill(place, storage, endpoint, 500)
    place.clock.now_ms += 1_000
    await storage.append([place.message(endpoint, PAYLOAD) for _ in range(500)])
    await call(
        place.connections[0],
        lambda db: db.executescript(
            "UPDATE messages SET status = 'succeeded' WHERE seq > 500;"
            "UPDATE endpoint_loads SET queued_count = 0"
        ),
    )
    waiting = await place.send(storage, endpoint, 20)
    await storage.close()
    at_ms = place.clock.now_ms + 1_000
    child = await asyncio.create_subprocess_exec(
        sys.executable, CHILD, place.path, str(at_ms), stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    try:
        for _ in range(lines):
            assert await child.stdout.readline()
    finally:
        child.kill()
        await child.communicate()
    storage = await place.opened()
    await assert_sound(place)
    stored = await storage.load_queued(endpoint, after_seq=0, limit=100)
    assert [(message.id, message.payload) for message in stored] == [
        (one, b"{}") for one in waiting
    ]
    await sweep(storage, at_ms)
    await release(storage)
    assert await facts(place, "SELECT count(*) FROM messages") == (520,)
    assert await facts(place, "SELECT count(*) FROM payloads") == (20,)
    await assert_sound(place)


# -- space --------------------------------------------------------------------------------------


async def test_the_file_gets_shorter_while_messages_come_and_go(place: "Place") -> None:
    """Without being closed; all that was sent meanwhile is there."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await fill(place, storage, endpoint, 2_000)
    await call(place.connections[0], lambda db: db.execute("PRAGMA wal_checkpoint").fetchall())
    full_bytes = place.path.stat().st_size
    assert full_bytes > 16_000_000
    stopping = asyncio.Event()
    sent: list[str] = []
    recorded: list[int] = []

    async def go_on() -> None:
        while not stopping.is_set():
            sent.extend(await place.send(storage, endpoint, 3))
            message, *_ = await storage.load_queued(endpoint, after_seq=0, limit=1)
            await storage.record_attempt(place.result(endpoint, message))
            recorded.append(message.seq)

    going_on = asyncio.ensure_future(go_on())
    removed = await sweep(storage, place.clock.now_ms + 1_000 - 1)
    assert removed == [Removed(position=None)]
    place.clock.now_ms += 1  # what is delivered from now on is younger
    await sweep(storage, place.clock.now_ms - 1 + 1_000)
    released = await release(storage)
    stopping.set()
    await going_on
    assert len(recorded) > 20
    assert released > 14_000_000
    # Its own checkpoint leaves in the log what a reader needs just then, for a later one.
    await call(place.connections[0], lambda db: db.execute("PRAGMA wal_checkpoint").fetchall())
    assert place.path.stat().st_size < full_bytes / 4
    waiting = await storage.load_queued(endpoint, after_seq=0, limit=100_000)
    assert len(waiting) == len(sent) - len(recorded)
    await assert_sound(place)


async def test_a_twentieth_stays_for_what_is_written_next(place: "Place") -> None:
    """Else the file would be cut and grow again all the time."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await fill(place, storage, endpoint, 500)
    place.clock.now_ms += 10_000
    await storage.append([place.message(endpoint, PAYLOAD) for _ in range(1_000)])
    await sweep(storage, place.clock.now_ms)
    await release(storage)
    (count,) = await facts(place, "PRAGMA page_count")
    (unused,) = await facts(place, "PRAGMA freelist_count")
    assert isinstance(count, int)
    assert isinstance(unused, int)
    assert unused == (count - unused) // 20
    await place.send(storage, endpoint, 100)
    assert await facts(place, "PRAGMA page_count") == (count,)


async def test_a_file_that_cannot_be_cut_is_left_as_it_is(place: "Place") -> None:
    """One that was made anew from a dump: it is used again, not given back."""
    await (await place.opened()).close()
    db = place.raw()
    db.execute("PRAGMA auto_vacuum = NONE")
    db.execute("VACUUM")
    db.close()
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await fill(place, storage, endpoint, 100)
    await sweep(storage, place.clock.now_ms + 1_000)
    assert await storage.release_space() == (0, False)
    await assert_sound(place)


async def test_a_file_of_the_first_version_gets_shorter_too(place: "Place") -> None:
    """Its messages are swept as if they had been stored by this one."""
    place.box()  # makes the key file
    db = place.raw()
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    schema.migrate(db, version=0, known=[step for step in schema.migrations() if step[0] == 1])
    db.executescript(
        "INSERT INTO projects VALUES (1, 'p', '', 0);"
        "INSERT INTO endpoints (no, id, project_no, shard, url, rate_limit_rps, burst, ordered,"
        " max_in_flight, timeout_s, created_at_ms, updated_at_ms)"
        " VALUES (1, 'e', 1, 0, 'u', 0, 0, 0, 1, 1, 0, 0);"
        "INSERT INTO endpoint_loads (endpoint_no, failed_count) VALUES (1, 100);"
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
        " INSERT INTO messages (id, project_no, endpoint_no, status, accepted_at_ms,"
        " updated_at_ms, size_bytes, payload_sha256, retention_hours)"
        " SELECT randomblob(16), 1, 1, iif(i > 200, 'failed_permanent', 'succeeded'), 0, i, 9000,"
        " zeroblob(32), iif(i <= 100, 0, NULL) FROM n;"
        "INSERT INTO payloads SELECT seq, zeroblob(9000) FROM messages WHERE seq > 100"
    )
    db.close()
    storage = place.storage()
    await storage.open()
    full_bytes = place.path.stat().st_size
    kept_for = KeptFor(succeeded_ms=1_000, failed_ms=1_000, history_ms=HOUR_MS)
    position: int | None = None
    removed = 0
    while True:
        piece = await storage.remove_expired(kept_for, at_ms=1_250, position=position)
        removed += piece.payloads
        position = piece.position
        if position is None:
            break
    assert removed == 150
    await release(storage)
    assert place.path.stat().st_size < full_bytes / 2
    await assert_sound(place)


# -- a disk that is full, or fails --------------------------------------------------------------


async def test_on_a_full_disk_a_sweep_makes_room(place: "Place") -> None:
    """It is no new work: it goes on with the reserve, and then sends are taken again."""
    disk = Disk(place)
    storage = await place.opened(connect=disk.connect)
    endpoint = await place.endpoint(storage)
    await fill(place, storage, endpoint, 300)
    (used,) = await facts(place, "PRAGMA page_count")
    assert isinstance(used, int)
    disk.pages = used + ROOM_PAGES

    async def overfill() -> None:
        for _ in range(ROOM_PAGES):
            await storage.append([place.message(endpoint, PAYLOAD)])

    with pytest.raises(UnavailableError):
        await overfill()
    with pytest.raises(UnavailableError):
        await place.send(storage, endpoint)
    await sweep(storage, place.clock.now_ms + 1_000)
    assert await release(storage) > 0
    place.clock.now_ms += 5_000
    await place.send(storage, endpoint)
    await assert_sound(place)


@pytest.mark.parametrize(
    ("statement", "code", "fatal"),
    [
        ("PRAGMA incremental_vacuum(1)", sqlite3.SQLITE_IOERR_READ, True),
        ("PRAGMA incremental_vacuum(1)", sqlite3.SQLITE_CORRUPT, True),
        ("PRAGMA incremental_vacuum(1)", sqlite3.SQLITE_BUSY, False),
        ("PRAGMA incremental_vacuum(1)", sqlite3.SQLITE_FULL, False),
        ("PRAGMA wal_checkpoint(PASSIVE)", sqlite3.SQLITE_IOERR_FSYNC, True),
        ("PRAGMA wal_checkpoint(PASSIVE)", sqlite3.SQLITE_IOERR_TRUNCATE, True),
        ("PRAGMA wal_checkpoint(PASSIVE)", sqlite3.SQLITE_BUSY, False),
        ("PRAGMA wal_checkpoint(PASSIVE)", sqlite3.SQLITE_FULL, False),
    ],
)
async def test_a_disk_that_fails_is_judged_as_in_any_write(
    place: "Place", statement: str, code: int, *, fatal: bool
) -> None:
    """An I/O error stops the writer, told once; a full disk or a busy file does not."""
    fault = Fault()
    storage = await place.opened(connect=fault.connect)
    told: list[BaseException] = []
    storage.on_fatal(told.append)
    endpoint = await place.endpoint(storage)
    await fill(place, storage, endpoint, 50)
    await sweep(storage, place.clock.now_ms + 1_000)
    fault.statement, fault.code = statement, code
    try:
        await release(storage)
    except UnavailableError:
        assert "vacuum" in statement
    else:
        assert "checkpoint" in statement  # the pages are off the database all the same
    fault.statement = None
    assert len(told) == fatal
    if fatal:
        with pytest.raises(UnavailableError):
            await place.send(storage, endpoint)
    else:
        place.clock.now_ms += 5_000
        await place.send(storage, endpoint)
        await release(storage)
    await storage.close()
    storage = await place.opened()
    await assert_sound(place)
