"""A bug of ours costs one endpoint a moment, never the process, an answer or a message."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

from sluicegate.actors.supervision import Restarts
from sluicegate.clock import SystemRandom
from sluicegate.engine.errors import (
    AlreadyPausedError,
    EndpointNotFoundError,
    SluicegateError,
    UnavailableError,
)
from sluicegate.engine.model import AttemptResult, EndpointState, PauseReason
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request
from sluicegate.storage import SqliteStorage

from .world import PROJECT, WAIT_S, World, answered


@pytest.fixture(autouse=True)
def _every_event(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sluicegate")


class BugError(Exception):
    """What a bug of ours raises."""


async def until(condition: Callable[[], bool]) -> None:
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


# -- a sender that raises ---------------------------------------------------------------------


async def test_a_crash_restarts_the_endpoint_and_everything_is_delivered(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug that shows once costs a moment: the actor comes back from storage, logged."""
    endpoint = await world.endpoint()
    crashes = iter([BugError()])

    async def fail_once(_request: Request) -> Outcome:
        for error in crashes:
            raise error
        return answered(200)

    world.sender.answer = fail_once
    sent = await world.send(endpoint, 20)
    await world.wait_for_status(sent, "succeeded")
    (restarting,) = events(caplog, "actor.restarting")
    assert restarting["endpoint_id"] == endpoint
    assert restarting["message_id"] == sent[0]
    assert len(events(caplog, "actor.restarted")) == 1
    assert not events(caplog, "endpoint.parked")


async def test_no_attempt_that_had_ended_is_repeated_after_a_crash(world: World) -> None:
    """Answers that came while the actor was down are recorded by its successor."""
    endpoint = await world.endpoint()
    down = asyncio.Event()
    crash = True

    async def answer(_request: Request) -> Outcome:
        nonlocal crash
        if crash:
            crash = False
            down.set()
            raise BugError
        await down.wait()
        for _ in range(10):  # until the actor has crashed on the first
            await asyncio.sleep(0)
        return answered(200)

    world.sender.answer = answer
    sent = await world.send(endpoint, 16)
    await world.wait_for_status(sent, "succeeded")
    assert sorted(world.sender.ids()) == sorted([*sent, sent[0]])


