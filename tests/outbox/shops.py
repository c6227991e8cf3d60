"""Databases of hosts, and every kind of connection to them that an outbox can write on."""

import inspect
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiosqlite

from sluicegate import Engine, Settings

KINDS = ("sqlite3", "aiosqlite")
WRITER = Engine(Settings(), mode="enqueue")
"""An engine in a host's process, which is never opened."""


async def done(result: Any) -> Any:
    """Await what is awaited; the rest is done already."""
    return await result if inspect.isawaitable(result) else result


class Shop(Protocol):
    """A host: a database with one table of its own, and the outbox."""

    kind: str
    url: str

    async def connect(self) -> Any:
        """Return a connection of the kind, with a transaction open, or about to be."""
        ...

    async def order(self, connection: Any, number: int) -> None:
        """Write a row of the host's own in the transaction."""
        ...

    async def drop_tables(self, connection: Any) -> None:
        """Remove the outbox, as if it had never been made."""
        ...

    def count(self, table: str) -> int:
        """Return how many rows are committed."""
        ...


class SqliteShop:
    """A host with a file."""

    def __init__(self, folder: Path, kind: str = "sqlite3") -> None:
        self.kind = kind
        self.path = str(folder / "shop.db")
        self.url = f"sqlite:///{self.path}"
        db = sqlite3.connect(self.path)
        db.execute("CREATE TABLE orders (number INTEGER)")
        db.close()

    async def connect(self) -> Any:
        if self.kind == "aiosqlite":
            return await aiosqlite.connect(self.path)
        return sqlite3.connect(self.path)

    async def order(self, connection: Any, number: int) -> None:
        await done(connection.execute("INSERT INTO orders VALUES (?)", (number,)))

    async def drop_tables(self, connection: Any) -> None:
        for each in ("", "_refused", "_meta"):
            await done(connection.execute(f"DROP TABLE sluicegate_outbox{each}"))
        await done(connection.commit())

    def count(self, table: str) -> int:
        db = sqlite3.connect(self.path)
        try:
            return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - a constant
        finally:
            db.close()


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
