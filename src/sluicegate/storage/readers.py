"""The connections that read."""

import sqlite3
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from sluicegate.engine.errors import SluicegateError, UnavailableError
from sluicegate.engine.log import log
from sluicegate.storage.bridge import call

__all__ = ["Readers"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Readers:
    """A few `query_only` connections; a read goes to the one with the fewest before it."""

    def __init__(self, connections: list[aiosqlite.Connection]) -> None:
        """Take at least one open connection."""
        self._connections = connections
        self._waiting = [0] * len(connections)
        self._closed = False

    async def read(
        self,
        query: Callable[Concatenate[sqlite3.Connection, _P], _R],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        """Run `query(db, …)` on a reading thread and return what it returns.

        Raises:
            UnavailableError: the disk or the file failed, or the storage is closed.
        """
        if self._closed:
            raise UnavailableError("shutting down")
        index = self._waiting.index(min(self._waiting))
        self._waiting[index] += 1
        try:
            return await call(self._connections[index], query, *args, **kwargs)
        except sqlite3.Error as error:
            log.error("storage.read_failed", exc_info=error)
            raise UnavailableError("the database cannot be read") from error
        except OverflowError as error:
            raise SluicegateError("a number is out of range") from error
        finally:
            self._waiting[index] -= 1

    def refuse(self) -> None:
        """Begin no further read; what is being read is finished."""
        self._closed = True
