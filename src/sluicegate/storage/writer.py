"""The one writer: everybody who waits goes into one transaction (group commit)."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import aiosqlite

from sluicegate.engine.errors import SluicegateError, UnavailableError
from sluicegate.engine.log import log
from sluicegate.engine.ports import Clock, OnAccepted, StorageFault, Telemetry
from sluicegate.storage.bridge import begin
from sluicegate.storage.transactions import Committed, Transactions
from sluicegate.storage.write_queues import Queued, WriteQueues
from sluicegate.storage.writes import Write
from sluicegate.turns.pacer import Line
from sluicegate.turns.prompt_future import PromptFuture

__all__ = ["COMPANY", "PATIENCE_S", "Writer"]

_R = TypeVar("_R")

PATIENCE_S = 0.01
"""So long does a write that nobody waits for wait for company."""
COMPANY = 32
"""So many writes are company enough."""
_ROUNDS = 2
"""So often does the sends' commit let those in line go first, while there is little company."""
_TOLD_AT_ONCE = 4
"""So many answers are given in the turn in which a commit ends; the others wait in line."""
_FAILED = "storage has failed"


class Writer:
    """Queues writes and commits them, many at a time, until it is closed or fails.

    Lives on one event loop; the transactions run on the connection's thread. While one commits,
    the next gathers. What is urgent goes first and is told at once, so that neither a pause nor
    the next attempt waits behind a flood of sends; with a command among it, every second commit
    has nothing else. The sends' commit waits in line behind sends that have arrived already, and
    their answers wait in line too.

    What nobody waits for (the result of an attempt that holds nothing up) waits for company: until
    there are `COMPANY` of its kind, or an urgent one, and for `PATIENCE_S` at most. Ten results
    stored together cost a third of ten that are stored one by one, and whoever sends would wait
    for it.
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
        line: Line,
    ) -> None:
        """Be ready to commit, on the loop that runs.

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
            line: where what is not urgent waits in line, behind what makes it.
        """
        self._connection = connection
        self._transactions = transactions
        self._clock = clock
        self._pending_bytes_max = pending_bytes_max
        self._accepted = accepted
        self._committed = committed
        self._fatal = fatal
        self._telemetry = telemetry
        self._line = line
        self._loop = asyncio.get_running_loop()
        self._queues = WriteQueues()
        self._pending_bytes = 0
        self._patience: asyncio.TimerHandle | None = None
        self._refusal: str | None = None
        self._busy = False
        """A commit is under way, or about to begin."""
        self._in_line = False
        """It is about to begin when its turn has come."""
        self._has_place = False
        """Its place in line is still to come, even if it is not needed any more."""
        self._rested = asyncio.Event()

    @property
    def commits(self) -> int:
        """Transactions committed so far."""
        return self._transactions.commits

    def write(self, write: Write[_R]) -> "asyncio.Future[_R]":
        """Queue a command: small, takes on no messages, and somebody waits.

        Returns:
            Its result; it raises `UnavailableError` if the disk is full, or the writer has closed
            or failed. If whoever awaits it is cancelled the write is committed all the same.
        """
        self._queues.has_command = True
        return self.begin(write)

    def begin(self, write: Write[_R], *, urgent: bool = True) -> "asyncio.Future[_R]":
        """Queue a write that is small; the future tells its end as `write` does, never in vain.

        Args:
            write: what to do.
            urgent: whether it is committed and told at once, or waits for others for a while.
        """
        queue = self._queues.urgent if urgent else self._queues.patient
        future = PromptFuture[_R](loop=self._loop)
        self._queue(queue, write, future, at_once=urgent)
        return future

    def append(self, write: Write[_R], *, rows: int, size_bytes: int) -> "asyncio.Future[_R]":
        """Queue a write that takes on messages; the future tells its end, as that of `begin`.

        It fails with `UnavailableError` if too much waits, the disk is full, or the writer has
        closed or failed. If it is cancelled the write is committed all the same.

        Args:
            write: what to do.
            rows: how many messages it takes on.
            size_bytes: how much memory they hold while they wait.
        """
        # One that is larger than the budget all by itself gets in when nothing else waits.
        room_bytes = self._pending_bytes_max - self._pending_bytes
        future: asyncio.Future[_R] = self._loop.create_future()
        if size_bytes > room_bytes and self._pending_bytes:
            future.set_exception(UnavailableError("too much waits to be written"))
        else:
            queue = self._queues.appends
            self._queue(queue, write, future, rows=rows, size_bytes=size_bytes, at_once=False)
        return future

    def _queue(
        self,
        queue: deque[Queued],
        write: Write[_R],
        future: "asyncio.Future[_R]",
        *,
        rows: int = 1,
        size_bytes: int = 0,
        at_once: bool = True,
    ) -> None:
        if self._refusal is not None:
            future.set_exception(UnavailableError(self._refusal))
            return
        queue.append(Queued(write, future, rows, size_bytes, at_once))
        self._pending_bytes += size_bytes
        if queue is not self._queues.patient:
            self._commit_soon()
        elif len(queue) >= COMPANY:
            self._end_patience()
        elif self._patience is None:
            self._patience = self._loop.call_later(PATIENCE_S, self._end_patience)

    def _end_patience(self) -> None:
        """Let the next commit take what nobody waits for, too."""
        self._queues.patience_is_over = True
        self._commit_soon()

    def _commit_soon(self) -> None:
        """See to it that a commit begins: in its turn if only sends wait, else after this turn."""
        if self._busy and not (self._in_line and self._queues.is_pressing):
            return
        self._busy = True
        self._rested.clear()
        if self._queues.is_pressing:
            self._in_line = False
            self._loop.call_soon(self._commit)
        else:
            self._line_up(rounds=_ROUNDS)

    def _line_up(self, *, rounds: int) -> None:
        """Let a commit begin when what is before it in line is done, perhaps a few times."""
        self._in_line = True
        if not self._has_place:
            self._has_place = True
            self._line.add(partial(self._commit_in_turn, rounds - 1))

    def _commit_in_turn(self, rounds: int) -> None:
        self._has_place = False
        if not self._in_line:
            return  # it has begun, as something urgent came
        if rounds and self._line.is_busy and len(self._queues.appends) < COMPANY:
            self._line_up(rounds=rounds)
        else:
            self._in_line = False
            self._commit()

    async def close(self) -> None:
        """Commit what waits, refuse the rest, and end. Twice is fine."""
        if self._refusal is None:
            self._refusal = "shutting down"
        self._end_patience()
        await self._rested.wait()
        await self._line.caught_up()

    def _commit(self) -> None:
        """Begin a commit of what is due; rest when nothing is."""
        batch = self._queues.take_batch()
        if not self._queues.patient and self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if not batch:
            self._busy = False
            self._rested.set()
            return
        writes, now_ms = [queued.write for queued in batch], self._clock.steady_ms()
        ended = partial(self._committed_or_not, batch, self.commits, self._clock.monotonic_s())
        try:
            begin(
                self._connection,
                partial(self._transactions.run, writes=writes, now_ms=now_ms),
                ended,
            )
        except ValueError as error:
            ended(None, error)

    def _committed_or_not(
        self,
        batch: list[Queued],
        commits: int,
        began_s: float,
        done: Committed | None,
        error: BaseException | None,
    ) -> None:
        """Tell who got messages, answer everybody in a batch, and begin the next one."""
        if done is None:
            # It did not come out of `Transactions.run`: nobody knows what happened inside.
            results: list[object] = [UnavailableError(_FAILED) for _ in batch]
            fatal = error if isinstance(error, Exception) else RuntimeError(repr(error))
            done = Committed(results, {}, fatal, faults=(StorageFault.UNKNOWN,))
        try:
            self._tell(done, writes=len(batch), committed=self.commits > commits, began_s=began_s)
        except Exception as bug:  # noqa: BLE001 - who is told is to be trusted, or all must end
            self._fail(bug)
        finally:
            self._answer(batch, done.results)
        if self._queues.appends and not self._queues.is_pressing:
            self._line_up(rounds=_ROUNDS)
        else:
            self._commit()

    def _tell(self, done: Committed, *, writes: int, committed: bool, began_s: float) -> None:
        for fault in done.faults:
            self._telemetry.storage_failed(fault)
        if committed:
            self._telemetry.committed(
                writes=writes,
                accepted=sum(len(each.messages) for each in done.accepted.values()),
                duration_s=self._clock.monotonic_s() - began_s,
            )
        if done.fatal is not None:
            self._fail(done.fatal)
        if done.accepted:
            self._accepted(done.accepted)
        if committed:
            self._committed()

    def _answer(self, batch: list[Queued], results: list[object]) -> None:
        """Tell what is urgent, now with a command and else soon, and the others in their turn.

        What is told now makes further writes at once, and so smaller commits: a twentieth of the
        CPU that a send costs. Only a command is worth it, and what was written before it is told
        before it.
        """
        at_once = 0 if self._line.is_busy else _TOLD_AT_ONCE
        for queued, result in zip(batch, results, strict=True):
            self._pending_bytes -= queued.size_bytes
            if queued.at_once and self._queues.with_command:
                _complete(queued.future, result)
            elif queued.at_once:
                self._loop.call_soon(_complete, queued.future, result)
            elif at_once:
                at_once -= 1
                _complete(queued.future, result)
            else:
                self._line.add(partial(_complete, queued.future, result))

    def _fail(self, error: BaseException) -> None:
        """Refuse everything from now on, and say so once."""
        first = self._refusal != _FAILED
        self._refuse_waiting(_FAILED)
        if first:
            log.critical("storage.failed", exc_info=error)
            self._fatal(error)

    def _refuse_waiting(self, reason: str) -> None:
        self._refusal = reason
        batch = self._queues.take_all()
        self._answer(batch, [UnavailableError(reason) for _ in batch])


def _complete(future: asyncio.Future[Any], result: object) -> None:
    if future.done():
        return  # cancelled
    if isinstance(result, SluicegateError):
        future.set_exception(result)
    else:
        future.set_result(result)
