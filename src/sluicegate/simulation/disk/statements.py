"""A SQLite connection that asks before it does anything, and may be refused."""

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Keeper", "Statements", "failure"]


class Keeper(Protocol):
    """Whom a connection asks. Implemented by `Disk`."""

    def carry_out(
        self, db: "Statements", sql: str, run: Callable[[], sqlite3.Cursor]
    ) -> sqlite3.Cursor:
        """Carry out a statement, or raise what comes of it instead."""
        ...


class Statements(sqlite3.Connection):
    """A connection whose statements are carried out only as its keeper lets them."""

    keeper: Keeper | None = None
    only_reads = False
    """Whether it may not write: `PRAGMA query_only` was set."""
    limited = False
    """Whether its transactions may use only so many pages."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401 - sqlite3's signature
        """Run one statement."""
        if self.keeper is None:
            return super().execute(sql, parameters)
        return self.keeper.carry_out(self, sql, lambda: self.itself(sql, parameters))

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:  # noqa: ANN401 - sqlite3's signature
        """Run one statement for each of many parameters."""
        if self.keeper is None:
            return super().executemany(sql, parameters)
        return self.keeper.carry_out(
            self, sql, lambda: super(Statements, self).executemany(sql, parameters)
        )

    def itself(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:  # noqa: ANN401 - sqlite3's
        """Run one statement without asking anybody."""
        return super().execute(sql, parameters)

    def number(self, pragma: str) -> int:
        """Return the number that a pragma tells, without asking anybody."""
        return int(self.itself(f"PRAGMA {pragma}").fetchone()[0])

    def syncs(self) -> bool:
        """Return whether a commit is synced to the disk before it returns."""
        return self.number("synchronous") >= 2  # noqa: PLR2004 - FULL, https://sqlite.org/pragma.html#pragma_synchronous


def failure(code: int, name: str, text: str) -> sqlite3.OperationalError:
    """Return the error that SQLite would raise with a result code."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    error.sqlite_errorname = name
    return error
