"""Each message out of an outbox becomes one, whatever ends between the steps of moving it."""

import asyncio
import sqlite3
from collections.abc import Sequence

import pytest

from sluicegate import Engine, Settings
from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.outbox import OutboxEntry
from sluicegate.outbox.inbox_source import InboxSource
from sluicegate.outbox.relay import Relay
from sluicegate.outbox.source import Source, SourceError

from .conftest import URL, WAIT_S, Deliveries, Owner


class Breaking(InboxSource):
    """An inbox whose relay ends at a step: nothing of this process goes on after it."""

    def __init__(self, settings: Settings, *, step: str) -> None:
        super().__init__(settings.database, clock=SystemClock(), random=SystemRandom())
        self._step = step
        self.broken = asyncio.Event()

    async def take(self, *, rows_max: int, bytes_max: int) -> list[OutboxEntry]:
        if self._step == "taken":
            await self._end()
        return await super().take(rows_max=rows_max, bytes_max=bytes_max)

    async def settle(
        self, *, moved: Sequence[str], refused: Sequence[tuple[str, SluicegateError]]
    ) -> None:
        if self._step == "stored":
            await self._end()
        await super().settle(moved=moved, refused=refused)
        if self._step == "settled":
            await self._end()

    async def _end(self) -> None:
        self.broken.set()
        await asyncio.Event().wait()


def relay_of(engine: Engine, source: Source) -> Relay:
    """Return a relay into an engine."""
    parts = engine._parts  # noqa: SLF001 - what the engine makes itself, on another source
    return Relay(source, messages=engine.services.messages, storage=parts.storage)


async def remembered(engine: Engine, settings: Settings) -> list[str]:
    """Return what the engine's file remembers of the inbox."""
    db = sqlite3.connect(f"{settings.database}.inbox")
    (outbox_id,) = db.execute("SELECT outbox_id FROM sluicegate_outbox_meta").fetchone()
    db.close()
    return await engine._parts.storage.relayed(outbox_id)  # noqa: SLF001 - nobody else is told


@pytest.mark.parametrize("step", ["taken", "stored", "settled"])
async def test_a_relay_that_ends_between_two_steps_moves_nothing_twice(
    settings: Settings, owner: Owner, deliveries: Deliveries, endpoint_id: str, step: str
) -> None:
    """Also when the message was delivered and removed before the next relay begins."""
    async with Engine(settings, mode="enqueue") as engine:
        sent = [await engine.send(endpoint_id, number, retention_hours=0) for number in range(3)]
    async with owner() as engine:
        for each in engine._parts.relays:  # noqa: SLF001 - another takes its place
            await each.close()
        source = Breaking(settings, step=step)
        relay = relay_of(engine, source)
        relay.start(await default_project(engine))
        async with asyncio.timeout(WAIT_S):
            await source.broken.wait()
        await relay.close()
        if step != "taken":
            await deliveries.until(3)
    erase_messages(settings)
    async with owner() as engine:
        await deliveries.until(3)
        again = await engine.create_endpoint(f"{URL}/2")
        async with Engine(settings, mode="enqueue") as sender:
            for number in range(3, 5):
                sent.append(await sender.send(again.endpoint.id, number))
                await deliveries.until(len(sent))
        # Only the last piece's: it is not known yet that it is gone.
        assert await remembered(engine, settings) == [sent[-1].message_id]
    assert deliveries.ids == [each.message_id for each in sent]


def erase_messages(settings: Settings) -> None:
    """Remove every message, as retention does in the end."""
    db = sqlite3.connect(settings.database)
    with db:
        for table in ("attempts", "payloads", "messages", "accepted_minutes"):
            db.execute(f"DELETE FROM {table}")  # noqa: S608 - a constant
    db.close()


async def default_project(engine: Engine) -> str:
    """Return the file's first project."""
    project = await engine._parts.storage.default_project()  # noqa: SLF001 - as the engine does
    assert project is not None
    return project


