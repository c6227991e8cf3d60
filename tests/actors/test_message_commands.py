"""Replays, cancels, hastened retries and deletes at the endpoint's actor, each in its race."""

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

from sluicegate.actors.directory import Directory
from sluicegate.engine.errors import (
    DeliveryInProgressError,
    InvalidStatusError,
    SluicegateError,
    UnavailableError,
)
from sluicegate.engine.model import AttemptResult
from sluicegate.engine.operations import Moved, ReplayKind
from sluicegate.storage import SqliteStorage

from .bugs import BugError, eventually, world_with
from .held import Gate, take_turns
from .world import PROJECT, WAIT_S, World, answered


def fail(status: int) -> object:
    """Return a receiver that always answers so."""

    async def answer(_request: object) -> object:
        return answered(status)

    return answer


async def failed(world: World, endpoint: str, count: int = 1) -> list[str]:
    """Send messages that fail for good."""
    world.sender.answer = fail(400)  # type: ignore[assignment] # a receiver, less precisely typed
    sent = await world.send(endpoint, count)
    await world.wait_for_status(sent, "failed_permanent")
    world.sender.answer = world.sender.succeed
    return sent


async def retrying(world: World, endpoint: str, status: int = 500) -> str:
    """Send a message that waits on a retry for an hour."""
    world.sender.answer = fail(status)  # type: ignore[assignment] # as above
    (sent,) = await world.send(endpoint)
    await world.wait_for_status([sent], "pending_retry")
    world.sender.answer = world.sender.succeed
    return sent


async def replay(directory: Directory, endpoint: str, ids: Sequence[str]) -> list[object]:
    """Replay messages and return what became of each."""
    slots = await directory.replay(PROJECT, {endpoint: ids}, kind=ReplayKind.COUNTED)
    return [slots[each] for each in ids]


async def delete(world: World, endpoint: str, message_id: str) -> Moved | SluicegateError:
    """Delete a message and return what became of it."""
    slots = await world.directory.delete_messages(
        PROJECT, {endpoint: [message_id]}, deleted_by="key_1"
    )
    return slots[message_id]


@pytest.fixture
async def slow(tmp_path: Path) -> object:
    """A world whose retries come after an hour."""
    async with World(tmp_path, retry_slow_s=(3600.0,), retry_fast_s=(3600.0,)) as world:
        yield world


async def test_replayed_messages_start_at_once_in_the_order_of_acceptance(world: World) -> None:
    """Also many more than a window, asked for in another order."""
    endpoint = await world.endpoint()
    sent = await failed(world, endpoint, 300)
    posts = len(world.sender.posts)
    slots = await replay(world.directory, endpoint, sent[::-1])
    assert all(isinstance(slot, Moved) for slot in slots)
    await world.wait_for_status(sent, "succeeded")
    again = world.sender.ids()[posts:]
    assert sorted(again) == sorted(sent)
    assert [(await world.message(each)).attempt_count for each in sent[:3]] == [2, 2, 2]


async def test_a_replay_while_an_attempt_is_in_flight_is_refused(world: World) -> None:
    """DELIVERY_IN_PROGRESS; the attempt counts as if nobody had asked."""
    endpoint = await world.endpoint()
    gate = Gate(world)
    (sent,) = await world.send(endpoint)
    await world.sender.wait_for_count(1)
    (slot,) = await replay(world.directory, endpoint, [sent])
    assert isinstance(slot, DeliveryInProgressError)
    gate.opened.set()
    await world.wait_for_status([sent], "succeeded")
    assert (await world.message(sent)).replay_count == 0


async def test_on_a_paused_endpoint_operations_succeed_and_the_message_stays_held(
    slow: World,
) -> None:
    """Rule 6 of pause and resume: nothing is sent, and a resume makes it due."""
    endpoint = await slow.endpoint()
    (dead,) = await failed(slow, endpoint)
    retried, cancelled = await retrying(slow, endpoint), await retrying(slow, endpoint)
    await slow.directory.pause(PROJECT, endpoint)
    posts = len(slow.sender.posts)
    (slot,) = await replay(slow.directory, endpoint, [dead])
    assert isinstance(slot, Moved)
    await slow.directory.retry_now(PROJECT, endpoint, retried)
    await slow.directory.cancel(PROJECT, endpoint, cancelled)
    assert (await slow.message(dead)).status == "paused"
    assert (await slow.message(retried)).status == "paused"
    assert (await slow.message(cancelled)).status == "failed_permanent"
    assert len(slow.sender.posts) == posts
    assert await slow.directory.resume(PROJECT, endpoint) == 2
    await slow.wait_for_status([dead, retried], "succeeded")


