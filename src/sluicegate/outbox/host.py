"""What an outbox does with a connection of the host's own; and SQLite's connections."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import aiosqlite

from sluicegate.engine.errors import OutboxError
from sluicegate.outbox import table
from sluicegate.outbox.schema import MISSING, is_missing, statements
from sluicegate.outbox.table import Row
from sluicegate.storage.bridge import call

__all__ = [
    "AiosqliteHost",
    "AsyncHost",
    "Host",
    "SqliteHost",
    "commits_by_itself",
    "explained",
    "refuse_autocommit",
]


class Host(Protocol):
    """A connection that blocks, on its own thread.

    Nothing here commits, or begins a transaction that the driver would not begin itself. The
    driver's errors are left to the host as they are, but for missing tables.
    """

    def write(self, rows: Sequence[Row]) -> None:
        """Write messages, in order.

        Raises:
            OutboxError: there are no tables, or no transaction.
        """
        ...

    def create(self) -> None:
        """Create the tables, where they are missing."""
        ...


class AsyncHost(Protocol):
    """The same, awaited on the host's event loop."""

    async def write(self, rows: Sequence[Row]) -> None:
        """As `Host.write`."""
        ...

    async def create(self) -> None:
        """As `Host.create`."""
        ...


@contextmanager
def explained() -> Iterator[None]:
    """Say what to do where tables are missing."""
    try:
        yield
    except Exception as error:
        if is_missing(error):
            raise OutboxError(MISSING) from error
        raise


def refuse_autocommit(by_itself: bool) -> None:  # noqa: FBT001 - the only thing it is told
    """Refuse a connection that would commit the message by itself.

    Raises:
        OutboxError: it would.
    """
    if by_itself:
        raise OutboxError(
            "no transaction is open on this connection, and it commits each statement by itself: "
            "begin one, so that the message is committed or rolled back with the rest"
        )


class SqliteHost:
    """A connection of `sqlite3`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Take it as it is."""
        self._db = db

    def write(self, rows: Sequence[Row]) -> None:
        """Write messages, in order; as with any `INSERT`, a transaction begins if none is open."""
        refuse_autocommit(commits_by_itself(self._db))
        with explained():
            table.insert(self._db, rows)

    def create(self) -> None:
        """Create the tables, in the transaction."""
        if not self._db.in_transaction and not commits_by_itself(self._db):
            self._db.execute("BEGIN")  # `sqlite3` does not, for what is no INSERT
        for statement in statements("sqlite"):
            self._db.execute(statement)


class AiosqliteHost:
    """A connection of `aiosqlite`; what is done is done on its thread, in one go."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        """Take it as it is."""
        self._connection = connection

    async def write(self, rows: Sequence[Row]) -> None:
        """Write messages, in order."""
        await call(self._connection, lambda db: SqliteHost(db).write(rows))

    async def create(self) -> None:
        """Create the tables."""
        await call(self._connection, lambda db: SqliteHost(db).create())


def commits_by_itself(db: sqlite3.Connection) -> bool:
    """Say whether an INSERT would be committed as soon as it is done."""
    never_begins = db.isolation_level is None or getattr(db, "autocommit", None) is True
    return never_begins and not db.in_transaction
