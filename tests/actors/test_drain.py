"""The end of a process: what is in flight gets its time, nothing starts, nothing is lost."""

import asyncio
import gc
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from sluicegate.actors.endpoint import EndpointActor
from sluicegate.clock import SystemRandom
from sluicegate.engine.errors import (
    EndpointNotFoundError,
    UnavailableError,
)
from sluicegate.engine.ids import new_endpoint_id
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request
from sluicegate.turns.prompt_future import PromptFuture

from .bugs import BugError, eventually
from .held import Gate, HeldPauses, take_turns
from .world import PROJECT, WAIT_S, World, answered, until


async def test_a_drain_gives_attempts_in_flight_their_time_and_starts_no_more(
    world: World,
) -> None:
    """What they come to is recorded; the rest waits for the next start."""
    endpoint = await world.known_endpoint()
    gate = Gate(world)
    sent = await world.send(endpoint, 40)
    await world.sender.wait_for_count(16)
    drained = asyncio.ensure_future(world.directory.drain(WAIT_S))
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError):
        await world.directory.pause(PROJECT, endpoint)
    gate.opened.set()
    assert await drained
    assert world.sender.ids() == sent[:16]
    assert not world.directory.in_flight()
    assert [(await world.message(each)).status for each in sent[:16]] == ["succeeded"] * 16
    await world.restart()
    await world.wait_for_status(sent, "succeeded")
    assert world.sender.ids() == sent


async def test_what_a_drain_cuts_stays_waiting_and_is_delivered_after_a_restart(
    world: World,
) -> None:
    """Its time is over: the attempts are cut, no message is lost, none is counted as tried."""
    endpoint = await world.known_endpoint()
    Gate(world)
    sent = await world.send(endpoint, 40)
    await world.sender.wait_for_count(16)
    assert not await world.directory.drain(0.02)
    await world.directory.close()
    assert [(await world.message(each)).attempt_count for each in sent] == [0] * 40
    world.sender.answer = world.sender.succeed
    await world.restart()
    await world.wait_for_status(sent, "succeeded")
    assert world.sender.ids()[16:] == sent


async def test_a_drain_with_nothing_to_do_ends_at_once(world: World) -> None:
    """Idle, paused and unknown endpoints do not hold it up."""
    endpoint = await world.endpoint()
    await world.wait_for_status(await world.send(endpoint), "succeeded")
    with pytest.raises(EndpointNotFoundError):
        await world.directory.pause(PROJECT, new_endpoint_id(world.random))
    async with asyncio.timeout(WAIT_S):
        assert await world.directory.drain(10 * WAIT_S)


async def test_during_a_drain_hints_and_retries_wake_nobody(tmp_path: Path) -> None:
    """Sends are stored to the last; their time comes in the next process."""
    async with World(tmp_path, actor_idle_s=0.0, retry_slow_s=(0.05,)) as world:
        endpoint, calm = await world.endpoint(), await world.endpoint()
        gate = Gate(world, status=500)
        sent = await world.send(endpoint)
        await world.sender.wait_for_count(1)
        drained = asyncio.ensure_future(world.directory.drain(WAIT_S))
        await asyncio.sleep(0)
        late = await world.send(calm)
        gate.opened.set()
        assert await drained
        await asyncio.sleep(0.1)
        assert len(world.sender.posts) == 1
        world.sender.answer = world.sender.succeed
        await world.restart()
        await world.wait_for_status([*sent, *late], "succeeded")


async def test_a_drain_records_what_a_crashed_actor_left_behind(tmp_path: Path) -> None:
    """An attempt that had ended is not repeated, though its endpoint was parked."""
    async with World(tmp_path, actor_restarts_max=0) as world:
        endpoint = await world.known_endpoint()
        gate = asyncio.Event()

        async def answer(_request: Request) -> Outcome:
            if len(world.sender.posts) == 1:
                raise BugError
            await gate.wait()
            return answered(200)

        world.sender.answer = answer
        sent = await world.send(endpoint, 5)
        await world.sender.wait_for_count(5)
        await take_turns(20)
        gate.set()
        assert await world.directory.drain(WAIT_S)
        assert not world.directory.in_flight()
        await world.restart()
        await world.wait_for_status(sent, "succeeded")
        assert sorted(world.sender.ids()) == sorted([*sent, sent[0]])


class NoMoreChance(SystemRandom):
    """Chance that cannot be drawn."""

    def random(self) -> float:
        raise BugError


async def test_a_drain_does_not_wait_for_what_nobody_can_record(tmp_path: Path) -> None:
    """It says that not everything ended, well before its time is over."""
    async with World(tmp_path, actor_restarts_max=0) as world:
        endpoint = await world.known_endpoint()
        world.random.__class__ = NoMoreChance
        await world.send(endpoint, 3)
        await world.sender.wait_for_count(3)
        async with asyncio.timeout(WAIT_S):
            assert not await world.directory.drain(10 * WAIT_S)


