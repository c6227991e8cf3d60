"""Pause is a promise (contract, section 5)."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from sluicegate.engine.errors import (
    AlreadyPausedError,
    EndpointNotFoundError,
    NotPausedError,
    UnavailableError,
)
from sluicegate.engine.model import EndpointState, PauseReason
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request
from sluicegate.storage import SqliteStorage, bridge, writer

from .world import PROJECT, World, answered


class Gatekeeper:
    """A receiver that answers nothing until it is told to."""

    def __init__(self, world: World) -> None:
        self._release: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        world.sender.answer = self._answer

    async def _answer(self, _request: Request) -> Outcome:
        return await asyncio.shield(self._release)

    def open(self, outcome: Outcome) -> None:
        self._release.set_result(outcome)


async def test_no_attempt_starts_once_a_pause_is_answered(world: World) -> None:
    """Rule 1: 16 attempts hang; the pause is answered at once and nothing starts after it."""
    endpoint = await world.known_endpoint()
    gatekeeper = Gatekeeper(world)
    sent = await world.send(endpoint, 40)
    await world.sender.wait_for_count(16)
    await world.directory.pause(PROJECT, endpoint)
    gatekeeper.open(answered(200))
    await world.wait_for_status(sent[:16], "succeeded")
    await world.wait_for_status(sent[16:], "paused")
    assert world.sender.ids() == sent[:16]


async def test_a_command_begins_at_once_and_is_answered_before_the_next_commit_begins(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No turn of a busy loop goes by: between its call and its write, its commit and its answer."""
    endpoint, other = await world.known_endpoint(), await world.known_endpoint()
    storage, seen, begin = world.storage, list[str](), bridge.begin
    pause = storage.pause

    def writing(*args: Any, **fields: Any) -> Awaitable[EndpointState]:
        seen.append("written")
        return pause(*args, **fields)

    def committing(*args: Any) -> None:
        seen.append("commit")
        begin(*args)

    monkeypatch.setattr(storage, "pause", writing)
    monkeypatch.setattr(writer, "begin", committing)
    answer = world.directory.pause(PROJECT, endpoint)
    answer.tell(lambda _: seen.append("answered"))
    assert seen == ["written"]
    while "commit" not in seen:  # noqa: ASYNC110 - nothing signals it
        await asyncio.sleep(0)
    await world.directory.pause(PROJECT, other)
    assert seen == ["written", "commit", "written", "answered", "commit"]


async def test_attempts_in_flight_run_to_their_end_and_count(world: World) -> None:
    """Rule 1: a retryable failure that ends on a paused endpoint is held, its count kept."""
    endpoint = await world.known_endpoint()
    gatekeeper = Gatekeeper(world)
    sent = await world.send(endpoint, 3)
    await world.sender.wait_for_count(3)
    await world.directory.pause(PROJECT, endpoint)
    gatekeeper.open(answered(500))
    await world.wait_for_status(sent, "paused")
    assert [(await world.message(each)).attempt_count for each in sent] == [1, 1, 1]
    world.sender.answer = world.sender.succeed
    assert await world.directory.resume(PROJECT, endpoint) == 3
    await world.wait_for_status(sent, "succeeded")
    assert world.sender.ids() == sent + sent


async def test_of_many_concurrent_pauses_exactly_one_succeeds(world: World) -> None:
    """Rule 4: the others hear ALREADY_PAUSED, after the first one's commit."""
    endpoint = await world.endpoint()
    results = await asyncio.gather(
        *(world.directory.pause(PROJECT, endpoint) for _ in range(50)), return_exceptions=True
    )
    assert results.count(None) == 1
    assert sum(isinstance(each, AlreadyPausedError) for each in results) == 49
    resumed = await asyncio.gather(
        *(world.directory.resume(PROJECT, endpoint) for _ in range(50)), return_exceptions=True
    )
    assert resumed.count(0) == 1
    assert sum(isinstance(each, NotPausedError) for each in resumed) == 49


async def test_pauses_and_resumes_in_quick_order_end_in_the_state_of_the_last(
    world: World,
) -> None:
    """Rule 4: commands are carried out in the order in which they came."""
    endpoint = await world.endpoint()
    commands = []
    for number in range(21):
        command = world.directory.resume if number % 2 else world.directory.pause
        commands.append(asyncio.ensure_future(command(PROJECT, endpoint)))
        await asyncio.sleep(0)
    await asyncio.gather(*commands)
    sent = await world.send(endpoint)
    await world.wait_for_status(sent, "paused")
    assert world.sender.posts == []


