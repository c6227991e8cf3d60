"""A bug of ours costs one endpoint a moment, never the process, an answer or a message."""

import asyncio
import logging
from pathlib import Path

import pytest

from sluicegate.actors.supervision import Restarts
from sluicegate.clock import SystemRandom
from sluicegate.engine.errors import (
    UnavailableError,
)
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request

from .bugs import BugError, events, eventually, raise_for
from .world import PROJECT, World, answered


@pytest.fixture(autouse=True)
def _every_event(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sluicegate")


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
    assert world.counted("sluicegate_actor_restarts_total") == 1
    assert world.counted("sluicegate_endpoints_parked_total") == 0


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
    await eventually(lambda: bool(events(caplog, "actor.restarted")))
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
    await eventually(lambda: not world.directory.in_flight())
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
        await eventually(lambda: bool(events(caplog, "endpoint.parked")))
        (alarm,) = [
            record
            for record in caplog.records
            if isinstance(record.msg, dict) and record.msg.get("event") == "endpoint.parked"
        ]
        assert alarm.levelno == logging.CRITICAL
        assert world.counted("sluicegate_endpoints_parked_total") == 1
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
        await eventually(lambda: bool(events(caplog, "endpoint.parked")))
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
    await eventually(lambda: bool(events(caplog, "actor.restarting")))
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
