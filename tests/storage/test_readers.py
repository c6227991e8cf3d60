"""The delivery loop reads on a connection of its own."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import aiosqlite
import pytest

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.ports import NoTelemetry
from sluicegate.storage.readers import Readers

from .conftest import PROJECT

if TYPE_CHECKING:
    from .conftest import Place


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


class Begun(set[str]):
    """What is in flight: a message that was not when it was first asked for."""

    asked = False

    def __contains__(self, message_id: object) -> bool:
        """Say so from the second time on."""
        before, self.asked = self.asked, True
        return before


async def test_a_message_is_told_of_as_it_is_when_it_has_been_read(place: "Place") -> None:
    """Not as if the attempt that began, and may have ended, meanwhile had never been."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    [message_id] = await place.send(storage, endpoint)
    message = await storage.get_message(PROJECT, message_id, in_flight=Begun())
    assert message is not None
    assert message.status is MessageStatus.DELIVERING
