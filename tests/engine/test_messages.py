"""The use cases of messages, as a Python program calls them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sluicegate.app import Engine
from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.drafts import BATCH_MAX, CheckedPayload, EndpointDraft, MessageDraft
from sluicegate.engine.errors import (
    EndpointNotFoundError,
    InvalidRequestError,
    NotFoundError,
    PayloadTooLargeError,
    SluicegateError,
)
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.messages import Messages
from sluicegate.engine.model import Accepted
from sluicegate.engine.settings import Settings
from sluicegate.storage import SecretBox, SqliteStorage

PROJECT = "proj_" + "1" * 32


class World:
    """An engine with one paused endpoint."""

    def __init__(self, messages: Messages, endpoint_id: str) -> None:
        self.messages = messages
        self.endpoint_id = endpoint_id

    async def send(self, payload: Any = b"{}", **fields: Any) -> Accepted:
        """Send to the endpoint."""
        fields = {"endpoint_id": self.endpoint_id, "payload": payload, **fields}
        return await self.messages.send(PROJECT, MessageDraft(**fields))

    async def count(self) -> int:
        """Return how many messages there are."""
        return len((await self.messages.list_logs(PROJECT, limit=500)).items)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The world of a test."""
    settings = Settings(database=str(tmp_path / "m.db"), drain_s=0, dev=True, payload_bytes_max=500)
    storage = SqliteStorage(
        settings.database,
        secret_box=SecretBox(bytes(32), random=SystemRandom()),
        clock=SystemClock(),
        pending_bytes_max=settings.pending_bytes_max,
    )
    async with Engine(settings, storage=storage) as engine:
        await storage.create_project(PROJECT, "test", created_at_ms=0)
        endpoints = engine.services.endpoints
        created = await endpoints.create(PROJECT, EndpointDraft(url="http://127.0.0.1:9/hook"))
        await endpoints.pause(PROJECT, created.id)
        yield World(engine.services.messages, created.id)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"NaN",
        b'{"a": 1, "a": 1}',
        b'"\xff"',
        b'"\\ud800"',
        b"\xef\xbb\xbf1",
        b"1 2",
        b"[" * 100 + b"]" * 100,
        "{}",
        None,
        {"a": 1},
        bytearray(b"{}"),
    ],
)
async def test_a_payload_from_python_is_checked(world: World, payload: Any) -> None:
    """What HTTP would refuse is refused here too, and the field is named."""
    with pytest.raises(InvalidRequestError) as caught:
        await world.send(payload)
    assert caught.value.message.startswith("payload must be")
    assert caught.value.details["field"] == "payload"
    assert await world.count() == 0


async def test_a_payload_may_be_as_deep_as_over_http(world: World) -> None:
    """99 levels: with the object around it in a request that makes 100."""
    deep = b"[" * 99 + b"]" * 99
    accepted = await world.send(deep)
    assert await world.messages.get_payload(PROJECT, accepted.message_id) == deep


async def test_a_checked_payload_is_still_measured(world: World) -> None:
    """Only the check of its JSON is left out."""
    with pytest.raises(PayloadTooLargeError) as caught:
        await world.send(CheckedPayload(b'"' + b"x" * 500 + b'"'))
    assert caught.value.details == {"field": "payload", "maximum": 500}
    accepted = await world.send(CheckedPayload(b'"checked"'))
    assert await world.messages.get_payload(PROJECT, accepted.message_id) == b'"checked"'


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("endpoint_id", 5),
        ("endpoint_id", None),
        ("headers", [("X", "1")]),
        ("headers", {"X": 1}),
        ("idempotency_key", 5),
        ("idempotency_key", ""),
        ("retention_hours", True),
        ("retention_hours", 1.0),
        ("retention_hours", 10**30),
    ],
)
async def test_wrong_types_from_python_are_told_as_over_http(
    world: World, field: str, value: Any
) -> None:
    """400 over HTTP, `InvalidRequestError` here; the field is named."""
    with pytest.raises(InvalidRequestError) as caught:
        await world.send(**{field: value})
    assert caught.value.details["field"] == field
    assert await world.count() == 0


async def test_a_batch_answers_slot_by_slot(world: World) -> None:
    """Refusals stay in their places, those that the caller brings along included."""
    good = MessageDraft(endpoint_id=world.endpoint_id, payload=b"1")
    unread = InvalidRequestError("could not be read")
    slots = await world.messages.send_batch(
        PROJECT,
        [
            unread,
            good,
            MessageDraft(endpoint_id=world.endpoint_id, payload=b"["),
            MessageDraft(endpoint_id="ep_" + "0" * 32, payload=b"1"),
            good,
        ],
    )
    assert slots[0] is unread
    assert isinstance(slots[1], Accepted)
    assert isinstance(slots[2], InvalidRequestError)
    assert isinstance(slots[3], EndpointNotFoundError)
    assert isinstance(slots[4], Accepted)
    assert await world.count() == 2
    only_bad: list[MessageDraft | SluicegateError] = [unread]
    assert await world.messages.send_batch(PROJECT, only_bad) == only_bad


@pytest.mark.parametrize("size", [0, BATCH_MAX + 1])
async def test_a_batch_has_one_to_a_thousand_messages(world: World, size: int) -> None:
    """Out of bounds nothing of it is stored."""
    draft = MessageDraft(endpoint_id=world.endpoint_id, payload=b"1")
    with pytest.raises(InvalidRequestError) as caught:
        await world.messages.send_batch(PROJECT, [draft] * size)
    assert caught.value.details == {"field": "messages", "minimum": 1, "maximum": BATCH_MAX}
    assert await world.count() == 0


async def test_a_moment_without_a_zone_is_utc(world: World) -> None:
    """Filters take aware datetimes of any zone, and naive ones as UTC."""
    await world.send()
    [entry] = (await world.messages.list_logs(PROJECT)).items
    naive = entry.created_at.astimezone(UTC).replace(tzinfo=None)
    assert len((await world.messages.list_logs(PROJECT, start_time=naive)).items) == 1
    assert len((await world.messages.list_logs(PROJECT, end_time=naive)).items) == 0
    after: datetime = entry.created_at + timedelta(milliseconds=1)
    assert len((await world.messages.list_logs(PROJECT, start_time=after)).items) == 0


async def test_a_status_may_be_named(world: World) -> None:
    """The enumeration and its text are both understood, nothing else is."""
    await world.send()
    for status in (MessageStatus.PAUSED, "paused"):
        assert len((await world.messages.list_logs(PROJECT, status=status)).items) == 1
    with pytest.raises(InvalidRequestError):
        await world.messages.list_logs(PROJECT, status="nonsense")


@pytest.mark.parametrize("cursor", ["", "nonsense", 5, b"bytes"])
async def test_a_broken_cursor_is_refused(world: World, cursor: Any) -> None:
    """Whatever it is."""
    with pytest.raises(InvalidRequestError):
        await world.messages.list_logs(PROJECT, cursor=cursor)


@pytest.mark.parametrize("message_id", ["", "nonsense", "01890a5d-ac96-774b-bcce-b302099a8057"])
async def test_an_unknown_message_is_not_found(world: World, message_id: str) -> None:
    """Its attempts are none."""
    with pytest.raises(NotFoundError):
        await world.messages.get(PROJECT, message_id)
    with pytest.raises(NotFoundError):
        await world.messages.get_payload(PROJECT, message_id)
    assert await world.messages.list_attempts(PROJECT, message_id) == ([], False)
