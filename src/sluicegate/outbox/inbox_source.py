"""The inbox, as its owner's relay reads it."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.outbox import OutboxEntry
from sluicegate.engine.ports import Clock, Random
from sluicegate.outbox import inbox_file, table
from sluicegate.outbox.doorbell import Doorbell, doorbell_path
from sluicegate.outbox.source import SourceError
from sluicegate.storage.bridge import call

__all__ = ["InboxSource"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_ID_BYTES = 16
_PAGES_KEPT = 1024
"""An empty file with more pages than this is cut."""


class InboxSource:
    """Implements `Source` on the file beside a database, if there is one."""

    def __init__(self, database: str, *, clock: Clock, random: Random) -> None:
        """Take the database's path, as `real_path` gives it."""
        self.name = self._path = inbox_file.inbox_path(database)
        self._clock = clock
        self._random = random
        self._doorbell = Doorbell(doorbell_path(database), database=database)
        self._connection: aiosqlite.Connection | None = None

    async def open(self) -> str | None:
        """Listen to the doorbell, then open the file, if anybody ever made it."""
        self._doorbell.open()
        if not inbox_file.exists(self._path):
            return None
        try:
            self._connection = await inbox_file.connect_inbox(self._path)
        except sqlite3.Error as error:
            raise SourceError(str(error)) from error
        return await self._do(
            inbox_file.prepare, path=self._path, outbox_id=self._random.token_bytes(_ID_BYTES).hex()
        )

    async def take(self, *, rows_max: int, bytes_max: int) -> list[OutboxEntry]:
        """Return what was written first."""
        entries = await self._do(table.read_entries, rows_max=rows_max, bytes_max=bytes_max)
        if not entries:
            await self._do(_cut)
        return entries

    async def settle(
        self, *, moved: Sequence[str], refused: Sequence[tuple[str, SluicegateError]]
    ) -> None:
        """Take messages out, durably."""
        await self._do(_settle, moved=moved, refused=refused, at_ms=self._clock.wall_ms())

    async def still_there(self, ids: Sequence[str]) -> list[str]:
        """Return those that wait."""
        return await self._do(_still_there, ids)

    async def wait(self) -> None:
        """Wait until the doorbell rings."""
        await self._doorbell.wait()

    async def close(self) -> None:
        """Close the file, and listen no more."""
        self._doorbell.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                await connection.close()

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
            raise SourceError(str(error)) from error


def _settle(
    db: sqlite3.Connection,
    *,
    moved: Sequence[str],
    refused: Sequence[tuple[str, SluicegateError]],
    at_ms: int,
) -> None:
    with inbox_file.transaction(db):
        table.settle(db, moved=moved, refused=refused, at_ms=at_ms)


def _still_there(db: sqlite3.Connection, ids: Iterable[str]) -> list[str]:
    return list(table.still_there(db, ids))


def _cut(db: sqlite3.Connection) -> None:
    """Give back the space of what was moved, if it was much; there is little to copy then."""
    (unused,) = db.execute("PRAGMA freelist_count").fetchone()
    if unused > _PAGES_KEPT:
        with contextlib.suppress(sqlite3.OperationalError):  # busy, or full: another time
            db.execute("VACUUM")
