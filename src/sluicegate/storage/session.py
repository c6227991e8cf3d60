"""Everything that is open while a database is in use, and closed on every way out."""

import asyncio
import sqlite3
from contextlib import AsyncExitStack

import aiosqlite

from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.log import log
from sluicegate.engine.ports import Telemetry
from sluicegate.storage.bridge import Connect, call
from sluicegate.storage.database import prepare_reader, prepare_writer
from sluicegate.storage.database_file import create_file, refuse_foreign, refuse_unfit
from sluicegate.storage.disk_space import FreeBytes
from sluicegate.storage.file_lock import FileLock
from sluicegate.storage.readers import Readers
from sluicegate.storage.reserve import Reserve
from sluicegate.storage.secret_box import SecretBox
from sluicegate.storage.transactions import Transactions

__all__ = ["Session"]


class Session:
    """The lock, the reserve and the connections of one database file.

    An aiosqlite connection that is not closed keeps its thread, and with it the process, alive.
    """

    def __init__(
        self,
        path: str,
        *,
        box: SecretBox,
        readers: int,
        reserve_bytes: int,
        connect: Connect,
        free_bytes: FreeBytes,
    ) -> None:
        """Take what it needs, `path` as `real_path` gives it; nothing is opened yet."""
        self._path = path
        self._box = box
        self._readers_count = readers
        self._connect = connect
        self._lock = FileLock(path)
        self._reserve = Reserve(f"{path}.reserve", size_bytes=reserve_bytes, free_bytes=free_bytes)
        self._connections: list[aiosqlite.Connection] = []

    async def open(
        self, *, telemetry: Telemetry
    ) -> tuple[aiosqlite.Connection, Transactions, Readers]:
        """Lock the file, open the connections, take the next epoch; or leave nothing open.

        Reads that fail are told to `telemetry`.

        Raises:
            StorageLockedError, StorageVersionError, SettingError: see `SqliteStorage.open`.
            UnavailableError: the disk is full or failed.
        """
        refuse_unfit(self._path)
        refuse_foreign(self._path)
        self._lock.acquire()
        try:
            create_file(self._path)
            refuse_unfit(self._path)  # again: before the lock it may have been another file
            writer = await self._opened()
            epoch = await call(writer, self._prepare)
            readers = [await self._opened() for _ in range(self._readers_count)]
            for reader in readers:
                await call(reader, prepare_reader)
        except sqlite3.Error as error:
            await self.close()
            raise UnavailableError(f"cannot open database {self._path}: {error}") from error
        except BaseException:
            await self.close()
            raise
        transactions = Transactions(epoch=epoch, reserve=self._reserve)
        return writer, transactions, Readers(readers, telemetry=telemetry)

    async def close(self) -> None:
        """Close the connections, readers first, and release the lock. Twice is fine.

        The writer goes last: the last connection to close checkpoints.
        """
        connections, self._connections = self._connections, []
        async with AsyncExitStack() as stack:  # the last first, whatever the others raise
            stack.callback(self._lock.release)
            for connection in connections:
                stack.push_async_callback(_close, connection)

    async def _opened(self) -> aiosqlite.Connection:
        opening = asyncio.ensure_future(self._connect(self._path))
        try:
            connection = await asyncio.shield(opening)
        except asyncio.CancelledError:
            await asyncio.wait([opening])  # its thread opens the file all the same
            if not opening.cancelled() and opening.exception() is None:
                self._connections.append(opening.result())
            raise
        self._connections.append(connection)
        return connection

    def _prepare(self, db: sqlite3.Connection) -> int:
        """Prepare the writing connection; on a full disk with the help of the reserve."""
        try:
            epoch = prepare_writer(db, path=self._path, box=self._box)
        except sqlite3.OperationalError as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            if not full or not self._reserve.give_up():
                raise
            return prepare_writer(db, path=self._path, box=self._box)
        self._reserve.make()
        return epoch


async def _close(connection: aiosqlite.Connection) -> None:
    try:
        await connection.close()
    except sqlite3.Error as error:
        log.warning("storage.close_failed", exc_info=error)
