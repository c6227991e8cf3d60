"""The way from the event loop to a connection's own thread."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import aiosqlite

from sluicegate.forks import IN_SQLITE

__all__ = ["Connect", "begin", "call", "connect_sqlite"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

Connect = Callable[[str], aiosqlite.Connection]
"""Makes the connection to a database file; awaiting it starts its thread and opens the file."""


def connect_sqlite(path: str) -> aiosqlite.Connection:
    """Return a connection that begins transactions only when told to."""
    return aiosqlite.connect(path, isolation_level=None, cached_statements=256, timeout=5)


class _Outcome:
    """A future as aiosqlite's thread sees one: it hands on what a call came to.

    A real one would cost the loop two turns more, one for its callbacks and one for the task that
    waits for it; in a busy process each is some milliseconds.
    """

    __slots__ = ("_loop", "_then")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        then: Callable[[Any, BaseException | None], None],
    ) -> None:
        self._loop = loop
        self._then = then

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def done(self) -> bool:
        return False

    def set_result(self, result: object) -> None:
        self._then(result, None)

    def set_exception(self, error: BaseException) -> None:
        self._then(None, error)


def begin(
    connection: aiosqlite.Connection,
    function: Callable[[sqlite3.Connection], _R],
    then: Callable[[_R | None, BaseException | None], None],
) -> None:
    """Let the connection's thread run `function(db)`, and the loop then `then(result, error)`.

    Calls run one after another, in the order of the calls; no fork happens during one, so a
    transaction is one call. Never blocks; on the event loop.

    Raises:
        ValueError: the connection is closed.
    """

    def run() -> _R:
        with IN_SQLITE:
            return function(connection._conn)  # noqa: SLF001 - as below

    if not connection._running:  # noqa: SLF001 - as below
        raise ValueError("the connection is closed")
    outcome = _Outcome(asyncio.get_running_loop(), then)
    # aiosqlite's public methods cost a hop between threads for each statement; a batch of a
    # thousand writes must cost one.
    connection._tx.put_nowait((cast("asyncio.Future[Any]", outcome), run))  # noqa: SLF001


async def call(
    connection: aiosqlite.Connection,
    function: Callable[Concatenate[sqlite3.Connection, _P], _R],
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> _R:
    """Run `function(db, …)` on the connection's thread and return what it returns.

    As `begin` does, to which it is one call. A cancelled one runs all the same.
    """
    future: asyncio.Future[_R] = asyncio.get_running_loop().create_future()

    def told(result: _R | None, error: BaseException | None) -> None:
        if future.done():
            return  # cancelled
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast("_R", result))

    begin(connection, lambda db: function(db, *args, **kwargs), told)
    return await future