async def test_what_is_held_flows_in_the_order_of_acceptance(world: World) -> None:
    """Rule 5: more than a window's worth, untried and failed ones alike."""
    endpoint = await world.endpoint(max_in_flight=1)
    outcomes = iter([answered(500)] * 5)

    async def fail_five(_request: Request) -> Outcome:
        return next(outcomes, answered(200))

    world.sender.answer = fail_five
    await world.directory.pause(PROJECT, endpoint)
    sent = await world.send(endpoint, 200)
    assert await world.directory.resume(PROJECT, endpoint) == 200
    await world.sender.wait_for_count(5)
    await world.directory.pause(PROJECT, endpoint)
    before = len(world.sender.posts)
    held = await world.directory.resume(PROJECT, endpoint)
    assert held >= 200 - before
    await world.wait_for_status(sent, "succeeded")
    after = world.sender.ids()[before:]
    assert after == sorted(after, key=sent.index)


async def test_a_pause_survives_a_restart(world: World) -> None:
    """Rule 7: nothing is sent by the next process either, until it is resumed."""
    endpoint = await world.endpoint()
    await world.directory.pause(PROJECT, endpoint)
    sent = await world.send(endpoint, 5)
    await world.restart()
    with pytest.raises(AlreadyPausedError):
        await world.directory.pause(PROJECT, endpoint)
    assert (await world.message(sent[0])).status == "paused"
    assert world.sender.posts == []
    assert await world.directory.resume(PROJECT, endpoint) == 5
    await world.wait_for_status(sent, "succeeded")


class FailingPauses(SqliteStorage):
    """Storage whose pauses fail while it is told so."""

    failing = True

    async def pause(self, endpoint_id: str, *, reason: PauseReason, at_ms: int) -> EndpointState:
        if self.failing:
            msg = "the disk is full"
            raise UnavailableError(msg)
        return await super().pause(endpoint_id, reason=reason, at_ms=at_ms)


async def test_a_pause_that_cannot_be_stored_leaves_the_endpoint_running(tmp_path: Path) -> None:
    """The caller gets an error, the gate opens again, and what came meanwhile is delivered."""
    world = World(tmp_path)
    world.storage.__class__ = FailingPauses
    async with world:
        endpoint = await world.endpoint()
        pause = asyncio.ensure_future(world.directory.pause(PROJECT, endpoint))
        sent = await world.send(endpoint, 3)
        with pytest.raises(UnavailableError):
            await pause
        await world.wait_for_status(sent, "succeeded")


async def test_an_attempt_that_is_still_connecting_is_recalled_by_a_pause(world: World) -> None:
    """Rule 1: no byte is sent after the answer; it was no attempt and costs none."""
    endpoint = await world.endpoint()
    connecting = asyncio.Event()
    connected = asyncio.Event()
    post = world.sender.post

    async def slow_to_connect(request: Request) -> Outcome:
        connecting.set()
        await connected.wait()
        return await post(request)

    world.sender.post = slow_to_connect  # type: ignore[method-assign] # a slower network
    sent = await world.send(endpoint, 2)
    await connecting.wait()
    await world.directory.pause(PROJECT, endpoint)
    connected.set()
    await world.wait_for_status(sent, "paused")
    assert world.sender.posts == []
    assert (await world.message(sent[0])).attempt_count == 0
    assert await world.directory.resume(PROJECT, endpoint) == 2
    await world.wait_for_status(sent, "succeeded")
    assert world.sender.ids() == sent


async def test_a_caller_that_goes_away_does_not_undo_its_pause(world: World) -> None:
    """A cancelled request may have been carried out; the state stays consistent."""
    endpoint = await world.endpoint()
    pause = asyncio.ensure_future(world.directory.pause(PROJECT, endpoint))
    await asyncio.sleep(0)
    pause.cancel()
    with pytest.raises(AlreadyPausedError):
        await world.directory.pause(PROJECT, endpoint)
    assert await world.directory.resume(PROJECT, endpoint) == 0


async def test_another_projects_endpoint_is_unknown(world: World) -> None:
    """Section 1: a foreign id answers exactly like an unknown one, and nothing is paused."""
    endpoint = await world.endpoint()
    foreign = "proj_" + "2" * 32
    with pytest.raises(EndpointNotFoundError):
        await world.directory.pause(foreign, endpoint)
    with pytest.raises(EndpointNotFoundError):
        await world.directory.pause(PROJECT, "ep_" + "0" * 32)
    with pytest.raises(NotPausedError):
        await world.directory.resume(PROJECT, endpoint)
