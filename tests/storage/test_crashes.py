"""Processes that die, and processes that meet."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.errors import StorageLockedError
from sluicegate.storage.activity_audit import activity_miscounts
from sluicegate.storage.audit import miscounts
from sluicegate.storage.bridge import call

if TYPE_CHECKING:
    from tests.storage.conftest import Place

CHILD = Path(__file__).with_name("child_that_appends.py")


async def start_child(place: "Place", endpoint_id: str) -> asyncio.subprocess.Process:
    """Start a process that opens the database and appends for as long as it lives."""
    return await asyncio.create_subprocess_exec(
        sys.executable, CHILD, place.path, endpoint_id, stdout=subprocess.PIPE
    )


async def read_lines(child: asyncio.subprocess.Process, count: int) -> list[str]:
    """Return the next lines that the child writes."""
    assert child.stdout is not None
    return [(await child.stdout.readline()).decode().strip() for _ in range(count)]


def integrity(db: sqlite3.Connection) -> str:
    """Return what SQLite finds wrong with the file."""
    return str(db.execute("PRAGMA integrity_check").fetchone()[0])


@pytest.mark.parametrize("acknowledged", [1, 333, 2_000])
async def test_what_was_acknowledged_survives_kill_9(place: "Place", acknowledged: int) -> None:
    """Every one of them, whole, in order and counted, whenever the process is killed."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await storage.close()
    child = await start_child(place, endpoint)
    try:
        lines = await read_lines(child, 1 + acknowledged)
    finally:
        child.kill()
        rest, _ = await child.communicate()
    # A line that was being written when it was killed acknowledges nothing.
    lines += [line for line in rest.decode().split("\n")[:-1] if line]
    storage = await place.opened()
    assert await call(place.connections[0], integrity) == "ok"
    assert await call(place.connections[0], miscounts) == []
    assert await call(place.connections[0], activity_miscounts, now_minute=0) == []
    stored = await storage.load_queued(endpoint, after_seq=0, limit=1_000_000)
    payloads = {message.id: message.payload for message in stored}
    assert all(payloads[line] == f'"{line}"'.encode() for line in lines[1:])
    assert len(lines) > acknowledged
    await place.send(storage, endpoint)


async def test_two_processes_cannot_share_a_file(place: "Place") -> None:
    """The second is told whose it is, and may have it when the first is dead."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await storage.close()
    child = await start_child(place, endpoint)
    try:
        await read_lines(child, 1)
        with pytest.raises(StorageLockedError, match=rf"place\.db is in use.*pid {child.pid}\b"):
            await place.storage().open()
    finally:
        child.kill()
        await child.communicate()
    await place.storage().open()
