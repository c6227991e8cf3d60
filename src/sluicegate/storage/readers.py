"""The connections that read."""

import sqlite3
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from sluicegate.engine.errors import SluicegateError, UnavailableError
from sluicegate.engine.log import log
from sluicegate.engine.ports import StorageFault, Telemetry
from sluicegate.storage.bridge import call

__all__ = ["Readers"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Readers:
    """A few `query_only` connections, the first of which is the delivery loop's own.

    So no listing that a client asks for, however long, keeps a message from being delivered.
    Clients' reads go to the one of the others with the fewest before it.
    """

    def __init__(self, connections: list[aiosqlite.Connection], *, telemetry: Telemetry) -> None:
        """Take at least two open connections, and who is told of failures."""
        self._connections = connections
        self._waiting = [0] * len(connections)
        self._telemetry = telemetry
        self._closed = False

    async def read(
        self,
        query: Callable[Concatenate[sqlite3.Connection, _P], _R],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        """Run `query(db, …)` for a client on a reading thread and return what it returns.

        Raises:
            UnavailableError: the disk or the file failed, or the storage is closed.
        """
        index = self._waiting.index(min(self._waiting[1:]), 1)
        return await self._on(index, query, *args, **kwargs)

    async def deliver(
        self,
        query: Callable[Concatenate[sqlite3.Connection, _P], _R],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        """Run `query(db, …)` for the delivery loop; otherwise as `read`."""
        return await self._on(0, query, *args, **kwargs)

    async def _on(
        self,
        index: int,
        query: Callable[Concatenate[sqlite3.Connection, _P], _R],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        if self._closed:
            raise UnavailableError("shutting down")
        self._waiting[index] += 1
        try:
            return await call(self._connections[index], query, *args, **kwargs)
        except sqlite3.Error as error:
            self._telemetry.storage_failed(StorageFault.READ)
            log.error("storage.read_failed", exc_info=error)
            raise UnavailableError("the database cannot be read") from error
        except OverflowError as error:
            raise SluicegateError("a number is out of range") from error
        finally:
            self._waiting[index] -= 1

    def refuse(self) -> None:
        """Begin no further read; what is being read is finished."""
        self._closed = True
