"""A SQLite connection that asks before it commits, and may be refused."""

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Keeper", "Statements", "failure"]


class Keeper(Protocol):
    """Whom a connection asks. Implemented by `Disk`."""

    checkpoints: bool

    def commit(self, db: "Statements", commit: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        """Carry out a commit, or not."""
        ...

    def begin(self) -> None:
        """Let a transaction begin, or raise."""
        ...


class Statements(sqlite3.Connection):
    """A connection whose transactions begin and end only as its keeper lets them.

    Checkpoints are off unless the keeper has them: what survives a loss of power is then a matter
    of the log alone, up to where it was synced. A clean close still brings the log into the file.
    """

    keeper: Keeper | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401 - sqlite3's signature
        """Run one statement."""
        if self.keeper is None:
            return super().execute(sql, parameters)
        if sql == "COMMIT":
            return self.keeper.commit(self, lambda: super(Statements, self).execute(sql))
        if sql == "BEGIN IMMEDIATE":
            self.keeper.begin()
        elif self.keeper.checkpoints:
            return super().execute(sql, parameters)
        elif sql.startswith("PRAGMA wal_checkpoint"):
            return super().execute("SELECT 0, 0, 0")
        elif sql.startswith("PRAGMA wal_autocheckpoint"):
            return super().execute("PRAGMA wal_autocheckpoint = 0")
        return super().execute(sql, parameters)

    def syncs(self) -> bool:
        """Return whether a commit is synced to the disk before it returns."""
        (level,) = super().execute("PRAGMA synchronous").fetchone()
        return int(level) >= 2  # noqa: PLR2004 - FULL, https://sqlite.org/pragma.html#pragma_synchronous


def failure(code: int, name: str, text: str) -> sqlite3.OperationalError:
    """Return the error that SQLite would raise with a result code."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    error.sqlite_errorname = name
    return error