async def test_closing_twice_is_fine_and_so_is_closing_what_never_started(
    world: World, tmp_path: Path
) -> None:
    """A shutdown that is asked for again must not fail."""
    endpoint = await world.endpoint()
    await world.send(endpoint)
    await world.directory.close()
    await world.directory.close()
    with pytest.raises(UnavailableError):
        await world.directory.resume(PROJECT, endpoint)
    world.directory.hint(endpoint)
    assert world.directory.active == 0
    (tmp_path / "other").mkdir()
    await World(tmp_path / "other").directory.close()


async def test_a_closed_directory_keeps_no_actor_alive(world: World) -> None:
    """No timer holds on to it, though its moment was far."""
    endpoints = [await world.endpoint() for _ in range(3)]
    for endpoint in endpoints:
        await world.wait_for_status(await world.send(endpoint), "succeeded")
    assert world.directory.active == 3
    await world.directory.close()
    world.sender.posts.clear()
    gc.collect()
    left = [each for each in gc.get_objects() if isinstance(each, EndpointActor)]
    assert not [each for each in left if each.endpoint_id in endpoints]


async def test_an_actor_that_retires_is_freed_at_once(tmp_path: Path) -> None:
    """Nothing of it refers back to it: a crowd leaves nothing for the garbage collection."""
    async with World(tmp_path, actor_idle_s=0.0) as world:
        endpoint = await world.endpoint()
        gate = Gate(world)
        await world.send(endpoint)
        await world.sender.wait_for_count(1)
        entry = world.directory._entries[endpoint]  # noqa: SLF001 - a test looks inside
        ref = entry.outstanding.actor
        assert ref is not None
        actor = ref._actor_weakref  # noqa: SLF001 - a test looks inside
        world.sender.posts.clear()
        gc.disable()
        try:
            gate.opened.set()

            async def it_is_gone() -> bool:
                return actor() is None

            await until(it_is_gone)
        finally:
            gc.enable()


async def test_a_command_under_way_at_the_end_is_answered(tmp_path: Path) -> None:
    """By an error, not by silence; it may have been carried out."""
    world = World(tmp_path)
    world.storage.__class__ = HeldPauses
    assert isinstance(world.storage, HeldPauses)
    world.storage.entered, world.storage.held = asyncio.Event(), asyncio.Event()
    async with world:
        endpoint = await world.endpoint()
        asked = [asyncio.ensure_future(world.directory.pause(PROJECT, endpoint)) for _ in range(3)]
        await take_turns(20)
        await world.directory.close()
        async with asyncio.timeout(WAIT_S):
            results = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(each) for each in results} == {UnavailableError}


async def test_a_write_under_way_at_the_end_is_let_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked is answered, the end is not held up, and nobody stumbles over it."""
    writes: list[PromptFuture[Any]] = []
    stumbled: list[object] = []

    def never(*_: object, **__: object) -> Awaitable[Any]:
        writes.append(PromptFuture(loop=asyncio.get_running_loop()))
        return writes[-1]

    asyncio.get_running_loop().set_exception_handler(lambda _, told: stumbled.append(told))
    monkeypatch.setattr(world.storage, "pause", never)
    endpoint = await world.known_endpoint()
    asked = world.directory.pause(PROJECT, endpoint)
    assert len(writes) == 1
    async with asyncio.timeout(WAIT_S):
        await world.directory.close()
        with pytest.raises(UnavailableError):
            await asked
    assert writes[0].cancelled()
    assert stumbled == []


async def test_two_engines_in_one_process_do_not_notice_each_other(tmp_path: Path) -> None:
    """Not even with endpoints of one id: closing one leaves the other's actors alone."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with World(tmp_path / "a") as first:
        endpoint = await first.endpoint(max_in_flight=1)
        async with World(tmp_path / "b") as second:
            other = await second.endpoint()
            gate = Gate(first)
            sent = await first.send(endpoint, 3)
            await first.sender.wait_for_count(1)
            with pytest.raises(EndpointNotFoundError):
                await second.directory.pause(PROJECT, endpoint)
            await second.wait_for_status(await second.send(other), "succeeded")
            await eventually(lambda: not second.directory.in_flight())  # readers may be quicker
            assert list(first.directory.in_flight()) == sent[:1]
        gate.opened.set()
        await first.wait_for_status(sent, "succeeded")
        assert first.sender.ids() == sent


async def test_once_storage_has_failed_nothing_more_is_sent(world: World) -> None:
    """It could not be recorded, and would be sent again after the restart."""
    endpoint = await world.endpoint(rate_limit_rps=50, burst=1)
    await world.send(endpoint, 20)
    await world.sender.wait_for_count(2)
    world.directory.halt()
    started = len(world.sender.posts)
    await asyncio.sleep(0.1)  # five more would be due
    assert len(world.sender.posts) == started
