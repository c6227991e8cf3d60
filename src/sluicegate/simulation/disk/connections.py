"""aiosqlite without its threads: what they would do is done inline, at virtual moments."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any, Protocol, cast

import aiosqlite

from sluicegate.simulation.loop import SimulationLoop

__all__ = ["HostDiedError", "Pace", "connect_inline"]


class HostDiedError(BaseException):
    """The host died in the middle of an operation on its disk. Not for any handler of its code."""


class Pace(Protocol):
    """How long operations take, and who is told of a death in the middle of one."""

    def operation_s(self) -> float:
        """Return how long the next operation takes, in seconds."""
        ...

    def died(self) -> None:
        """Hear that an operation ended in the death of the host."""
        ...


class _Inline:
    """Stands for the queue to a connection's thread: does the work itself, in order, later.

    An operation happens at one moment, and the loop hears of it at a later one: a crash can come
    between the two.
    """

    def __init__(self, loop: SimulationLoop, pace: Pace) -> None:
        self._loop = loop
        self._pace = pace
        self._free_at_s = 0.0

    def put_nowait(self, item: tuple[asyncio.Future[Any] | None, Callable[[], object]]) -> None:
        begins_s = max(self._loop.time(), self._free_at_s)
        done_s = begins_s + self._pace.operation_s()
        self._free_at_s = done_s + self._pace.operation_s() / 4
        self._loop.call_at(done_s, self._work, *item, self._free_at_s)

    def _work(
        self,
        future: asyncio.Future[Any] | None,
        function: Callable[[], object],
        told_at_s: float,
    ) -> None:
        try:
            result, error = function(), None
        except HostDiedError:
            self._pace.died()
            return
        except Exception as raised:  # noqa: BLE001 - it is the asker's
            result, error = None, raised
        if future is not None:
            self._loop.call_at(told_at_s, _tell, future, result, error)


def _tell(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


class _NoThread:
    """Stands for a connection's thread."""

    def start(self) -> None:
        """Start nothing."""


def connect_inline(
    connector: Callable[[], sqlite3.Connection], *, loop: SimulationLoop, pace: Pace
) -> aiosqlite.Connection:
    """Return an aiosqlite connection that is not open yet, and never starts a thread."""
    connection = aiosqlite.Connection(connector, 64)
    within = cast("Any", connection)  # two private attributes are all that aiosqlite's thread is
    within._tx = _Inline(loop, pace)  # noqa: SLF001
    within._thread = _NoThread()  # noqa: SLF001
    return connection