async def test_a_message_that_crashes_its_actor_thrice_goes_to_the_dead_letters(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Three attempts, then it is given up with the error; the rest flows."""
    endpoint = await world.endpoint()
    await world.directory.pause(PROJECT, endpoint)
    sent = await world.send(endpoint, 5)
    world.sender.answer = raise_for(sent[2])
    await world.directory.resume(PROJECT, endpoint)
    await world.wait_for_status(sent[2:3], "failed_permanent")
    await world.wait_for_status([*sent[:2], *sent[3:]], "succeeded")
    assert (await world.message(sent[2])).last_error == "internal error: BugError"
    assert world.sender.ids().count(sent[2]) == 3
    assert [event["message_id"] for event in events(caplog, "message.dead_lettered")] == [sent[2]]


async def test_two_such_messages_at_once_do_not_park_their_endpoint(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """They crash the actor by turns; each is given up after its own three crashes."""
    endpoint = await world.endpoint()
    await world.directory.pause(PROJECT, endpoint)
    sent = await world.send(endpoint, 6)
    world.sender.answer = raise_for(sent[1], sent[4])
    await world.directory.resume(PROJECT, endpoint)
    await world.wait_for_status([sent[1], sent[4]], "failed_permanent")
    await world.wait_for_status([sent[0], sent[2], sent[3], sent[5]], "succeeded")
    assert not events(caplog, "endpoint.parked")


async def test_a_slot_is_given_back_by_every_crash(tmp_path: Path) -> None:
    """Crashes of one endpoint do not eat up the process-wide cap of all."""
    async with World(tmp_path, in_flight_max=1) as world:
        endpoint, calm = await world.endpoint(), await world.endpoint()
        await world.directory.pause(PROJECT, endpoint)
        sent = await world.send(endpoint, 2)
        world.sender.answer = raise_for(sent[0])
        await world.directory.resume(PROJECT, endpoint)
        await world.wait_for_status(sent[:1], "failed_permanent")
        await world.wait_for_status(sent[1:], "succeeded")
        await world.wait_for_status(await world.send(calm), "succeeded")


async def test_what_a_crashed_actor_had_begun_to_connect_is_recalled(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Its successor may be paused by the time the connection stands."""
    endpoint = await world.endpoint(max_in_flight=2)
    connected = asyncio.Event()
    post, answers = world.sender.post, iter([BugError()])

    async def crash_or_connect_slowly(request: Request) -> Outcome:
        for error in answers:
            raise error
        await connected.wait()
        return await post(request)

    world.sender.post = crash_or_connect_slowly  # type: ignore[method-assign] # a slower network
    sent = await world.send(endpoint, 2)
    await until(lambda: bool(events(caplog, "actor.restarted")))
    await world.directory.pause(PROJECT, endpoint)
    connected.set()
    await world.wait_for_status(sent, "paused")
    assert world.sender.posts == []
    assert await world.directory.resume(PROJECT, endpoint) == 2
    await world.wait_for_status(sent, "succeeded")
    assert world.sender.ids() == sent


# -- rules and chance that raise ----------------------------------------------------------------


class NoMoreChance(SystemRandom):
    """Chance that fails to be drawn, some times."""

    failures = 0

    def random(self) -> float:
        if self.failures:
            self.failures -= 1
            raise BugError
        return super().random()


@pytest.mark.parametrize("failures", [1, 3])
async def test_an_answer_that_cannot_be_judged_is_asked_for_once(
    world: World, caplog: pytest.LogCaptureFixture, failures: int
) -> None:
    """The attempt had ended: each restart judges the same answer; then the message is given up."""
    world.random.__class__ = NoMoreChance
    assert isinstance(world.random, NoMoreChance)
    world.random.failures = failures
    endpoint = await world.endpoint()
    sent = await world.send(endpoint, 4)
    await world.wait_for_status(sent[1:], "succeeded")
    await world.wait_for_status(sent[:1], "succeeded" if failures < 3 else "failed_permanent")
    assert world.sender.ids() == sent
    if failures == 3:
        assert (await world.message(sent[0])).last_error == "internal error: BugError"
    await until(lambda: not world.directory.in_flight())
    assert not events(caplog, "endpoint.parked")
    await world.wait_for_status(await world.send(endpoint), "succeeded")


class NoMoreIds(SystemRandom):
    """Chance that fails to make an attempt's id, some times."""

    failures = 0

    def uuid7(self) -> str:
        if self.failures:
            self.failures -= 1
            raise BugError
        return super().uuid7()


async def test_a_crash_while_an_attempt_starts_costs_neither_message_nor_slot(
    tmp_path: Path,
) -> None:
    """What was taken for the attempt (the message, a slot) is free again."""
    world = World(tmp_path, in_flight_max=1)
    async with world:
        endpoint = await world.endpoint()
        await world.directory.pause(PROJECT, endpoint)
        sent = await world.send(endpoint, 3)
        world.random.__class__ = NoMoreIds
        assert isinstance(world.random, NoMoreIds)
        world.random.failures = 2
        await world.directory.resume(PROJECT, endpoint)
        await world.wait_for_status(sent, "succeeded")
        assert world.sender.ids() == sent


# -- the intensity limit ------------------------------------------------------------------------


async def test_an_endpoint_that_crashes_too_often_is_parked_with_an_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The process and other endpoints go on; sends are stored; a command revives it."""
    async with World(tmp_path, actor_restarts_max=1) as world:
        endpoint, other = await world.endpoint(), await world.endpoint()

        async def answer(request: Request) -> Outcome:
            if request.url.endswith(endpoint):
                raise BugError
            return answered(200)

        world.sender.answer = answer
        sent = await world.send(endpoint, 3)
        await until(lambda: bool(events(caplog, "endpoint.parked")))
        (alarm,) = [
            record
            for record in caplog.records
            if isinstance(record.msg, dict) and record.msg.get("event") == "endpoint.parked"
        ]
        assert alarm.levelno == logging.CRITICAL
        await world.wait_for_status(await world.send(other, 3), "succeeded")
        sent += await world.send(endpoint, 2)
        tried = len(world.sender.ids(f"https://example.com/{endpoint}"))
        assert (await world.message(sent[-1])).status == "queued"
        world.sender.answer = raise_for()
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(world.sender.ids(f"https://example.com/{endpoint}")) == tried
        await world.directory.pause(PROJECT, endpoint)
        await world.directory.resume(PROJECT, endpoint)
        await world.wait_for_status(sent, "succeeded")


async def test_a_new_start_of_the_process_revives_a_parked_endpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of the parking is stored."""
    async with World(tmp_path, actor_restarts_max=0) as world:
        endpoint = await world.endpoint()
        crashing = True

        async def answer(_request: Request) -> Outcome:
            if crashing:
                raise BugError
            return answered(200)

        world.sender.answer = answer
        sent = await world.send(endpoint, 3)
        await until(lambda: bool(events(caplog, "endpoint.parked")))
        crashing = False
        await world.restart()
        await world.wait_for_status(sent, "succeeded")


async def test_commands_during_a_restart_are_refused_not_left_hanging(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Between a crash and the restart there is nobody to carry them out."""
    endpoint = await world.endpoint()
    await world.directory.pause(PROJECT, endpoint)
    sent = await world.send(endpoint, 1)
    world.sender.answer = raise_for(*sent)
    await world.directory.resume(PROJECT, endpoint)
    await until(lambda: bool(events(caplog, "actor.restarting")))
    with pytest.raises(UnavailableError):
        await world.directory.pause(PROJECT, endpoint)


def test_restarts_come_ever_later_until_the_endpoint_is_parked() -> None:
    """Five restarts, each after twice the pause; the sixth crash is one too many."""
    restarts = Restarts(5)
    delays = [restarts.crashed(100 + number, explained=False) for number in range(6)]
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, None]
    assert restarts.parked


def test_crashes_are_forgiven_after_a_minute_without_one() -> None:
    """And a pause between crashes never grows beyond ten seconds."""
    restarts = Restarts(1)
    assert restarts.crashed(0, explained=False) == 0.1
    assert restarts.crashed(61, explained=False) == 0.1
    assert restarts.crashed(121, explained=False) is None
    patient = Restarts(100)
    assert max(patient.crashed(0, explained=False) or 0 for _ in range(100)) == 10


def test_a_crash_that_is_explained_does_not_count() -> None:
    """The message behind it is given up: the actor may try without it."""
    restarts = Restarts(1)
    assert restarts.crashed(0, explained=False) == 0.1
    assert restarts.crashed(0, explained=True) == 0.1
    assert restarts.crashed(0, explained=False) is None


def test_each_message_answers_for_its_own_crashes() -> None:
    """Three, whatever crashes come between; only so many messages are remembered."""
    restarts = Restarts(5)
    assert [restarts.poisoned_by(seq) for seq in (1, 2, 1, 2, 1, 2)] == [False] * 4 + [True] * 2
    for seq in range(10, 100):
        assert not restarts.poisoned_by(seq)
    assert not restarts.poisoned_by(1)


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
        await until(lambda: world.directory.active == 1)
        while True:
            try:
                await world.directory.pause(PROJECT, endpoint)
            except AlreadyPausedError:
                break
            except UnavailableError:
                await asyncio.sleep(0.01)
        await world.wait_for_status(sent, "paused")
        assert world.sender.posts == []


class HeldPauses(SqliteStorage):
    """A storage whose pauses are held up before they are written."""

    entered: asyncio.Event
    held: asyncio.Event

    async def pause(self, endpoint_id: str, *, reason: PauseReason, at_ms: int) -> EndpointState:
        self.entered.set()
        await self.held.wait()
        return await super().pause(endpoint_id, reason=reason, at_ms=at_ms)


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
        await until(lambda: bool(events(caplog, "actor.restarted")))
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

    async def record_attempt(self, result: AttemptResult) -> None:
        if result.message_id == self.refused:
            self.refusals += 1
            raise self.error
        await super().record_attempt(result)


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
        await until(lambda: not world.directory.in_flight())
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

    async def record_attempt(self, result: AttemptResult) -> None:
        self.entered.set()
        await self.held.wait()
        await super().record_attempt(result)


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

    async def record_attempt(self, result: AttemptResult) -> None:
        await super().record_attempt(result)
        self.recorded.set()
        await self.resumed.wait()

    async def resume(
        self, endpoint_id: str, *, at_ms: int, in_flight: AbstractSet[str]
    ) -> tuple[EndpointState, int]:
        resumed = await super().resume(endpoint_id, at_ms=at_ms, in_flight=in_flight)
        self.resumed.set()
        await asyncio.sleep(0)  # in one turn of the loop both are told, the result first
        return resumed


async def test_a_resume_that_commits_with_a_late_410_leaves_the_state_that_is_stored(
    tmp_path: Path,
) -> None:
    """The 410 was judged before a pause, and recorded after it: the resume came last."""
    world, storage = with_held_records(tmp_path, RecordsAndResumesAtOnce)
    assert isinstance(storage, RecordsAndResumesAtOnce)
    storage.recorded, storage.resumed = asyncio.Event(), asyncio.Event()
    async with world:
        endpoint = await world.endpoint(max_in_flight=1)

        async def answer(_request: Request) -> Outcome:
            return answered(410 if len(world.sender.posts) == 1 else 200)

        world.sender.answer = answer
        sent = await world.send(endpoint, 2)
        await storage.entered.wait()
        await world.directory.pause(PROJECT, endpoint)
        storage.held.set()
        await storage.recorded.wait()
        await world.directory.resume(PROJECT, endpoint)
        await world.wait_for_status(sent[1:], "succeeded")


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
