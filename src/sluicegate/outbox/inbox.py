"""Writing into the inbox, from a process that does not own the database."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence

import aiosqlite

from sluicegate.engine.errors import SluicegateError, UnavailableError
from sluicegate.engine.log import log
from sluicegate.engine.model import Accepted, NewMessage
from sluicegate.engine.ports import Random
from sluicegate.engine.settings import Settings
from sluicegate.outbox import inbox_file, table
from sluicegate.outbox.doorbell import doorbell_path, ring
from sluicegate.storage.bridge import call
from sluicegate.storage.database_file import real_path, refuse_unfit
from sluicegate.storage.message_storage import queue_bytes

__all__ = ["Inbox"]

_ID_BYTES = 16
_BATCH_ROWS_MAX = 1_000
_BATCH_BYTES_MAX = 16 << 20
_FULL_RETRY_AFTER_S = 5
_SURE = {
    sqlite3.SQLITE_BUSY: "other processes hold the inbox",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_LOCKED: "other processes hold the inbox",
    sqlite3.SQLITE_NOMEM: "no memory is left",
    sqlite3.SQLITE_READONLY: "the inbox must not be written",
    sqlite3.SQLITE_CANTOPEN: "the inbox's journal cannot be opened",
}
"""What SQLite says when nothing was stored, and nothing is wrong with the disk."""


class Inbox:
    """Stores messages for the owner of a database, who may be down.

    Many sends that wait at once share a commit. Lives on one event loop; the file has a thread of
    its own. Is the storage of an engine that only enqueues, as far as that has one.
    """

    def __init__(
        self, settings: Settings, *, random: Random, fatal: Callable[[BaseException], None]
    ) -> None:
        """Take what it needs; nothing is opened yet.

        Args:
            settings: where the database is, and what may wait.
            random: names a new inbox.
            fatal: called once when the disk has failed and nothing may be written any more.

        Raises:
            SettingError: the path cannot be used.
        """
        self._database = real_path(settings.database)
        self._path = inbox_file.inbox_path(self._database)
        self._doorbell = doorbell_path(self._database)
        self._bytes_max = settings.inbox_bytes_max
        self._pending_bytes_max = settings.pending_bytes_max
        self._random = random
        self._fatal = fatal
        self._connection: aiosqlite.Connection | None = None
        self._refusal: str | None = "the engine is not open"
        self._waiting: deque[tuple[Sequence[NewMessage], asyncio.Future[None]]] = deque()
        self._pending_bytes = 0
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the file; make it first, if it is not there.

        Raises:
            SettingError, StorageVersionError: it cannot be used, or is not ours.
            UnavailableError: others hold it, the disk is full or failed.
        """
        refuse_unfit(self._database)
        inbox_file.create(self._path, database=self._database)
        refuse_unfit(self._path)
        opening = asyncio.ensure_future(inbox_file.connect_inbox(self._path))
        try:
            self._connection = await asyncio.shield(opening)
            await call(
                self._connection,
                inbox_file.prepare,
                path=self._path,
                outbox_id=self._random.token_bytes(_ID_BYTES).hex(),
            )
        except sqlite3.Error as error:
            await self.close()
            raise UnavailableError(f"cannot open inbox {self._path}: {error}") from error
        except BaseException:
            await asyncio.wait([opening])  # its thread opens the file all the same
            if not opening.cancelled() and opening.exception() is None:
                self._connection = opening.result()
            await self.close()
            raise
        self._refusal = None

    async def append(self, messages: Sequence[NewMessage]) -> list[Accepted | SluicegateError]:
        """Store messages; when this returns they would survive a loss of power.

        If the caller is cancelled they are stored all the same.

        Raises:
            UnavailableError: the inbox or the disk is full, others hold the file, too much waits,
                or the engine has closed or failed. Nothing was stored, unless it says so.
        """
        if self._refusal is not None:
            raise UnavailableError(self._refusal)
        size_bytes = queue_bytes(messages)
        if self._pending_bytes and self._pending_bytes + size_bytes > self._pending_bytes_max:
            raise UnavailableError("too much waits to be written")
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((messages, stored))
        self._pending_bytes += size_bytes
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="sluicegate-inbox")
        await asyncio.shield(stored)
        return [Accepted(message_id=message.id) for message in messages]

    async def close(self) -> None:
        """Store what waits, take no more, close the file. Twice is fine."""
        if self._refusal is None:
            self._refusal = "the engine is closed"
        while self._task is not None:
            await asyncio.wait([self._task])
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close()
            except sqlite3.Error as error:
                log.warning("inbox.close_failed", exc_info=error)

    async def _run(self) -> None:
        """Commit until nothing waits."""
        try:
            while self._waiting:
                await self._commit(self._take_batch())
        finally:
            self._task = None

    def _take_batch(self) -> list[tuple[Sequence[NewMessage], asyncio.Future[None]]]:
        batch = []
        rows = size_bytes = 0
        while self._waiting and rows < _BATCH_ROWS_MAX and size_bytes < _BATCH_BYTES_MAX:
            messages, stored = self._waiting.popleft()
            rows += len(messages)
            size_bytes += queue_bytes(messages)
            batch.append((messages, stored))
        self._pending_bytes -= size_bytes
        return batch

    async def _commit(self, batch: list[tuple[Sequence[NewMessage], asyncio.Future[None]]]) -> None:
        assert self._connection is not None, "it is closed after the task"
        rows = [table.row_of(message) for messages, _ in batch for message in messages]
        refusal: SluicegateError | None = None
        try:
            if self._refusal == _FAILED:
                refusal = UnavailableError(_FAILED)
            else:
                await call(self._connection, self._write, rows)
        except SluicegateError as error:
            refusal = error
        except sqlite3.Error as error:
            refusal = self._judged(error)
        except BaseException:
            refusal = UnavailableError("the event loop is ending; whether it was stored is unknown")
            raise
        finally:
            for _, stored in batch:
                if stored.done():
                    continue
                if refusal is None:
                    stored.set_result(None)
                else:
                    stored.set_exception(refusal)

    def _write(self, db: sqlite3.Connection, rows: Sequence[table.Row]) -> None:
        inbox_file.write(db, rows, bytes_max=self._bytes_max)
        ring(self._doorbell)

    def _judged(self, error: sqlite3.Error) -> UnavailableError:
        """Say what an error of SQLite means; end all when nobody knows what is on the disk."""
        code = getattr(error, "sqlite_errorcode", None)
        why = None if code is None else _SURE.get(code & 0xFF)
        if why is not None:
            return UnavailableError(why, retry_after_s=_FULL_RETRY_AFTER_S)
        if self._refusal != _FAILED:
            self._refusal = _FAILED
            log.critical("inbox.failed", exc_info=error)
            self._fatal(error)
        return UnavailableError(f"{_FAILED}; whether this was stored is unknown")


_FAILED = "the inbox has failed"
