"""The way from the event loop to a connection's own thread."""

import sqlite3
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar, cast

import aiosqlite

__all__ = ["Connect", "call", "connect_sqlite"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

Connect = Callable[[str], aiosqlite.Connection]
"""Makes the connection to a database file; awaiting it starts its thread and opens the file."""


def connect_sqlite(path: str) -> aiosqlite.Connection:
    """Return a connection that begins transactions only when told to."""
    return aiosqlite.connect(path, isolation_level=None, cached_statements=256, timeout=5)


async def call(
    connection: aiosqlite.Connection,
    function: Callable[Concatenate[sqlite3.Connection, _P], _R],
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> _R:
    """Run `function(db, …)` on the connection's thread and return what it returns.

    Calls run one after another, in the order of the calls. A cancelled call runs all the same.
    """

    def run() -> _R:
        return function(connection._conn, *args, **kwargs)  # noqa: SLF001 - as below

    # aiosqlite's public methods cost a hop between threads for each statement; a batch of a
    # thousand writes must cost one.
    return cast("_R", await connection._execute(run))  # type: ignore[no-untyped-call]  # noqa: SLF001
