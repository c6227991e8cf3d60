"""The one writer: everybody who waits goes into one transaction (group commit)."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import aiosqlite

from sluicegate.engine.errors import SluicegateError, UnavailableError
from sluicegate.engine.log import log
from sluicegate.engine.ports import Clock, OnAccepted, StorageFault, Telemetry
from sluicegate.storage.bridge import call
from sluicegate.storage.transactions import Committed, Transactions
from sluicegate.storage.writes import Write

__all__ = ["PATIENCE_S", "Writer"]

_R = TypeVar("_R")

PATIENCE_S = 0.005
"""So long does a write that nobody waits for wait for company."""
_FAILED = "storage has failed"
_BATCH_ROWS_MAX = 1_000
_BATCH_BYTES_MAX = 16 << 20


class _Waiting:
    """A write and the future of whoever waits for it."""

    __slots__ = ("future", "rows", "size_bytes", "write")

    def __init__(
        self, write: Write[Any], future: asyncio.Future[Any], *, rows: int, size_bytes: int
    ) -> None:
        self.write = write
        self.future = future
        self.rows = rows
        self.size_bytes = size_bytes


class Writer:
    """Queues writes and commits them, many at a time, until it is closed or fails.

    Lives on one event loop; the transactions run on the connection's thread. While one commits,
    the next gathers. There are two queues, each in order: what takes on no new messages goes
    first, so that neither a pause nor the result of an attempt waits behind a flood of sends.

    What nobody waits for goes with the next commit that somebody waits for, or with one of its
    own when it has waited for `PATIENCE_S`: a commit of one row costs as much as one of many.
    """

    def __init__(
        self,
        connection: aiosqlite.Connection,
        transactions: Transactions,
        *,
        clock: Clock,
        pending_bytes_max: int,
        accepted: OnAccepted,
        committed: Callable[[], None],
        fatal: Callable[[BaseException], None],
        telemetry: Telemetry,
    ) -> None:
        """Start the task that commits.

        Args:
            connection: the one connection that writes.
            transactions: how a batch is committed.
            clock: paces what is tried again later.
            pending_bytes_max: how many bytes of messages may wait to be written.
            accepted: called after each commit, before anyone is woken, with the messages that
                each endpoint got, if any.
            committed: called after each commit.
            fatal: called once when nothing may be written any more.
            telemetry: is told of each commit.
        """
        self._connection = connection
        self._transactions = transactions
        self._clock = clock
        self._pending_bytes_max = pending_bytes_max
        self._accepted = accepted
        self._committed = committed
        self._fatal = fatal
        self._telemetry = telemetry
        self._first: deque[_Waiting] = deque()
        self._appends: deque[_Waiting] = deque()
        self._pending_bytes = 0
        self._wakeup = asyncio.Event()
        self._patience: asyncio.TimerHandle | None = None
        self._refusal: str | None = None
        self._task = asyncio.create_task(self._run(), name="sluicegate-writer")
        self._task.add_done_callback(self._ended)

    @property
    def commits(self) -> int:
        """Transactions committed so far."""
        return self._transactions.commits

    async def write(self, write: Write[_R]) -> _R:
        """Commit a write that is small and takes on no messages; return its result.

        If the caller is cancelled the write is committed all the same.

        Raises:
            UnavailableError: the disk is full, or the writer has closed or failed.
        """
        return await self.begin(write)

    def begin(self, write: Write[_R], *, urgent: bool = True) -> "asyncio.Future[_R]":
        """Queue a write as `write` does; the future tells its end, and is never awaited in vain.

        Args:
            write: what to do.
            urgent: whether it is committed at once, or waits for others for a while.
        """
        return self._queue(self._first, write, rows=1, size_bytes=0, urgent=urgent)

    async def append(self, write: Write[_R], *, rows: int, size_bytes: int) -> _R:
        """Commit a write that takes on messages; return its result.

        If the caller is cancelled the write is committed all the same.

        Args:
            write: what to do.
            rows: how many messages it takes on.
            size_bytes: how much memory they hold while they wait.

        Raises:
            UnavailableError: too much waits, the disk is full, or the writer has closed or failed.
        """
        # One that is larger than the budget all by itself gets in when nothing else waits.
        room_bytes = self._pending_bytes_max - self._pending_bytes
        if size_bytes > room_bytes and self._pending_bytes:
            raise UnavailableError("too much waits to be written")
        return await self._queue(self._appends, write, rows=rows, size_bytes=size_bytes)

    def _queue(
        self,
        queue: deque[_Waiting],
        write: Write[_R],
        *,
        rows: int,
        size_bytes: int,
        urgent: bool = True,
    ) -> "asyncio.Future[_R]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_R] = loop.create_future()
        if self._refusal is not None:
            future.set_exception(UnavailableError(self._refusal))
            return future
        queue.append(_Waiting(write, future, rows=rows, size_bytes=size_bytes))
        self._pending_bytes += size_bytes
        if urgent:
            self._go()
        elif self._patience is None and not self._wakeup.is_set():
            self._patience = loop.call_later(PATIENCE_S, self._go)
        return future

    def _go(self) -> None:
        """Let all that waits be committed."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._wakeup.set()

    async def close(self) -> None:
        """Commit what waits, refuse the rest, and end. Twice is fine."""
        if self._refusal is None:
            self._refusal = "shutting down"
        self._wakeup.set()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while self._refusal is None:
            await self._wakeup.wait()
            if batch := self._take_batch():
                await self._commit(batch)
        while batch := self._take_batch():
            await self._commit(batch)

    def _take_batch(self) -> list[_Waiting]:
        """Take the next writes off the queues; none only when none wait."""
        self._go()
        self._wakeup.clear()
        batch: list[_Waiting] = []
        rows = size_bytes = 0
        for queue in (self._first, self._appends):
            while queue and rows < _BATCH_ROWS_MAX and size_bytes < _BATCH_BYTES_MAX:
                waiting = queue.popleft()
                rows += waiting.rows
                size_bytes += waiting.size_bytes
                batch.append(waiting)
            if queue:
                self._wakeup.set()
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        """Commit a batch, tell who got messages, then answer everybody in it."""
        writes = [waiting.write for waiting in batch]
        now_ms, began_s = self._clock.steady_ms(), self._clock.monotonic_s()
        commits = self.commits
        try:
            done = await call(self._connection, self._transactions.run, writes, now_ms=now_ms)
        except (sqlite3.Error, OSError, ValueError) as error:
            # It did not come out of `Transactions.run`: nobody knows what happened inside.
            results: list[object] = [UnavailableError(_FAILED) for _ in batch]
            done = Committed(results, {}, error, faults=(StorageFault.UNKNOWN,))
        for fault in done.faults:
            self._telemetry.storage_failed(fault)
        if self.commits > commits:
            duration_s = self._clock.monotonic_s() - began_s
            self._telemetry.committed(
                writes=len(batch),
                accepted=sum(len(each.messages) for each in done.accepted.values()),
                duration_s=duration_s,
            )
        try:
            if done.fatal is not None:
                self._fail(done.fatal)
            if done.accepted:
                self._accepted(done.accepted)
            if self.commits > commits:
                self._committed()
        finally:
            self._answer(batch, done.results)

    def _answer(self, batch: list[_Waiting], results: list[object]) -> None:
        for waiting, result in zip(batch, results, strict=True):
            self._pending_bytes -= waiting.size_bytes
            if waiting.future.done():
                continue
            if isinstance(result, SluicegateError):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)

    def _fail(self, error: BaseException) -> None:
        """Refuse everything from now on, and say so once."""
        first = self._refusal != _FAILED
        self._refuse_waiting(_FAILED)
        if first:
            log.critical("storage.failed", exc_info=error)
            self._fatal(error)

    def _refuse_waiting(self, reason: str) -> None:
        self._refusal = reason
        for queue in (self._first, self._appends):
            batch = list(queue)
            queue.clear()
            self._answer(batch, [UnavailableError(reason) for _ in batch])

    def _ended(self, task: asyncio.Task[None]) -> None:
        """See to it that nobody waits for a task that is no more."""
        if task.cancelled():
            self._refuse_waiting("the event loop is ending")
        elif (error := task.exception()) is not None:
            self._fail(error)
