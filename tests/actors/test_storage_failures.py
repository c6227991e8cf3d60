"""Storage that fails, or answers out of turn, costs no message, no answer and no promise."""

import asyncio
import logging
from collections.abc import Awaitable
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

from sluicegate.engine.errors import (
    AlreadyPausedError,
    EndpointNotFoundError,
    NotPausedError,
    SluicegateError,
    UnavailableError,
)
from sluicegate.engine.events import EventName
from sluicegate.engine.model import AttemptResult, EndpointState, Health, PauseReason
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request
from sluicegate.storage import SqliteStorage

from .bugs import BugError, events, eventually, raise_for, world_with
from .held import HeldPauses
from .world import PROJECT, WAIT_S, World, answered


@pytest.fixture(autouse=True)
def _every_event(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sluicegate")


# -- storage with a bug ---------------------------------------------------------------------------


class BrokenPauses(SqliteStorage):
    """A storage that breaks after a pause was written, before it says so."""

    broken = 1

    async def pause(self, endpoint_id: str, *, reason: PauseReason, at_ms: int) -> EndpointState:
        state = await super().pause(endpoint_id, reason=reason, at_ms=at_ms)
        if self.broken:
            self.broken -= 1
            raise BugError
        return state


async def test_a_crash_while_a_command_is_carried_out_answers_everybody_who_waits(
    tmp_path: Path,
) -> None:
    """Each asker gets an error; what became durable holds for the successor."""
    async with world_with(BrokenPauses, tmp_path) as world:
        endpoint = await world.endpoint()
        results = await asyncio.gather(
            *(world.directory.pause(PROJECT, endpoint) for _ in range(20)), return_exceptions=True
        )
        assert all(isinstance(each, UnavailableError) for each in results)
        sent = await world.send(endpoint, 2)
        await eventually(lambda: world.directory.active == 1)
        while True:
            try:
                await world.directory.pause(PROJECT, endpoint)
            except AlreadyPausedError:
                break
            except UnavailableError:
                await asyncio.sleep(0.01)
        await world.wait_for_status(sent, "paused")
        assert world.sender.posts == []


async def test_a_successor_reads_its_state_after_the_write_of_its_predecessor(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The actor crashes while its pause is being written: nothing is sent once it is."""
    world = world_with(HeldPauses, tmp_path)
    assert isinstance(world.storage, HeldPauses)
    world.storage.entered, world.storage.held = asyncio.Event(), asyncio.Event()
    async with world:
        endpoint = await world.endpoint(max_in_flight=1)
        crash = asyncio.Event()

        async def answer(_request: Request) -> Outcome:
            await crash.wait()
            raise BugError

        world.sender.answer = answer
        sent = await world.send(endpoint, 3)
        await world.sender.wait_for_count(1)
        pause = asyncio.ensure_future(world.directory.pause(PROJECT, endpoint))
        await world.storage.entered.wait()
        crash.set()
        with pytest.raises(UnavailableError):
            await pause
        world.sender.answer = raise_for()
        await eventually(lambda: bool(events(caplog, "actor.restarted")))
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(world.sender.posts) == 1
        world.storage.held.set()
        await world.wait_for_status(sent, "paused")
        assert len(world.sender.posts) == 1
        assert await world.directory.resume(PROJECT, endpoint) == 3
        await world.wait_for_status(sent, "succeeded")


class BrokenRecords(SqliteStorage):
    """A storage that cannot record the attempts of one message."""

    refused: str | None = None
    refusals = 0
    error: type[SluicegateError] = SluicegateError

    async def record_attempt(self, result: AttemptResult, *, urgent: bool = True) -> bool:
        if result.message_id == self.refused:
            self.refusals += 1
            raise self.error
        return await super().record_attempt(result, urgent=urgent)


async def test_a_result_that_cannot_be_recorded_is_recorded_again_not_sent_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The attempt had ended: only the record is tried again, and after the third crash given up."""
    world = world_with(BrokenRecords, tmp_path)
    assert isinstance(world.storage, BrokenRecords)
    async with world:
        endpoint = await world.endpoint()
        await world.directory.pause(PROJECT, endpoint)
        sent = await world.send(endpoint, 4)
        world.storage.refused = sent[0]
        await world.directory.resume(PROJECT, endpoint)
        await world.wait_for_status(sent[1:], "succeeded")
        await world.wait_for_status(sent[:1], "failed_permanent")
        assert world.sender.ids() == sent
        await world.wait_for_status(await world.send(endpoint), "succeeded")
        await eventually(lambda: not world.directory.in_flight())
        assert world.storage.refusals == 3
        assert (await world.message(sent[0])).last_error == "internal error: SluicegateError"
        assert not events(caplog, "endpoint.parked")


async def test_a_result_that_finds_no_room_is_recorded_later_and_is_no_crash(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk: the receiver's answer is kept until there is room; nothing is sent again."""
    world = world_with(BrokenRecords, tmp_path)
    assert isinstance(world.storage, BrokenRecords)
    async with world:
        world.storage.error = UnavailableError
        endpoint = await world.endpoint()
        await world.directory.pause(PROJECT, endpoint)
        sent = await world.send(endpoint, 2)
        world.storage.refused = sent[0]
        await world.directory.resume(PROJECT, endpoint)
        await world.wait_for_status(sent[1:], "succeeded")
        assert (await world.message(sent[0])).status == "delivering"
        world.storage.refused = None
        await world.wait_for_status(sent[:1], "succeeded")
        assert world.sender.ids() == sent
        assert not events(caplog, "actor.restarting")


class UnreadableStates(SqliteStorage):
    """A storage that cannot read an endpoint's state for a while."""

    failures = 0

    async def load_state(self, endpoint_id: str) -> EndpointState | None:
        if self.failures:
            self.failures -= 1
            msg = "the database cannot be read"
            raise UnavailableError(msg)
        return await super().load_state(endpoint_id)


async def test_storage_that_cannot_be_read_is_no_crash(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who asked is told at once; the endpoint tries again and is never parked for it."""
    world = world_with(UnreadableStates, tmp_path, actor_restarts_max=0)
    assert isinstance(world.storage, UnreadableStates)
    async with world:
        endpoint = await world.endpoint()
        world.storage.failures = 1
        with pytest.raises(UnavailableError, match="cannot be read"):
            await world.directory.pause(PROJECT, endpoint)
        sent = await world.send(endpoint, 2)
        await world.wait_for_status(sent, "succeeded")
        assert not events(caplog, "endpoint.parked")
        assert not events(caplog, "actor.restarting")


class BrokenGiveUps(SqliteStorage):
    """A storage that cannot give a message up: at first for want of room, then by a bug."""

    errors: list[Exception]

    async def give_up_message(self, endpoint_id: str, seq: int, *, error: str, at_ms: int) -> None:
        if self.errors:
            raise self.errors.pop(0)
        await super().give_up_message(endpoint_id, seq, error=error, at_ms=at_ms)


@pytest.mark.parametrize("error", [UnavailableError(), BugError()])
async def test_a_give_up_that_fails_is_made_good_at_the_next_crash(
    tmp_path: Path, error: Exception
) -> None:
    """The message crashes the actor once more, and is given up then."""
    world = world_with(BrokenGiveUps, tmp_path)
    assert isinstance(world.storage, BrokenGiveUps)
    world.storage.errors = [error]
    async with world:
        endpoint = await world.endpoint()
        await world.directory.pause(PROJECT, endpoint)
        sent = await world.send(endpoint, 2)
        world.sender.answer = raise_for(sent[0])
        await world.directory.resume(PROJECT, endpoint)
        await world.wait_for_status(sent[:1], "failed_permanent")
        await world.wait_for_status(sent[1:], "succeeded")
        assert world.sender.ids().count(sent[0]) == 4


# -- writes that end out of turn ------------------------------------------------------------------


class HeldRecords(SqliteStorage):
    """A storage that holds the results of attempts up before they are written."""

    entered: asyncio.Event
    held: asyncio.Event
    refusals = 0

    async def record_attempt(self, result: AttemptResult, *, urgent: bool = True) -> bool:
        self.entered.set()
        await self.held.wait()
        return await super().record_attempt(result, urgent=urgent)


def with_held_records(
    path: Path, storage: type[HeldRecords] = HeldRecords
) -> tuple[World, HeldRecords]:
    world = world_with(storage, path)
    assert isinstance(world.storage, HeldRecords)
    world.storage.entered, world.storage.held = asyncio.Event(), asyncio.Event()
    return world, world.storage


class RecordsAndResumesAtOnce(HeldRecords):
    """A storage where a result and a resume commit together, in this order."""

    recorded: asyncio.Event
    resumed: asyncio.Event

    async def record_attempt(self, result: AttemptResult, *, urgent: bool = True) -> bool:
        paused = await super().record_attempt(result, urgent=urgent)
        self.recorded.set()
        await self.resumed.wait()
        return paused

    async def resume(
        self, endpoint_id: str, *, at_ms: int, in_flight: AbstractSet[str]
    ) -> tuple[EndpointState, int]:
        resumed = await super().resume(endpoint_id, at_ms=at_ms, in_flight=in_flight)
        self.resumed.set()
        for _ in range(2):  # in one turn of the loop both are told, the result first
            await asyncio.sleep(0)
        return resumed


def answer_410_first(world: World) -> None:
    """Let the receiver answer 410 once, and 200 from then on."""

    async def answer(_request: Request) -> Outcome:
        return answered(410 if len(world.sender.posts) == 1 else 200)

    world.sender.answer = answer


async def test_a_resume_that_commits_with_a_late_410_leaves_the_state_that_is_stored(
    tmp_path: Path,
) -> None:
    """The 410 was judged before a pause, and recorded after it: the resume came last."""
    world, storage = with_held_records(tmp_path, RecordsAndResumesAtOnce)
    assert isinstance(storage, RecordsAndResumesAtOnce)
    storage.recorded, storage.resumed = asyncio.Event(), asyncio.Event()
    async with world:
        endpoint = await world.endpoint(max_in_flight=1)
        answer_410_first(world)
        sent = await world.send(endpoint, 2)
        await storage.entered.wait()
        await world.directory.pause(PROJECT, endpoint)
        storage.held.set()
        await storage.recorded.wait()
        await world.directory.resume(PROJECT, endpoint)
        await world.wait_for_status(sent[1:], "succeeded")


@pytest.mark.parametrize("resumed", [False, True])
async def test_a_410_that_is_recorded_after_a_pause_does_not_pause_and_is_not_told_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, resumed: bool
) -> None:
    """Who paused first has paused; and what was judged before a resume does not pause after it."""
    world, storage = with_held_records(tmp_path)
    async with world:
        endpoint = await world.endpoint(max_in_flight=1)
        answer_410_first(world)
        sent = await world.send(endpoint, 2)
        await storage.entered.wait()
        await world.directory.pause(PROJECT, endpoint)
        if resumed:
            await world.directory.resume(PROJECT, endpoint)
        storage.held.set()
        await world.wait_for_status(sent[:1], "failed_permanent")
        if resumed:
            await world.wait_for_status(sent[1:], "succeeded")
        state = await storage.load_state(endpoint)
        assert state is not None
        assert state.pause_reason == (None if resumed else PauseReason.MANUAL)
        if resumed:  # what is in memory says the same
            with pytest.raises(NotPausedError):
                await world.directory.resume(PROJECT, endpoint)
    told = [each for each in world.told.events if each.name is EventName.ENDPOINT_PAUSED]
    assert [each.reason for each in told] == [PauseReason.MANUAL]
    assert [event["reason"] for event in events(caplog, "endpoint.paused")] == ["manual"]


async def test_what_fails_late_on_a_deleted_endpoint_is_swept_too(tmp_path: Path) -> None:
    """Its row must not wait for ever: a start would look at it again and again."""
    world, storage = with_held_records(tmp_path)
    async with world:
        endpoint = await world.endpoint()

        async def answer(_request: Request) -> Outcome:
            return answered(500)

        world.sender.answer = answer
        (sent,) = await world.send(endpoint)
        await storage.entered.wait()
        await world.directory.delete(PROJECT, endpoint)
        storage.held.set()
        await world.wait_for_status([sent], "failed_permanent")
        async with asyncio.timeout(WAIT_S):
            while await storage.work():  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.005)
        with pytest.raises(EndpointNotFoundError):
            await world.directory.resume(PROJECT, endpoint)


class BusyForFailures(SqliteStorage):
    """A storage that has no room for the first failure, once."""

    refused = 0

    async def record_attempt(self, result: AttemptResult, *, urgent: bool = True) -> bool:
        if result.outcome.status == 500 and not self.refused:
            self.refused += 1
            raise UnavailableError
        return await super().record_attempt(result, urgent=urgent)


async def test_a_result_that_is_written_late_does_not_bring_an_old_health_back(
    tmp_path: Path,
) -> None:
    """A failure, then a success that is recorded first: the failing stretch has ended.

    Else a restart would find an endpoint that has been failing ever since, and pause it.
    """
    async with world_with(BusyForFailures, tmp_path, retry_slow_s=(60.0,)) as world:
        endpoint = await world.endpoint()
        succeeds = asyncio.Event()

        async def first_fails(request: Request) -> Outcome:
            if request is world.sender.posts[0]:
                return answered(500)
            await succeeds.wait()
            return answered(200)

        world.sender.answer = first_fails
        sent = await world.send(endpoint, 2)
        assert isinstance(world.storage, BusyForFailures)
        storage = world.storage
        await eventually(lambda: storage.refused == 1)
        succeeds.set()
        await world.wait_for_status(sent[1:], "succeeded")
        await world.wait_for_status(sent[:1], "pending_retry")
        state = await storage.load_state(endpoint)
        assert state is not None
        assert state.health == Health()


class Noted(SqliteStorage):
    """A storage that remembers which results were urgent."""

    urgent: list[bool]

    def record_attempt(self, result: AttemptResult, *, urgent: bool = True) -> Awaitable[bool]:
        self.urgent.append(urgent)
        return super().record_attempt(result, urgent=urgent)


async def test_only_a_success_that_nothing_waits_for_may_wait_for_others(tmp_path: Path) -> None:
    """Not one whose place the next attempt waits for, nor what is judged anew."""

    async def failing(_request: Request) -> Outcome:
        return answered(500)

    async with world_with(Noted, tmp_path, retry_slow_s=(3600.0,)) as world:
        noted = world.storage
        assert isinstance(noted, Noted)

        async def recorded(endpoint: str, status: str) -> list[bool]:
            noted.urgent = []
            await world.wait_for_status(await world.send(endpoint), status)
            return noted.urgent

        plain = await world.endpoint()
        assert await recorded(plain, "succeeded") == [False]
        assert await recorded(await world.endpoint(ordered=True), "succeeded") == [True]
        assert await recorded(await world.endpoint(max_in_flight=1), "succeeded") == [True]
        world.sender.answer = failing
        assert await recorded(plain, "pending_retry") == [True]
        world.sender.answer = world.sender.succeed
        assert await recorded(plain, "succeeded") == [True], "the endpoint is well again"
        assert await recorded(plain, "succeeded") == [False]