async def test_a_hastened_retry_starts_at_once(slow: World) -> None:
    """Whatever the schedule, or the receiver's Retry-After, said."""
    endpoint = await slow.endpoint()
    sent = await retrying(slow, endpoint, 429)
    await slow.directory.retry_now(PROJECT, endpoint, sent)
    await slow.wait_for_status([sent], "succeeded")


async def test_a_hastened_retry_is_the_next_probe_of_an_open_circuit(tmp_path: Path) -> None:
    """The oldest would have its turn in an hour; who asks for an attempt gets one now."""
    settings = {"retry_slow_s": (3600.0,), "circuit_failures": 2}
    async with World(tmp_path, **settings) as world:
        endpoint = await world.endpoint()
        oldest, later = await retrying(world, endpoint), await retrying(world, endpoint)
        await world.directory.retry_now(PROJECT, endpoint, later)
        await world.wait_for_status([later], "succeeded")
        assert (await world.message(oldest)).status == "pending_retry"


async def test_a_hastened_retry_does_not_overtake_on_an_ordered_endpoint(tmp_path: Path) -> None:
    """There, a message starts only when all accepted before it are done."""
    async with World(tmp_path, retry_slow_s=(3600.0,)) as world:
        endpoint = await world.endpoint(ordered=True)
        first = await retrying(world, endpoint)
        (second,) = await world.send(endpoint)
        with pytest.raises(InvalidStatusError, match=r"current: queued"):
            await world.directory.retry_now(PROJECT, endpoint, second)
        await world.directory.retry_now(PROJECT, endpoint, first)
        await world.wait_for_status([first, second], "succeeded")
        assert world.sender.ids() == [first, first, second]


async def test_a_replay_does_not_overtake_on_an_ordered_endpoint(tmp_path: Path) -> None:
    """What was accepted before it waits on a retry: the replayed message waits behind it."""
    async with World(tmp_path, retry_slow_s=(3600.0,)) as world:
        endpoint = await world.endpoint(ordered=True)
        first, second = await failed(world, endpoint, 2)
        world.sender.answer = fail(500)  # type: ignore[assignment] # as above
        await replay(world.directory, endpoint, [first])
        await world.wait_for_status([first], "pending_retry")
        world.sender.answer = world.sender.succeed
        await replay(world.directory, endpoint, [second])
        await world.directory.retry_now(PROJECT, endpoint, first)
        await world.wait_for_status([first, second], "succeeded")
        assert world.sender.ids() == [first, second, first, first, second]


class HeldCancels(SqliteStorage):
    """A storage whose cancels and deletes are held up before they are written."""

    entered: asyncio.Event
    held: asyncio.Event

    async def cancel_message(
        self, endpoint_id: str, message_id: str, *, in_flight: AbstractSet[str], at_ms: int
    ) -> Moved:
        self.entered.set()
        await self.held.wait()
        return await super().cancel_message(
            endpoint_id, message_id, in_flight=in_flight, at_ms=at_ms
        )


async def test_a_message_does_not_start_while_it_is_being_cancelled(tmp_path: Path) -> None:
    """Its retry comes due while the cancel is being written: the cancel was first."""
    async with world_with(HeldCancels, tmp_path, retry_slow_s=(3600.0,)) as world:
        storage = world.storage
        assert isinstance(storage, HeldCancels)
        storage.entered, storage.held = asyncio.Event(), asyncio.Event()
        endpoint = await world.endpoint()
        sent = await retrying(world, endpoint)
        cancelling = asyncio.ensure_future(world.directory.cancel(PROJECT, endpoint, sent))
        await storage.entered.wait()
        world.clock.ahead_ms += 3_600_000  # the retry is due, and what is new makes the actor look
        other = await world.send(endpoint)
        await take_turns(20)
        storage.held.set()
        await cancelling
        await world.wait_for_status(other, "succeeded")
        assert (await world.message(sent)).status == "failed_permanent"
        assert world.sender.ids() == [sent, *other]


