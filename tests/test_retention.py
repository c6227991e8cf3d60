"""Rounds of removing: which clock they go by, what they tell, and that deliveries go on."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sluicegate import Engine, Settings
from sluicegate.clock import SystemRandom
from sluicegate.engine.errors import RetentionExpiredError, UnavailableError
from sluicegate.engine.model import EndpointConfig, NewMessage
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import EndpointRow, Request, SigningKeyRow
from sluicegate.engine.retention import Retention
from sluicegate.storage import SecretBox, SqliteStorage

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_780_000_000_000
PROJECT = "proj_" + "1" * 32
ENDPOINT = "ep_" + "1" * 32
URL = "http://127.0.0.1:9/hook"


class TwoClocks:
    """A wall clock and a steady one that stand still until they are moved."""

    def __init__(self) -> None:
        self.wall = self.steady = START_MS

    def wall_ms(self) -> int:
        return self.wall

    def steady_ms(self) -> int:
        return self.steady

    def monotonic_s(self) -> float:
        return self.steady / 1000

    def pass_ms(self, duration_ms: int) -> None:
        """Let time pass."""
        self.wall += duration_ms
        self.steady += duration_ms


class Shelf:
    """A storage with messages that failed for good, and the retention that empties it."""

    def __init__(self, path: Path) -> None:
        self.clock = TwoClocks()
        self.chance = SystemRandom()
        self.settings = Settings(database=str(path / "shelf.db"))
        self.storage = SqliteStorage(
            self.settings.database,
            secret_box=SecretBox.for_database(
                self.settings.database, secret_key=None, random=self.chance
            ),
            clock=self.clock,
            pending_bytes_max=1 << 26,
        )
        self.retention = Retention(self.storage, self.clock, self.settings)

    async def open(self) -> None:
        await self.storage.open()
        await self.storage.create_project(PROJECT, "first", created_at_ms=START_MS)
        await self.storage.create_endpoint(
            EndpointRow(
                id=ENDPOINT,
                project_id=PROJECT,
                config=EndpointConfig(url="https://receiver.example/"),
                key=SigningKeyRow(id="sk_1", secret="whsec_1", created_at_ms=START_MS),
                created_at_ms=START_MS,
            )
        )

    async def put(self, count: int = 1) -> list[str]:
        """Have messages that failed for good now."""
        payload = b'"' + b"x" * 1_000 + b'"'
        messages = [
            NewMessage(
                id=self.chance.uuid7(),
                project_id=PROJECT,
                endpoint_id=ENDPOINT,
                payload=payload,
                payload_sha256=hashlib.sha256(payload).digest(),
                accepted_at_ms=self.clock.wall,
            )
            for _ in range(count)
        ]
        await self.storage.append(messages)
        await self.storage.give_up_waiting(
            ENDPOINT, error="e", at_ms=self.clock.wall, limit=count, in_flight=set()
        )
        return [message.id for message in messages]

    async def round(self) -> int:
        """Sweep until the round is over; return how many pieces it took."""
        pieces = 1
        while await self.retention.sweep():
            pieces += 1
        return pieces

    async def has_payload(self, message_id: str) -> bool:
        try:
            return await self.storage.get_payload(PROJECT, message_id) is not None
        except RetentionExpiredError:
            return False


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    """A shelf with nothing on it."""
    shelf = Shelf(tmp_path)
    await shelf.open()
    yield shelf
    await shelf.storage.close()


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the facts of each `retention.progressed`."""
    events: list[Any] = [record.msg for record in caplog.records]
    return [
        {name: fact for name, fact in event.items() if name not in {"event", "level"}}
        for event in events
        if event["event"] == "retention.progressed"
    ]


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sluicegate")


# -- time ---------------------------------------------------------------------------------------


async def test_a_wall_clock_that_jumps_ahead_removes_nothing_early(shelf: Shelf) -> None:
    """A process goes by its steady clock then."""
    [sent] = await shelf.put()
    shelf.clock.wall += 365 * DAY_MS
    await shelf.round()
    assert await shelf.has_payload(sent)
    shelf.clock.pass_ms(30 * DAY_MS)
    await shelf.round()
    assert not await shelf.has_payload(sent)


async def test_a_wall_clock_that_is_set_back_removes_nothing_early(shelf: Shelf) -> None:
    """What finished before is kept longer by the jump; what finishes after, no longer."""
    [before] = await shelf.put()
    shelf.clock.wall -= DAY_MS
    [after] = await shelf.put()
    shelf.clock.pass_ms(30 * DAY_MS - 1)
    await shelf.round()
    assert await shelf.has_payload(after)
    shelf.clock.pass_ms(1)
    await shelf.round()
    assert (await shelf.has_payload(before), await shelf.has_payload(after)) == (True, False)
    shelf.clock.pass_ms(DAY_MS)
    await shelf.round()
    assert not await shelf.has_payload(before)


async def test_what_finished_under_a_slow_clock_goes_early_by_no_more(shelf: Shelf) -> None:
    """Its row says when it finished, and nothing says that the clock was wrong."""
    shelf.clock.wall -= DAY_MS
    [sent] = await shelf.put()
    shelf.clock.wall += DAY_MS
    shelf.clock.pass_ms(29 * DAY_MS - 1)
    await shelf.round()
    assert await shelf.has_payload(sent)
    shelf.clock.pass_ms(1)
    await shelf.round()
    assert not await shelf.has_payload(sent)


# -- rounds -------------------------------------------------------------------------------------


