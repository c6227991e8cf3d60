"""Opening and closing a database file, and refusing to."""

import asyncio
import base64
import sqlite3
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.errors import (
    SettingError,
    StorageLockedError,
    StorageVersionError,
    UnavailableError,
)
from sluicegate.engine.model import PauseReason
from sluicegate.storage import SecretBox, schema
from sluicegate.storage.bridge import call

if TYPE_CHECKING:
    from tests.storage.conftest import Place


def pragma(db: sqlite3.Connection, name: str) -> object:
    """Return the value of a pragma."""
    return db.execute(f"PRAGMA {name}").fetchone()[0]


def assert_ended(threads: set[threading.Thread]) -> None:
    """Check that threads end: a connection's does so just after it says that it is closed."""
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


async def test_the_writer_syncs_every_commit_and_readers_cannot_write(place: "Place") -> None:
    """FULL, on the very connection that writes: NORMAL loses commits when the power fails."""
    await place.opened()
    writer, *readers = place.connections
    assert await call(writer, pragma, "synchronous") == 2
    assert await call(writer, pragma, "journal_mode") == "wal"
    assert await call(writer, pragma, "auto_vacuum") == 2
    assert await call(writer, pragma, "foreign_keys") == 1
    assert len(readers) == 3
    for reader in readers:
        assert await call(reader, pragma, "query_only") == 1
        assert await call(reader, pragma, "wal_autocheckpoint") == 0


async def test_an_empty_file_is_migrated(place: "Place") -> None:
    """It is ours from then on, with the newest schema, and opens again."""
    place.path.touch()
    storage = await place.opened()
    await storage.close()
    with place.raw() as db:
        assert pragma(db, "application_id") == schema.APPLICATION_ID
        assert pragma(db, "user_version") == schema.migrations()[-1][0]
        assert pragma(db, "integrity_check") == "ok"
    db.close()
    assert await (await place.opened()).default_project() is not None


