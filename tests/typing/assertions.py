"""What mypy and pyright must make of the public face; read by them, never run.

`make check` has both read it. That a wrong use is refused is asserted too: where an error is
ignored there must be one, for both of them, else the ignore is an error.
"""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import assert_type

import aiosqlite
import psycopg
import sqlalchemy
from django.db.backends.base.base import BaseDatabaseWrapper
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

from sluicegate import Engine, Settings, SyncEngine
from sluicegate.embedding import CallTimeoutError
from sluicegate.embedding.sync_events import SyncEventStream
from sluicegate.engine.errors import SluicegateError, UnavailableError
from sluicegate.engine.events import Event, EventName
from sluicegate.engine.model import Accepted, Attempt, CreatedEndpoint, Endpoint, Message
from sluicegate.engine.pages import Page
from sluicegate.outbox.writing import AsyncOutbox, Outbox


async def asynchronous(settings: Settings) -> None:
    """An engine in the host's own loop."""
    async with Engine(settings) as engine:
        assert_type(engine, Engine)
        created = await engine.create_endpoint("https://example.com/hook", ordered=True)
        assert_type(created, CreatedEndpoint)
        assert_type(created.id, str)
        assert_type(await engine.send(created.id, {"event": "paid"}), Accepted)
        assert_type(await engine.send_batch([{}]), list[Accepted | SluicegateError])
        assert_type(await engine.list_endpoints(limit=10), Page[Endpoint])
        assert_type((await engine.list_endpoints()).items, list[Endpoint])
        assert_type((await engine.get_endpoint(created.id)).paused_at, datetime | None)
        assert_type(await engine.resume(created.id), int)
        async for event in engine.events("message.failed", EventName.ENDPOINT_PAUSED):
            assert_type(event, Event)
        assert_type(engine.on("message.failed", print), Callable[[], None])
        await engine.send(created.id)  # type: ignore[call-arg]
        await engine.send(created.id, 1, idempotency_key=7)  # type: ignore[arg-type]


async def in_the_hosts_transactions(
    engine: Engine,
    blocking_engine: SyncEngine,
    blocking_ones: tuple[
        sqlite3.Connection, psycopg.Connection, sqlalchemy.Connection, Session, BaseDatabaseWrapper
    ],
    awaited_ones: tuple[
        aiosqlite.Connection, psycopg.AsyncConnection, AsyncConnection, AsyncSession
    ],
) -> None:
    """Whether an outbox is awaited follows from the connection."""
    for blocks in blocking_ones:
        assert_type(engine.outbox(blocks), Outbox)
        assert_type(blocking_engine.outbox(blocks).send("ep_", 1), str)
    for awaited in awaited_ones:
        assert_type(engine.outbox(awaited), AsyncOutbox)
        assert_type(await blocking_engine.outbox(awaited).send_batch([{}]), list[str])
    engine.outbox("shop.db")  # type: ignore[call-overload]


def blocking(settings: Settings) -> None:
    """The same calls, blocking."""
    with SyncEngine(settings, timeout_s=5) as engine:
        assert_type(engine, SyncEngine)
        created = engine.create_endpoint("https://example.com/hook")
        assert_type(created, CreatedEndpoint)
        accepted = engine.send(created.id, {"event": "paid"}, idempotency_key="1", timeout_s=1.5)
        assert_type(accepted, Accepted)
        assert_type(accepted.message_id, str)
        assert_type(engine.send_batch([{}]), list[Accepted | SluicegateError])
        assert_type(engine.get_message(accepted.message_id), Message)
        assert_type(engine.list_attempts(accepted.message_id), list[Attempt])
        assert_type(engine.list_endpoints(limit=10, timeout_s=1), Page[Endpoint])
        assert_type(engine.get_payload(accepted.message_id), bytes)
        assert_type(engine.pause(created.id), None)
        assert_type(engine.events("message.failed"), SyncEventStream)
        assert_type(next(engine.events()), Event)
        assert_type(engine.failed, bool)
        engine.send(created.id, 1, timeout_s="1")  # type: ignore[arg-type]
        engine.sent(created.id, 1)  # type: ignore[attr-defined]


def errors(error: CallTimeoutError) -> tuple[UnavailableError, TimeoutError, SluicegateError]:
    """A timeout is whichever of the three the host looks for."""
    return error, error, error