@pytest.mark.parametrize(("status", "expected"), [(200, "succeeded"), (500, "failed_permanent")])
async def test_a_message_that_is_deleted_in_flight_ends_as_its_attempt_says(
    world: World, status: int, expected: str
) -> None:
    """It reads as delivering until then; a failure is not repeated."""
    endpoint = await world.endpoint()
    gate = Gate(world, status)
    (sent,) = await world.send(endpoint)
    await world.sender.wait_for_count(1)
    moved = await delete(world, endpoint, sent)
    assert isinstance(moved, Moved)
    reading = await world.message(sent)
    assert (reading.status, reading.deleted_by_api_key_id) == ("delivering", "key_1")
    assert reading.deleted_at is not None
    gate.opened.set()
    await world.wait_for_status([sent], expected)
    message = await world.message(sent)
    assert (message.attempt_count, message.response_status) == (1, status)
    assert message.deleted_at == reading.deleted_at
    assert message.next_attempt_at is None
    assert message.last_error == (None if status == 200 else "message deleted")


class HeldPayloads(SqliteStorage):
    """A storage whose payloads are read, and held up before they are handed over."""

    entered: asyncio.Event
    held: asyncio.Event

    async def get_payload_by_seq(self, seq: int) -> bytes | None:
        payload = await super().get_payload_by_seq(seq)
        self.entered.set()
        await self.held.wait()
        return payload


async def test_an_attempt_that_has_yet_to_begin_is_not_made_for_what_was_deleted(
    tmp_path: Path,
) -> None:
    """It had its payload from before the delete, which was answered: nothing is sent any more."""
    async with world_with(HeldPayloads, tmp_path, retry_slow_s=(0.01,)) as world:
        storage = world.storage
        assert isinstance(storage, HeldPayloads)
        storage.entered, storage.held = asyncio.Event(), asyncio.Event()
        endpoint = await world.endpoint()
        world.sender.answer = fail(500)  # type: ignore[assignment] # a receiver, less precisely typed
        (sent,) = await world.send(endpoint)
        await storage.entered.wait()  # the retry, which is due too soon for a reader to see it wait
        world.sender.answer = world.sender.succeed
        assert isinstance(await delete(world, endpoint, sent), Moved)
        storage.held.set()
        await world.wait_for_status([sent], "failed_permanent")
        message = await world.message(sent)
        assert (message.attempt_count, message.last_error) == (1, "message deleted")
        await world.wait_for_status(await world.send(endpoint), "succeeded")
        assert world.sender.ids().count(sent) == 1
        await eventually(lambda: not world.directory.in_flight())  # readers may be quicker


class HeldResults(SqliteStorage):
    """A storage whose results of attempts are held up; it counts the payloads it is asked for."""

    entered: asyncio.Event
    held: asyncio.Event
    payloads = 0

    async def record_attempt(self, result: AttemptResult, *, urgent: bool = True) -> bool:
        self.entered.set()
        await self.held.wait()
        return await super().record_attempt(result, urgent=urgent)

    async def get_payload_by_seq(self, seq: int) -> bytes | None:
        self.payloads += 1
        return await super().get_payload_by_seq(seq)


async def test_a_retry_is_not_scheduled_for_what_was_deleted_while_it_was_recorded(
    tmp_path: Path,
) -> None:
    """The attempt was judged before the delete, and its result is written after it."""
    async with world_with(HeldResults, tmp_path, retry_slow_s=(0.01,)) as world:
        storage = world.storage
        assert isinstance(storage, HeldResults)
        storage.entered, storage.held = asyncio.Event(), asyncio.Event()
        world.sender.answer = fail(500)  # type: ignore[assignment] # as above
        endpoint = await world.endpoint()
        (sent,) = await world.send(endpoint)
        await storage.entered.wait()
        assert isinstance(await delete(world, endpoint, sent), Moved)
        storage.held.set()
        await world.wait_for_status([sent], "failed_permanent")
        world.sender.answer = world.sender.succeed
        await world.wait_for_status(await world.send(endpoint), "succeeded")
        await asyncio.sleep(0.05)  # past the moment when a retry would have been due
        assert storage.payloads == 0
        assert len(world.sender.posts) == 2


class FullForResults(HeldResults):
    """The same, and in the end there is no room for them, the first time."""

    is_full = True

    async def record_attempt(self, result: AttemptResult, *, urgent: bool = True) -> bool:
        if not self.is_full:
            return await super().record_attempt(result, urgent=urgent)
        self.entered.set()
        await self.held.wait()
        self.is_full = False
        raise UnavailableError("the disk is full")