async def test_a_round_tells_once_what_it_did(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    """And nothing when it did nothing."""
    await shelf.put(250)
    await shelf.round()
    assert told(caplog) == []
    shelf.clock.pass_ms(30 * DAY_MS)
    await shelf.round()
    [facts] = told(caplog)
    assert facts["bytes_released"] > 0
    assert facts["bytes_released"] % 4096 == 0
    assert facts == {
        "payloads_removed": 250,
        "messages_removed": 0,
        "attempts_removed": 0,
        "bytes_removed": 250 * 1_002,
        "bytes_released": facts["bytes_released"],
    }
    shelf.clock.pass_ms(60 * DAY_MS)
    await shelf.round()
    assert [facts["messages_removed"] for facts in told(caplog)] == [0, 250]
    await shelf.round()
    assert len(told(caplog)) == 2


async def test_a_long_round_tells_every_minute_how_far_it_is(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    """What it did since the last time."""
    await shelf.put(500)
    shelf.clock.pass_ms(30 * DAY_MS)
    while await shelf.retention.sweep():
        shelf.clock.pass_ms(30_000)
    assert [facts["payloads_removed"] for facts in told(caplog)[:3]] == [300, 200, 0]
    assert sum(facts["payloads_removed"] for facts in told(caplog)) == 500


async def test_a_round_judges_by_the_moment_of_its_beginning(shelf: Shelf) -> None:
    """What comes to be past its time meanwhile is the next round's: each round has an end."""
    await shelf.put(100)
    shelf.clock.pass_ms(HOUR_MS)
    [later] = await shelf.put()
    shelf.clock.pass_ms(30 * DAY_MS - HOUR_MS)
    assert await shelf.retention.sweep()
    shelf.clock.pass_ms(HOUR_MS)
    await shelf.round()
    assert await shelf.has_payload(later)
    await shelf.round()
    assert not await shelf.has_payload(later)


async def test_a_piece_that_was_cut_is_done_again(shelf: Shelf) -> None:
    """At whatever turn of the loop; the round goes on where it was."""
    sent = await shelf.put(2_000)
    shelf.clock.pass_ms(30 * DAY_MS)
    for turns in range(18):
        sweeping = asyncio.ensure_future(shelf.retention.sweep())
        for _ in range(turns):
            await asyncio.sleep(0)
        sweeping.cancel()
        await asyncio.wait([sweeping])
    await shelf.round()
    assert not any([await shelf.has_payload(message_id) for message_id in sent])
    assert await shelf.round() == 2


async def test_storage_that_is_unavailable_is_said_so(shelf: Shelf) -> None:
    """Whoever runs the chore tries again later."""
    await shelf.put()
    shelf.clock.pass_ms(30 * DAY_MS)
    await shelf.storage.close()
    with pytest.raises(UnavailableError):
        await shelf.retention.sweep()


# -- in the engine ------------------------------------------------------------------------------


class Receiver:
    """Posts that succeed at once, and a signal for each."""

    def __init__(self) -> None:
        self.count = 0
        self.posted = asyncio.Condition()

    async def post(self, request: Request) -> Outcome:
        """Answer with 200."""
        assert request.url == URL
        async with self.posted:
            self.count += 1
            self.posted.notify_all()
        return Outcome(kind=OutcomeKind.ANSWERED, status=200)

    async def wait_for_count(self, count: int) -> None:
        """Wait until so many were posted."""
        async with asyncio.timeout(30), self.posted:
            await self.posted.wait_for(lambda: self.count >= count)


async def test_an_engine_removes_payloads_while_it_delivers(tmp_path: Path) -> None:
    """By itself, a second after its start; what was delivered stays listed, without a payload."""
    settings = Settings(database=str(tmp_path / "engine.db"), dev=True, retention_succeeded_hours=0)
    receiver = Receiver()
    removed = asyncio.Event()

    class Noticing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            event: Any = record.msg
            if event["event"] == "retention.progressed":
                removed.set()

    handler = Noticing()
    logging.getLogger("sluicegate").addHandler(handler)
    try:
        async with Engine(settings, sender=receiver) as engine:
            endpoint = (await engine.create_endpoint(URL)).endpoint
            first = await engine.send(endpoint.id, "x" * 1_000)
            held = (await engine.create_endpoint(f"{URL}/held")).endpoint
            await engine.pause(held.id)
            waits = await engine.send(held.id, {"n": 1})
            await receiver.wait_for_count(1)
        # An engine that has nothing to remove after a second would not look again so soon.
        async with Engine(settings, sender=receiver) as engine:
            async with asyncio.timeout(30):
                await removed.wait()
            with pytest.raises(RetentionExpiredError):
                await engine.get_payload(first.message_id)
            assert (await engine.get_message(first.message_id)).status == "succeeded"
            assert await engine.get_payload(waits.message_id) == b'{"n":1}'
            await engine.send(endpoint.id, 2)
            await receiver.wait_for_count(2)
    finally:
        logging.getLogger("sluicegate").removeHandler(handler)


async def test_a_drain_ends_the_chores(tmp_path: Path) -> None:
    """No piece is begun any more, and no task is left."""
    settings = Settings(database=str(tmp_path / "engine.db"), dev=True)
    engine = Engine(settings, sender=Receiver())
    async with engine:
        [chores] = [task for task in asyncio.all_tasks() if task.get_name() == "sluicegate-chores"]
        await engine.drain(0)
        await asyncio.wait([chores])
        assert chores.cancelled()
