"""Run by the tests, to be killed: a host that has committed, or an engine that has stored."""

import asyncio
import sqlite3
import sys
from typing import Any

import psycopg

from sluicegate import Engine, Settings
from sluicegate.outbox.postgresql_source import PostgresqlOutbox
from sluicegate.outbox.sqlite_source import SqliteSource
from sluicegate.storage import SqliteStorage


def commit(url: str, endpoint_id: str) -> None:
    """Commit a message with the host's own row."""
    is_file = url.startswith("sqlite:///")
    db: Any = sqlite3.connect(url.removeprefix("sqlite:///")) if is_file else psycopg.connect(url)
    sent = Engine(Settings(), mode="enqueue").outbox(db).send(endpoint_id, "paid")
    db.execute("INSERT INTO orders VALUES (1)")
    db.commit()
    print(sent, flush=True)  # noqa: T201 - told to the test
    sys.stdin.read()


async def relay(database: str, url: str, step: str) -> None:
    """Begin to move what is in the outbox, and stop before a step."""

    async def stop(*_: Any, **__: Any) -> None:
        print(step, flush=True)  # noqa: T201 - told to the test
        await asyncio.Event().wait()

    source = SqliteSource if url.startswith("sqlite") else PostgresqlOutbox
    setattr(SqliteStorage if step == "append_relayed" else source, step, stop)
    async with Engine(Settings(database=database, dev=True, outboxes=(url,))):
        await asyncio.Event().wait()


if sys.argv[1] == "commit":
    commit(*sys.argv[2:])
else:
    asyncio.run(relay(*sys.argv[2:]))
