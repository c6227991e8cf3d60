"""Bugs of ours, as tests make them, and what the log says of them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request
from sluicegate.storage import SqliteStorage

from .world import WAIT_S, World, answered


class BugError(Exception):
    """What a bug of ours raises."""


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds, for what gives no signal."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.005)


def events(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, object]]:
    """Return the log's events of one name."""
    return [
        record.msg
        for record in caplog.records
        if isinstance(record.msg, dict) and record.msg.get("event") == name
    ]


def message_id_of(request: Request) -> str:
    """Return which message a request carries."""
    return dict(request.headers)["webhook-id"]


def raise_for(*message_ids: str) -> Callable[[Request], Awaitable[Outcome]]:
    """Return a receiver that answers 200, but makes the sender fail for some messages."""

    async def answer(request: Request) -> Outcome:
        if message_id_of(request) in message_ids:
            raise BugError
        return answered(200)

    return answer


def world_with(storage: type[SqliteStorage], path: Path, **settings: object) -> World:
    """Return a world whose storage is of a class that has a bug."""
    world = World(path, **settings)
    world.storage.__class__ = storage
    return world
