"""A disk that is full: nothing accepted is lost, results are still recorded, it heals by itself.

The disk is a real limit of SQLite's: a file that may not grow past so many pages. Freeing the
reserve gives it room, as it does on a disk.
"""

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

import aiosqlite
import pytest

from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import Health, PauseReason
from sluicegate.engine.ports import StorageFault
from sluicegate.storage.audit import miscounts
from sluicegate.storage.bridge import call

if TYPE_CHECKING:
    from tests.storage.conftest import Place

PROJECT = "proj_" + "1" * 32
ROOM_PAGES = 100
RESERVE_PAGES = 16
"""The reserve of the test's storages, 64 KiB."""


class Disk:
    """How many pages the database may have, given what else is on the disk."""

    def __init__(self, place: "Place") -> None:
        self.pages = 10_000
        self.reserve = place.folder / "place.db.reserve"

    def connect(self, path: str) -> aiosqlite.Connection:
        """Return a connection whose transactions find this disk."""
        return aiosqlite.connect(path, isolation_level=None, factory=limited_by(self))


def limited_by(disk: Disk) -> Callable[..., sqlite3.Connection]:
    """Return a kind of connection that asks the disk for room when a transaction begins."""

    class Limited(sqlite3.Connection):
        def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
            if sql == "BEGIN IMMEDIATE":
                pages = disk.pages + (0 if disk.reserve.exists() else RESERVE_PAGES)
                super().execute(f"PRAGMA max_page_count = {pages}")
            return super().execute(sql, *args)  # type: ignore[arg-type]  # any parameters

    return Limited


def pages_used(db: sqlite3.Connection) -> int:
    """Return how large the file is."""
    return int(db.execute("PRAGMA page_count").fetchone()[0])


async def test_a_full_disk_refuses_sends_and_still_records_attempts(place: "Place") -> None:
    """With a time to come back; reads, pauses and results go on; nothing accepted is lost."""
    disk = Disk(place)
    storage = await place.opened(connect=disk.connect)
    fatal: list[BaseException] = []
    storage.on_fatal(fatal.append)
    endpoint = await place.endpoint(storage)
    accepted = await place.send(storage, endpoint, 20)
    disk.pages = await call(place.connections[0], pages_used) + ROOM_PAGES

    async def fill() -> None:
        for _ in range(ROOM_PAGES):
            message = place.message(endpoint, bytes(3_000))
            await storage.append([message])
            accepted.append(message.id)

    with pytest.raises(UnavailableError) as refused:
        await fill()
    assert refused.value.retry_after_s == 5
    assert set(place.faults.seen) == {StorageFault.FULL}
    assert not disk.reserve.exists()
    with pytest.raises(UnavailableError):
        await place.endpoint(storage)
    waiting = await storage.load_queued(endpoint, after_seq=0, limit=1_000)
    assert [message.id for message in waiting] == accepted
    for message in waiting[:20]:
        await storage.record_attempt(
            place.result(endpoint, message, health=Health(consecutive_failures=1))
        )
    await storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
    done = await storage.get_message(PROJECT, accepted[0], in_flight=set())
    assert done is not None
    assert done.status is MessageStatus.SUCCEEDED
    assert await call(place.connections[0], miscounts) == []
    assert fatal == []


async def test_it_heals_when_there_is_room_again(place: "Place") -> None:
    """The reserve is put aside again first; until it is, sends are refused without trying."""
    disk = Disk(place)
    storage = await place.opened(connect=disk.connect)
    endpoint = await place.endpoint(storage)
    disk.pages = await call(place.connections[0], pages_used)
    with pytest.raises(UnavailableError):
        await storage.append([place.message(endpoint, bytes(20_000))])
    disk.pages = 10_000
    with pytest.raises(UnavailableError):
        await place.send(storage, endpoint)
    assert not disk.reserve.exists()
    place.clock.now_ms += 5_000
    await place.send(storage, endpoint)
    assert disk.reserve.exists()
    assert disk.reserve.stat().st_size == 1 << 16


async def test_without_even_the_reserve_results_are_refused_too(place: "Place") -> None:
    """They are not lost: whoever holds them tries again, and it works once there is room."""
    disk = Disk(place)
    storage = await place.opened(connect=disk.connect)
    endpoint = await place.endpoint(storage)
    await place.send(storage, endpoint)
    [message] = await storage.load_queued(endpoint, after_seq=0, limit=10)
    disk.pages = await call(place.connections[0], pages_used) - RESERVE_PAGES
    outcome = place.result(endpoint, message).outcome
    large = type(outcome)(kind=outcome.kind, status=200, body=bytes(9_000))
    result = place.result(endpoint, message, outcome=large)
    with pytest.raises(UnavailableError):
        await storage.record_attempt(result)
    disk.pages = 10_000
    await storage.record_attempt(result)
    assert await storage.load_queued(endpoint, after_seq=0, limit=10) == []


async def test_a_full_disk_does_not_keep_it_from_opening(place: "Place") -> None:
    """It opens without a reserve, and takes no sends until there is one."""
    await (await place.opened()).close()
    reserve = place.folder / "place.db.reserve"
    reserve.unlink()
    # No disk has room for this one.
    storage = place.storage(reserve_bytes=1 << 60)
    await storage.open()
    row = place.endpoint_row()
    with pytest.raises(UnavailableError):
        await storage.create_endpoint(row)
    assert await storage.work() == []
    assert not reserve.exists()