async def test_an_inbox_that_cannot_be_read_is_tried_again(
    settings: Settings, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """A failure of the outbox ends neither the relay nor the engine."""

    class Failing(InboxSource):
        failures = 2

        async def settle(
            self, *, moved: Sequence[str], refused: Sequence[tuple[str, SluicegateError]]
        ) -> None:
            if self.failures:
                self.failures -= 1
                raise SourceError("the disk is full")
            await super().settle(moved=moved, refused=refused)

    async with Engine(settings, mode="enqueue") as engine:
        sent = await engine.send(endpoint_id, 1)
    async with owner() as engine:
        for each in engine._parts.relays:  # noqa: SLF001 - another takes its place
            await each.close()
        source = Failing(settings.database, clock=SystemClock(), random=SystemRandom())
        relay = relay_of(engine, source)
        relay.start(await default_project(engine))
        async with asyncio.timeout(WAIT_S):
            await relay.at_rest.wait()
        await relay.close()
    assert not source.failures
    assert deliveries.ids == [sent.message_id]


def waits(settings: Settings) -> bool:
    """Say whether anything is in the inbox."""
    db = sqlite3.connect(f"{settings.database}.inbox")
    try:
        return bool(db.execute("SELECT count(*) FROM sluicegate_outbox").fetchone()[0])
    finally:
        db.close()


async def test_rows_that_others_wrote_are_checked(
    settings: Settings, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """Whoever may write to an outbox gets past no rule, and does not hold up the others."""
    async with Engine(settings, mode="enqueue") as engine:
        await engine.send(endpoint_id, "good")
    good_id = SystemRandom().uuid7()
    bad: list[tuple[object, ...]] = [
        ("no-id", endpoint_id, b"1", None, None, None, 1),
        (SystemRandom().uuid7(), endpoint_id, b"{", None, None, None, 1),
        (SystemRandom().uuid7(), endpoint_id, b"1", "{", None, None, 1),
        (SystemRandom().uuid7(), endpoint_id, b"1", '{"Host": "x"}', None, None, 1),
        (SystemRandom().uuid7(), endpoint_id, b"1", '["x"]', None, None, 1),
        (SystemRandom().uuid7(), endpoint_id, b"1", None, "a b", None, 1),
        (SystemRandom().uuid7(), endpoint_id, b"1", None, None, -1, 1),
        (SystemRandom().uuid7(), endpoint_id, 17, None, None, None, 1),
        (SystemRandom().uuid7(), "ep_x", b"1", None, None, None, 1),
    ]
    fine = [(good_id, endpoint_id, '"text"', '{"X-A": "b"}', "k", 0, 1 << 60)]
    db = sqlite3.connect(f"{settings.database}.inbox")
    with db:
        db.executemany(
            "INSERT INTO sluicegate_outbox (id, endpoint_id, payload, headers, idempotency_key,"
            " retention_hours, accepted_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [*bad, *fine],
        )
    db.close()
    async with owner() as engine:
        await deliveries.until(2)
        message = await engine.get_message(good_id)
        async with asyncio.timeout(WAIT_S):
            await engine._parts.relays[0].at_rest.wait()  # noqa: SLF001 - nobody else is told
    assert deliveries.bodies == [b'"good"', b'"text"']
    assert (
        message.created_at.timestamp() * 1000 <= SystemClock().wall_ms()
    )  # not in the year that it says
    db = sqlite3.connect(f"{settings.database}.inbox")
    (refused,) = db.execute("SELECT count(*) FROM sluicegate_outbox_refused").fetchone()
    db.close()
    assert refused == len(bad)


async def test_a_large_backlog_is_moved_in_pieces_and_its_space_is_given_back(
    settings: Settings,
    owner: Owner,
    deliveries: Deliveries,
    endpoint_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More than one piece; what is sent to the owner meanwhile does not wait for all of them."""
    async with owner() as engine:
        await engine.pause(endpoint_id)
    async with Engine(settings, mode="enqueue") as engine:
        await engine.send_batch(
            [{"endpoint_id": endpoint_id, "payload": "x" * 8000} for _ in range(1000)]
        )
    assert inbox_pages(settings) > 1024
    moved, go_on = let_a_piece_be_moved(monkeypatch)
    async with owner() as engine:
        other = await engine.create_endpoint(f"{URL}/2")
        await engine.send(other.endpoint.id, 1)
        await deliveries.until(1)
        async with asyncio.timeout(WAIT_S):
            await moved.wait()
        assert waits(settings)
        go_on.set()
        async with asyncio.timeout(WAIT_S):
            await engine._parts.relays[0].at_rest.wait()  # noqa: SLF001 - nobody else is told
        assert inbox_pages(settings) <= 1024
        held = await engine.get_endpoint(endpoint_id)
    assert held.counts.paused == 1000


def let_a_piece_be_moved(monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Let an inbox give a piece away; return what says that it has, and what lets it go on."""
    take, moved, go_on = InboxSource.take, asyncio.Event(), asyncio.Event()
    given = 0

    async def take_one(source: InboxSource, **most: int) -> list[OutboxEntry]:
        nonlocal given
        given += 1
        if given > 1:
            moved.set()
            await go_on.wait()
        return await take(source, **most)

    monkeypatch.setattr(InboxSource, "take", take_one)
    return moved, go_on


def inbox_pages(settings: Settings) -> int:
    """Return how large the inbox is."""
    db = sqlite3.connect(f"{settings.database}.inbox")
    try:
        return int(db.execute("PRAGMA page_count").fetchone()[0])
    finally:
        db.close()