async def test_a_replay_is_refused_while_a_result_is_not_recorded_that_was_tried_to(
    tmp_path: Path,
) -> None:
    """The write that the replay waits for has ended, and nothing is durable."""
    async with world_with(FullForResults, tmp_path) as world:
        storage = world.storage
        assert isinstance(storage, FullForResults)
        storage.entered, storage.held = asyncio.Event(), asyncio.Event()
        endpoint = await world.endpoint()
        (sent,) = await world.send(endpoint)
        await storage.entered.wait()
        asked = asyncio.create_task(replay(world.directory, endpoint, [sent]))
        await asyncio.sleep(0)
        storage.held.set()
        (slot,) = await asked
        assert isinstance(slot, DeliveryInProgressError)
        await world.wait_for_status([sent], "succeeded")
        assert len(world.sender.posts) == 1


class BrokenReplays(SqliteStorage):
    """A storage that breaks after a replay was written, before it says so."""

    async def replay_messages(
        self,
        endpoint_id: str,
        message_ids: Sequence[str],
        *,
        kind: ReplayKind,
        in_flight: AbstractSet[str],
        at_ms: int,
    ) -> list[Moved | SluicegateError]:
        await super().replay_messages(
            endpoint_id, message_ids, kind=kind, in_flight=in_flight, at_ms=at_ms
        )
        raise BugError


async def test_a_replay_that_became_durable_is_delivered_though_its_actor_crashed(
    tmp_path: Path,
) -> None:
    """The asker hears that it may have happened; the successor reads it from storage."""
    async with world_with(BrokenReplays, tmp_path) as world:
        endpoint = await world.endpoint()
        (sent,) = await failed(world, endpoint)
        (slot,) = await replay(world.directory, endpoint, [sent])
        assert isinstance(slot, UnavailableError)
        await world.wait_for_status([sent], "succeeded")


class ToldDeletes(SqliteStorage):
    """A storage that says when it is first asked to delete."""

    entered: asyncio.Event

    async def delete_messages(
        self, endpoint_id: str, message_ids: Sequence[str], *, deleted_by: str | None, at_ms: int
    ) -> list[Moved | SluicegateError]:
        self.entered.set()
        return await super().delete_messages(
            endpoint_id, message_ids, deleted_by=deleted_by, at_ms=at_ms
        )


async def test_a_pause_comes_between_the_pieces_of_a_bulk_operation(tmp_path: Path) -> None:
    """It need not wait for a thousand deletes."""
    async with world_with(ToldDeletes, tmp_path) as world:
        assert isinstance(world.storage, ToldDeletes)
        world.storage.entered = asyncio.Event()
        endpoint = await world.endpoint()
        sent = await failed(world, endpoint, 500)
        deleting = asyncio.ensure_future(
            world.directory.delete_messages(PROJECT, {endpoint: sent}, deleted_by=None)
        )
        await world.storage.entered.wait()
        async with asyncio.timeout(WAIT_S):
            await world.directory.pause(PROJECT, endpoint)
            assert not deleting.done()
            slots = await deleting
        assert len(slots) == 500
        assert all(isinstance(slot, Moved) for slot in slots.values())


async def test_a_closing_engine_says_so_for_each_message(world: World) -> None:
    """Nothing is done by halves and called whole."""
    endpoint = await world.endpoint()
    sent = await failed(world, endpoint, 3)
    world.directory.halt()
    slots = await replay(world.directory, endpoint, sent)
    assert all(isinstance(slot, UnavailableError) for slot in slots)
    assert (await world.message(sent[0])).status == "failed_permanent"


async def test_what_reads_as_failed_can_be_replayed_at_once(tmp_path: Path) -> None:
    """Readers see a result as soon as it is durable; its actor hears of it a little later."""
    async with world_with(HeldResults, tmp_path) as world:
        storage = world.storage
        assert isinstance(storage, HeldResults)
        storage.entered, storage.held = asyncio.Event(), asyncio.Event()
        world.sender.answer = fail(400)  # type: ignore[assignment] # as above
        endpoint = await world.endpoint()
        (sent,) = await world.send(endpoint)
        await storage.entered.wait()
        replaying = asyncio.create_task(replay(world.directory, endpoint, [sent]))
        await asyncio.sleep(0)
        storage.held.set()
        (slot,) = await replaying
        assert isinstance(slot, Moved)
