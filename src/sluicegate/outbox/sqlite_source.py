"""Outboxes in SQLite files, as a relay reads them."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.outbox import OutboxEntry
from sluicegate.engine.ports import Clock
from sluicegate.outbox import table
from sluicegate.outbox.schema import MISSING, is_missing
from sluicegate.outbox.source import FOREIGN, SourceError
from sluicegate.storage.bridge import call

__all__ = ["SqliteOutbox", "SqliteSource"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_BUSY_S = 5.0
"""How long a look, or the removal of a piece, waits for the host's own transactions."""
_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # whatever the host has: what was moved must not come back
    "PRAGMA fullfsync = ON",  # macOS: a plain fsync does not reach the disk
)


class SqliteSource:
    """What every SQLite file with an outbox in it has; implements most of `Source`.

    No transaction is open, and nothing of the host's is locked, between two calls.
    """

    def __init__(self, path: str, *, clock: Clock) -> None:
        """Take where the file is."""
        self.name = self._path = path
        self._clock = clock
        self._connection: aiosqlite.Connection | None = None

    async def take(self, *, rows_max: int, bytes_max: int) -> list[OutboxEntry]:
        """Return what was written first."""
        return await self._do(table.read_entries, rows_max=rows_max, bytes_max=bytes_max)

    async def settle(
        self, *, moved: Sequence[str], refused: Sequence[tuple[str, SluicegateError]]
    ) -> None:
        """Take messages out, durably."""
        await self._do(_settle, moved=moved, refused=refused, at_ms=self._clock.wall_ms())

    async def still_there(self, ids: Sequence[str]) -> list[str]:
        """Return those that wait."""
        return await self._do(_still_there, ids)

    async def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                await connection.close()

    async def _connect(self, connection: aiosqlite.Connection) -> None:
        try:
            self._connection = await connection
        except sqlite3.Error as error:
            raise SourceError(str(error)) from error

    async def _do(
        self,
        function: Callable[Concatenate[sqlite3.Connection, _P], _R],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        assert self._connection is not None, "open it first"
        try:
            return await call(self._connection, function, *args, **kwargs)
        except (sqlite3.Error, SluicegateError) as error:
            raise SourceError(MISSING if is_missing(error) else str(error)) from error


class SqliteOutbox(SqliteSource):
    """Implements `Source` on a host's own database. It is never created, and looked at regularly.

    The commits of another process cannot be heard: a look is a read of an empty table.
    """

    def __init__(self, path: str, *, clock: Clock, poll_s: float) -> None:
        """Take where the file is, and how long to wait between two looks."""
        super().__init__(path, clock=clock)
        self._poll_s = poll_s

    async def open(self, engine_id: str) -> str | None:
        """Open the file, and claim the outbox."""
        await self._connect(
            aiosqlite.connect(
                f"{Path(self._path).as_uri()}?mode=rw",
                uri=True,
                isolation_level=None,
                timeout=_BUSY_S,
            )
        )
        outbox_id, owner_id = await self._do(_prepare, engine_id=engine_id)
        if owner_id != engine_id:
            raise SourceError(FOREIGN)
        return outbox_id

    async def wait(self) -> None:
        """Wait for the next look."""
        await asyncio.sleep(self._poll_s)


def _prepare(db: sqlite3.Connection, *, engine_id: str) -> tuple[str, str]:
    for pragma in _PRAGMAS:
        db.execute(pragma).fetchall()
    return table.claim(db, engine_id=engine_id)


def _settle(
    db: sqlite3.Connection,
    *,
    moved: Sequence[str],
    refused: Sequence[tuple[str, SluicegateError]],
    at_ms: int,
) -> None:
    with table.transaction(db):
        table.settle(db, moved=moved, refused=refused, at_ms=at_ms)


def _still_there(db: sqlite3.Connection, ids: Iterable[str]) -> list[str]:
    return list(table.still_there(db, ids))
