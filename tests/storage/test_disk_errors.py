"""A disk that fails: what of the last transaction is stored is not known, so nothing more is.

The first test's error is the kernel's: a child process may not write files past a size. The
others make SQLite's own calls fail at a chosen one.
"""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import aiosqlite
import pytest

from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.model import PauseReason
from sluicegate.engine.ports import StorageFault

if TYPE_CHECKING:
    from tests.storage.conftest import Place

CHILD = Path(__file__).with_name("child_with_size_limit.py")


async def test_a_write_that_the_kernel_refuses_stops_the_writer(place: "Place") -> None:
    """Waiters get 503, the process is told to stop once, reads go on, and it closes."""
    await (await place.opened()).close()
    child = await asyncio.create_subprocess_exec(
        sys.executable, CHILD, place.path, stdout=subprocess.PIPE
    )
    output, _ = await child.communicate()
    assert child.returncode == 0
    *accepted, refused, refused_again, fatal, read = output.decode().splitlines()
    assert (refused, refused_again) == ("UnavailableError", "UnavailableError")
    assert fatal == "1 OutcomeUnknownError"
    assert accepted
    assert read == f"read {len(accepted)}"
    storage = await place.opened()
    [item] = await storage.work()
    stored = await storage.load_queued(item.endpoint_id, after_seq=0, limit=100)
    assert [message.id for message in stored][: len(accepted)] == accepted


class Fault:
    """Which statement fails, how, and whether it takes effect before it fails."""

    def __init__(self) -> None:
        self.statement: str | None = None
        self.code: int | None = sqlite3.SQLITE_IOERR_FSYNC
        self.after = False

    def connect(self, path: str) -> aiosqlite.Connection:
        """Return a connection whose statements fail as told."""
        return aiosqlite.connect(path, isolation_level=None, factory=failing_by(self))


def failing_by(fault: Fault) -> Callable[..., sqlite3.Connection]:
    """Return a kind of connection that fails as told."""

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
            if sql != fault.statement:
                return super().execute(sql, *args)  # type: ignore[arg-type]  # any parameters
            if fault.after:
                super().execute(sql)
            error = sqlite3.OperationalError("disk I/O error")
            if fault.code is not None:
                error.sqlite_errorcode = fault.code
            raise error

    return Failing


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("COMMIT", sqlite3.SQLITE_IOERR_FSYNC),
        ("COMMIT", sqlite3.SQLITE_IOERR_WRITE),
        ("COMMIT", sqlite3.SQLITE_CORRUPT),
        ("COMMIT", None),
        ("BEGIN IMMEDIATE", sqlite3.SQLITE_IOERR_READ),
        ("ROLLBACK", sqlite3.SQLITE_IOERR_WRITE),
    ],
)
async def test_after_an_io_error_nothing_is_written_any_more(
    place: "Place", statement: str, code: int | None, *, after: bool
) -> None:
    """Whether the transaction took effect or not: 503 to all who wait, told once."""
    fault = Fault()
    storage = await place.opened(connect=fault.connect)
    told: list[BaseException] = []
    storage.on_fatal(told.append)
    endpoint = await place.endpoint(storage)
    fault.statement, fault.code, fault.after = statement, code, after
    broken = place.message(endpoint, payload_sha256=b"so that it is rolled back")
    messages = [place.message(endpoint), broken, place.message(endpoint)]
    answers = await asyncio.gather(
        *(storage.append([message]) for message in messages), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [UnavailableError] * 3
    fault.statement = None
    with pytest.raises(UnavailableError):
        await storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
    assert len(told) == 1
    assert place.faults.seen.count(StorageFault.UNKNOWN) == 1
    assert await storage.load_state(endpoint) is not None


async def test_a_connection_that_is_gone_is_fatal_too(place: "Place") -> None:
    """An error from outside the transaction: nobody is left waiting."""
    storage = await place.opened()
    told: list[BaseException] = []
    storage.on_fatal(told.append)
    endpoint = await place.endpoint(storage)
    await place.connections[0].close()
    with pytest.raises(UnavailableError):
        await place.send(storage, endpoint)
    assert len(told) == 1
    assert place.faults.seen == [StorageFault.UNKNOWN]


async def test_a_read_that_fails_is_reported_as_unavailable(place: "Place") -> None:
    """And nothing of SQLite's gets out."""
    fault = Fault()
    storage = await place.opened(connect=fault.connect)
    endpoint = await place.endpoint(storage)
    fault.statement = "BEGIN"
    with pytest.raises(UnavailableError):
        await storage.load_state(endpoint)
    fault.statement = None
    assert place.faults.seen == [StorageFault.READ]
    assert await storage.load_state(endpoint) is not None
    await place.send(storage, endpoint)
