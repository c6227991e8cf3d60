"""Databases of hosts, and every kind of connection to them that an outbox can write on."""

import inspect
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol

import aiosqlite
import psycopg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from sluicegate import Engine, Settings

from .postgres import Server

WRITER = Engine(Settings(), mode="enqueue")
"""An engine in a host's process, which is never opened."""

_TABLES = ("sluicegate_outbox", "sluicegate_outbox_refused", "sluicegate_outbox_meta")


async def done(result: Any) -> Any:
    """Await what is awaited; the rest is done already."""
    return await result if inspect.isawaitable(result) else result


def _alchemy(driver: str, **more: Any) -> Callable[[str], Any]:
    return lambda rest: sa.create_engine(f"{driver}:{rest}", poolclass=sa.NullPool, **more)


def _async_alchemy(driver: str) -> Callable[[str], Any]:
    return lambda rest: create_async_engine(f"{driver}:{rest}", poolclass=sa.NullPool)


def _alchemy_kinds(driver: str, async_driver: str) -> dict[str, Callable[[str], Any]]:
    """Return, by kind, what connects to a URL without its scheme."""
    blocking, asynchronous = _alchemy(driver), _async_alchemy(async_driver)
    return {
        f"{driver}: Connection": lambda rest: blocking(rest).connect(),
        f"{driver}: Session": lambda rest: Session(blocking(rest)),
        f"{driver}: scoped_session": lambda rest: scoped_session(sessionmaker(blocking(rest))),
        f"{async_driver}: AsyncConnection": lambda rest: asynchronous(rest).connect(),
        f"{async_driver}: AsyncSession": lambda rest: AsyncSession(asynchronous(rest)),
    }


class Shop(Protocol):
    """A host: a database with one table of its own, and the outbox."""

    kind: str
    url: str

    async def connect(self) -> Any:
        """Return a connection of the kind, with a transaction open, or about to be."""
        ...

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement in a transaction of its own; return what it answers."""
        ...


class SqliteShop:
    """A host with a file."""

    KINDS: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "sqlite3": lambda rest: sqlite3.connect(rest.removeprefix("///")),
        "aiosqlite": lambda rest: aiosqlite.connect(rest.removeprefix("///")),
        **_alchemy_kinds("sqlite+pysqlite", "sqlite+aiosqlite"),
    }

    def __init__(self, folder: Path, kind: str = "sqlite3") -> None:
        self.kind = kind
        self.path = str(folder / "shop.db")
        self.url = f"sqlite:///{self.path}"
        self.run("CREATE TABLE orders (number INTEGER)")

    async def connect(self) -> Any:
        return await done(self.KINDS[self.kind](f"///{self.path}"))

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        db = sqlite3.connect(self.path, timeout=20)
        try:
            with db:
                return db.execute(statement).fetchall()
        finally:
            db.close()


class PostgresqlShop:
    """A host with a schema on a server."""

    KINDS: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "psycopg": lambda rest: psycopg.connect(f"postgresql:{rest}"),
        "async psycopg": lambda rest: psycopg.AsyncConnection.connect(f"postgresql:{rest}"),
        **_alchemy_kinds("postgresql+psycopg", "postgresql+psycopg_async"),
    }

    def __init__(self, server: Server, kind: str = "psycopg") -> None:
        self.kind = kind
        self.server = server
        self._schema = server.new_schema()
        self.url = server.url(self._schema)
        self.run("CREATE TABLE orders (number INTEGER)")

    async def connect(self) -> Any:
        return await done(self.KINDS[self.kind](self.url.removeprefix("postgresql:")))

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        return self.server.run(statement, schema=self._schema)


KINDS = (*SqliteShop.KINDS, *PostgresqlShop.KINDS)


def count(shop: Shop, table: str = "sluicegate_outbox") -> int:
    """Return how many rows are committed."""
    return int(shop.run(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - a constant


def drop_tables(shop: Shop) -> None:
    """Remove the outbox, as if it had never been made."""
    for table in _TABLES:
        shop.run(f"DROP TABLE {table}")


async def order(shop: Shop, connection: Any, number: int) -> None:
    """Write a row of the host's own in its transaction."""
    statement = f"INSERT INTO orders VALUES ({number})"  # noqa: S608 - a number
    await done(connection.execute(sa.text(statement) if ": " in shop.kind else statement))


@asynccontextmanager
async def connected(shop: Shop) -> AsyncIterator[Any]:
    """Connect, and close in any case: the thread of a forgotten connection keeps a process up."""
    connection = await shop.connect()
    try:
        yield connection
    finally:
        await done(connection.close())


async def create_tables(shop: Shop) -> None:
    """Make the host's outbox, as a program without migrations does."""
    async with connected(shop) as connection:
        await done(WRITER.outbox(connection).create_tables())
        await done(connection.commit())


async def send(shop: Shop, endpoint_id: str, payload: object) -> str:
    """Commit one message."""
    async with connected(shop) as connection:
        sent = str(await done(WRITER.outbox(connection).send(endpoint_id, payload)))
        await done(connection.commit())
    return sent