def test_migrations_are_numbered_from_one() -> None:
    """A gap would be a step that never ran somewhere."""
    numbers = [number for number, _ in schema.migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_migration_happens_whole_or_not_at_all(place: "Place") -> None:
    """Also when its last step fails; and a later step starts from the file's version."""
    db = place.raw()
    steps = [(1, "CREATE TABLE a (x);\nCREATE TABLE b (x);"), (2, "CREATE TABLE a (x);")]
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(db, version=0, known=steps)
    assert db.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    assert schema.check(db, path="x") == 0
    schema.migrate(db, version=0, known=steps[:1])
    schema.migrate(db, version=1, known=[steps[0], (2, "CREATE TABLE c (x);")])
    assert pragma(db, "user_version") == 2
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema ORDER BY 1")]
    assert names == ["a", "b", "c"]
    db.close()


async def test_a_file_of_a_newer_version_is_refused(place: "Place") -> None:
    """With both versions in the message, and without a change to the file."""
    await (await place.opened()).close()
    db = place.raw()
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = place.path.read_bytes()
    newest = schema.migrations()[-1][0]
    with pytest.raises(StorageVersionError, match=rf"schema version 99.*knows up to {newest}:"):
        await place.storage().open()
    assert place.path.read_bytes() == before


async def test_a_file_of_another_program_is_refused(place: "Place") -> None:
    """A SQLite file that is not ours, and a file that is not SQLite's."""
    box = place.box()
    db = place.raw()
    db.execute("CREATE TABLE theirs (x)")
    db.close()
    before = place.path.read_bytes()
    with pytest.raises(StorageVersionError, match="another program"):
        await place.storage(box=box).open()
    assert place.path.read_bytes() == before
    place.path.write_text("dear diary, " * 100)
    with pytest.raises(StorageVersionError, match="not a SQLite database"):
        await place.storage(box=box).open()


async def test_a_second_storage_on_the_file_is_refused(place: "Place") -> None:
    """Until the first is closed; the message names file and process."""
    first = await place.opened()
    second = place.storage()
    with pytest.raises(StorageLockedError, match=r"place\.db is in use.*pid \d+"):
        await second.open()
    await place.endpoint(first)
    await first.close()
    await second.open()


async def test_another_secret_key_is_refused(place: "Place") -> None:
    """At once, and not at the first delivery."""
    await (await place.opened()).close()
    other = SecretBox(bytes(32), random=place.chance)
    with pytest.raises(SettingError, match="another key"):
        await place.storage(box=other).open()
    await place.opened()


async def test_a_missing_folder_is_refused(place: "Place") -> None:
    """The message says which path."""
    place.path = place.folder / "nowhere" / "place.db"
    box = SecretBox(bytes(32), random=place.chance)
    with pytest.raises(SettingError, match=r"nowhere/place\.db"):
        await place.storage(box=box).open()


async def test_a_failed_opening_leaves_nothing_open(place: "Place") -> None:
    """No thread (one would keep the process from ending) and no lock."""
    await (await place.opened()).close()
    threads = set(threading.enumerate())
    other = SecretBox(bytes(32), random=place.chance)
    failed = place.storage(box=other)
    with pytest.raises(SettingError):
        await failed.open()
    assert_ended(set(threading.enumerate()) - threads)
    await failed.close()
    await place.opened()


async def test_only_the_owner_may_read_the_files(place: "Place") -> None:
    """The database, its log and its key hold what customers send."""
    storage = await place.opened()
    await place.endpoint(storage)
    for suffix in ("", "-wal", "-shm", ".key", ".lock", ".reserve"):
        file = place.folder / f"place.db{suffix}"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, suffix


async def test_closing_finishes_what_waits_and_refuses_the_rest(place: "Place") -> None:
    """Twice is fine, threads end, and the log is folded into the file."""
    threads = set(threading.enumerate())
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    message = place.message(endpoint)
    writing = storage.append([message])
    await place.send(storage, endpoint)
    last = asyncio.ensure_future(writing)
    await asyncio.sleep(0)
    await asyncio.gather(storage.close(), storage.close())
    await storage.close()
    assert len(await last) == 1
    assert_ended(set(threading.enumerate()) - threads)
    with pytest.raises(UnavailableError):
        await storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
    with pytest.raises(UnavailableError):
        await storage.append([message])
    with pytest.raises(UnavailableError):
        await storage.load_state(endpoint)
    assert not (place.folder / "place.db-wal").exists()


async def test_a_storage_that_is_not_open_refuses_politely(place: "Place") -> None:
    """With the error that says to try again; closing it is fine."""
    storage = place.storage()
    with pytest.raises(UnavailableError):
        await storage.work()
    with pytest.raises(UnavailableError):
        await storage.append([])
    assert storage.commits == 0
    await storage.close()


async def test_a_file_written_with_a_setting_opens_with_the_setting(place: "Place") -> None:
    """`secret_key` stands in for the key file, of which there is none then."""
    text = base64.b64encode(bytes(range(32))).decode()
    box = SecretBox.for_database(str(place.path), secret_key=text, random=place.chance)
    storage = place.storage(box=box)
    await storage.open()
    await storage.close()
    assert not (place.folder / "place.db.key").exists()
    again = place.storage(
        box=SecretBox.for_database(str(place.path), secret_key=text, random=place.chance)
    )
    await again.open()


async def test_a_storage_is_opened_once(place: "Place") -> None:
    """Not while it is open or being opened, and not once it was closed: who would close it?"""
    storage = place.storage()
    opening = asyncio.ensure_future(storage.open())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="opened once"):
        await storage.open()
    await opening
    with pytest.raises(RuntimeError, match="opened once"):
        await storage.open()
    await storage.close()
    with pytest.raises(RuntimeError, match="opened once"):
        await storage.open()
    closed = place.storage()
    await closed.close()
    with pytest.raises(RuntimeError, match="opened once"):
        await closed.open()


async def test_a_listener_that_fails_keeps_nothing_open(place: "Place") -> None:
    """It is our fault and fatal; whoever waits is answered, and everything is closed."""
    threads = set(threading.enumerate())
    storage = await place.opened()

    def fail(_: object) -> None:
        raise ValueError("the listener")

    fatal: list[BaseException] = []
    storage.on_accepted(fail)
    storage.on_fatal(fatal.append)
    endpoint = await place.endpoint(storage)
    await place.send(storage, endpoint)
    await storage.close()
    assert [str(error) for error in fatal] == ["the listener"]
    assert_ended(set(threading.enumerate()) - threads)
    await place.opened()
