"""The delivery loop reads on a connection of its own."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import pytest

from sluicegate.engine.ports import NoTelemetry
from sluicegate.storage.readers import Readers


@pytest.fixture
async def readers(tmp_path: Path) -> AsyncIterator[Readers]:
    """Three connections to an empty database."""
    connections = [await aiosqlite.connect(tmp_path / "readers.db") for _ in range(3)]
    yield Readers(connections, telemetry=NoTelemetry())
    for connection in connections:
        await connection.close()


async def test_no_listing_holds_the_delivery_loop_up(readers: Readers) -> None:
    """However many clients read, and however long: the loop's read does not wait for theirs."""
    release = threading.Event()

    def hang(_db: sqlite3.Connection) -> None:
        release.wait(10)

    listings = [asyncio.ensure_future(readers.read(hang)) for _ in range(20)]
    try:
        async with asyncio.timeout(5):
            assert await readers.deliver(lambda _db: 1) == 1
        assert not any(listing.done() for listing in listings)
    finally:
        release.set()
        await asyncio.gather(*listings)
