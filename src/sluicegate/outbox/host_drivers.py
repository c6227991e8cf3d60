"""Connections that other packages make: psycopg, SQLAlchemy, Django. None of them is imported.

Whoever has a connection of one has imported it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from sluicegate.forks import LOADING
from sluicegate.outbox.host import commits_by_itself, explained, refuse_autocommit
from sluicegate.outbox.schema import dialect_of, statements
from sluicegate.outbox.table import COLUMNS, Row

if TYPE_CHECKING:
    import psycopg
    import sqlalchemy
    from django.db.backends.base.base import BaseDatabaseWrapper
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
    from sqlalchemy.orm import Session, scoped_session

__all__ = ["AlchemyHost", "AsyncAlchemyHost", "AsyncPsycopgHost", "DjangoHost", "PsycopgHost"]

_INSERT = (
    f"INSERT INTO sluicegate_outbox ({', '.join(COLUMNS)})"  # noqa: S608 - constants
    f" VALUES ({', '.join(['%s'] * len(COLUMNS))})"
)
_IDLE = 0
"""No transaction is open: `psycopg.pq.TransactionStatus`."""


class PsycopgHost:
    """A connection of psycopg."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        """Take it as it is."""
        self._connection = connection

    def write(self, rows: Sequence[Row]) -> None:
        """Write messages, in order; as with any statement, a transaction begins if none is open."""
        _refuse_idle(self._connection)
        with explained(), self._connection.cursor() as cursor:
            cursor.executemany(_INSERT, rows)

    def create(self) -> None:
        """Create the tables, in the transaction."""
        for statement in statements("postgresql"):
            self._connection.execute(statement.encode())


class AsyncPsycopgHost:
    """An asynchronous connection of psycopg."""

    def __init__(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        """Take it as it is."""
        self._connection = connection

    async def write(self, rows: Sequence[Row]) -> None:
        """Write messages, in order."""
        _refuse_idle(self._connection)
        with explained():
            async with self._connection.cursor() as cursor:
                await cursor.executemany(_INSERT, rows)

    async def create(self) -> None:
        """Create the tables."""
        for statement in statements("postgresql"):
            await self._connection.execute(statement.encode())


class AlchemyHost:
    """A connection or a session of SQLAlchemy, to SQLite or PostgreSQL by whatever driver."""

    def __init__(
        self, given: "sqlalchemy.Connection | Session | scoped_session[Session]", *, session: bool
    ) -> None:
        """Take it as it is, and whether it is a session."""
        self._given = given
        self._session = session

    def write(self, rows: Sequence[Row]) -> None:
        """Write messages, in order; as with any statement, a transaction begins if none is open."""
        connection = self._connection()
        dialect_of(connection.dialect.name)
        refuse_autocommit(_alchemy_commits_by_itself(connection))
        with explained():
            connection.execute(
                _alchemy_insert(), [dict(zip(COLUMNS, row, strict=True)) for row in rows]
            )

    def create(self) -> None:
        """Create the tables, in the transaction."""
        connection = self._connection()
        for statement in statements(dialect_of(connection.dialect.name)):
            connection.exec_driver_sql(statement)

    def _connection(self) -> "sqlalchemy.Connection":
        if self._session:
            return cast("Session", self._given).connection()
        return cast("sqlalchemy.Connection", self._given)


class AsyncAlchemyHost:
    """The same, asynchronous."""

    def __init__(self, given: "AsyncConnection | AsyncSession", *, session: bool) -> None:
        """Take it as it is, and whether it is a session."""
        self._given = given
        self._session = session

    async def write(self, rows: Sequence[Row]) -> None:
        """Write messages, in order."""
        await self._given.run_sync(lambda given: self._blocking(given).write(rows))

    async def create(self) -> None:
        """Create the tables."""
        await self._given.run_sync(lambda given: self._blocking(given).create())

    def _blocking(self, given: "sqlalchemy.Connection | Session") -> AlchemyHost:
        return AlchemyHost(given, session=self._session)


class DjangoHost:
    """A connection of Django's, as in `django.db.connection`."""

    def __init__(self, connection: "BaseDatabaseWrapper") -> None:
        """Take it as it is."""
        self._connection = connection

    def write(self, rows: Sequence[Row]) -> None:
        """Write messages, in order."""
        dialect_of(self._connection.vendor)
        refuse_autocommit(
            not self._connection.in_atomic_block and self._connection.get_autocommit()
        )
        with explained(), self._connection.cursor() as cursor:
            cursor.executemany(_INSERT, rows)

    def create(self) -> None:
        """Create the tables, in the transaction."""
        with self._connection.cursor() as cursor:
            for statement in statements(dialect_of(self._connection.vendor)):
                cursor.execute(statement)


def _refuse_idle(connection: "psycopg.Connection[Any] | psycopg.AsyncConnection[Any]") -> None:
    idle = connection.info.transaction_status == _IDLE
    refuse_autocommit(connection.autocommit and idle)


def _alchemy_commits_by_itself(connection: "sqlalchemy.Connection") -> bool:
    """Say whether an INSERT would be committed as soon as it is done."""
    if connection.dialect.name == "sqlite":
        driver = cast("Any", connection.connection.driver_connection)
        driver = getattr(driver, "_conn", driver)  # aiosqlite's, which does not tell `autocommit`
        if commits_by_itself(driver):
            connection.exec_driver_sql("SELECT 1")  # the host's listener may send its BEGIN now
        return commits_by_itself(driver)
    return bool(getattr(connection.connection.dbapi_connection, "autocommit", False))


def _alchemy_insert() -> "sqlalchemy.Insert":
    """Return the statement with its types: some drivers send them, and a time is no INTEGER."""
    with LOADING:
        import sqlalchemy as sa  # noqa: PLC0415 - loaded already, by whoever has a connection of it

    types: dict[str, Any] = {
        "payload": sa.LargeBinary,
        "retention_hours": sa.BigInteger,
        "accepted_at_ms": sa.BigInteger,
    }
    columns = [sa.column(name, types.get(name, sa.Text)) for name in COLUMNS]
    return sa.table("sluicegate_outbox", *columns).insert()
