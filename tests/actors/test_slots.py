"""The process-wide caps on attempts: every slot comes back, whoever waits is not forgotten."""

import asyncio
import itertools
from pathlib import Path

from sluicegate.engine.model import AttemptResult
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request
from sluicegate.storage import SqliteStorage

from .world import PROJECT, World, answered, until


class Gate:
    """A receiver that keeps some endpoints waiting."""

    def __init__(self, world: World, *endpoints: str) -> None:
        self.endpoints = endpoints
        self.opened = asyncio.Event()
        world.sender.answer = self.answer

    async def answer(self, request: Request) -> Outcome:
        if request.url.endswith(self.endpoints):
            await self.opened.wait()
        return answered(200)


async def test_an_endpoint_that_waits_long_for_a_slot_is_not_forgotten(tmp_path: Path) -> None:
    """It has work: waiting for others' slow receivers is no idleness, however long."""
    async with World(tmp_path, in_flight_max=1, actor_idle_s=0.01) as world:
        slow, calm = await world.endpoint(), await world.endpoint()
        gate = Gate(world, slow)
        held = await world.send(slow)
        await world.sender.wait_for_count(1)
        sent = await world.send(calm)
        await asyncio.sleep(0.1)  # ten times what an idle actor stays
        gate.opened.set()
        await world.wait_for_status([*held, *sent], "succeeded")


async def test_a_paused_endpoint_leaves_the_line(tmp_path: Path) -> None:
    """It may retire then; the slot goes to the next; resumed, it gets in line again."""
    async with World(tmp_path, in_flight_max=1, in_flight_late_max=1, actor_idle_s=0.01) as world:
        slow, paused, calm = [await world.endpoint() for _ in range(3)]
        gate = Gate(world, slow)
        held = await world.send(slow)
        await world.sender.wait_for_count(1)
        first = await world.send(paused)
        second = await world.send(calm)
        await world.directory.pause(PROJECT, paused)

        async def the_paused_one_has_retired() -> bool:
            return world.directory.active == 2

        await until(the_paused_one_has_retired)
        gate.opened.set()
        await world.wait_for_status([*held, *second], "succeeded")
        assert (await world.message(first[0])).status == "paused"
        await world.directory.resume(PROJECT, paused)
        await world.wait_for_status(first, "succeeded")
        assert world.sender.in_flight_max <= 1 + 1


async def test_slots_come_back_from_every_kind_of_end(tmp_path: Path) -> None:
    """Success, retry, rejection, a recalled attempt, a missing payload: none is lost."""
    async with World(tmp_path, in_flight_max=2) as world:
        endpoint, other = await world.endpoint(), await world.endpoint()
        outcomes = itertools.cycle([answered(200), answered(500), answered(404), answered(429)])

        async def answer(_request: Request) -> Outcome:
            await asyncio.sleep(0)
            return next(outcomes)

        world.sender.answer = answer
        await world.send(endpoint, 60)
        for _ in range(3):
            await world.directory.pause(PROJECT, endpoint)
            await world.directory.resume(PROJECT, endpoint)
        await world.sender.wait_for_count(70)

        async def succeed(_request: Request) -> Outcome:
            await asyncio.sleep(0)
            return answered(200)

        world.sender.answer = succeed

        async def all_are_done() -> bool:
            return not await world.storage.work() and not world.directory.in_flight()

        await until(all_are_done)
        await world.wait_for_status(await world.send(other, 20), "succeeded")
        await until(all_are_done)
        assert (world.slots.prompt.held, world.slots.late.held) == (0, 0)


async def test_an_endpoint_does_not_retire_before_its_bucket_is_full(tmp_path: Path) -> None:
    """A retired actor forgets what was used; coming back must not be a way round the rate."""
    async with World(tmp_path, actor_idle_s=0.0) as world:
        endpoint = await world.endpoint(rate_limit_rps=5, burst=1)
        loop = asyncio.get_running_loop()
        started = loop.time()  # before the first is, however long that takes
        await world.send(endpoint)
        await world.sender.wait_for_count(1)
        sent = await world.send(endpoint)
        for _ in range(20):
            world.directory.hint(endpoint)
            await asyncio.sleep(0.001)
        await world.wait_for_status(sent, "succeeded")
        assert loop.time() - started > 0.15


async def test_an_endpoint_whose_last_attempt_failed_begins_in_a_late_slot(tmp_path: Path) -> None:
    """Also after a restart: nothing else is remembered of what it had earned."""
    async with World(tmp_path, retry_slow_s=(3600.0,)) as world:
        world.sender.answer = fail
        endpoint = await world.endpoint()
        await world.wait_for_status(await world.send(endpoint), "pending_retry")
        await world.restart()
        gate = Gate(world, endpoint)
        sent = await world.send(endpoint)
        await world.sender.wait_for_count(2)
        assert (world.slots.prompt.held, world.slots.late.held) == (0, 1)
        gate.opened.set()
        await world.wait_for_status(sent, "succeeded")


async def fail(_request: Request) -> Outcome:
    """Answer that something is wrong."""
    return answered(500)


class HeldResults(SqliteStorage):
    """A storage that records no result until the test says so."""

    held: asyncio.Event

    async def record_attempt(self, result: AttemptResult, *, urgent: bool = True) -> bool:
        await self.held.wait()
        return await super().record_attempt(result, urgent=urgent)


async def test_what_an_attempt_shows_lets_others_start_before_it_is_recorded(
    tmp_path: Path,
) -> None:
    """A new endpoint has one attempt in flight; with the first success, all that it may."""
    world = World(tmp_path)
    world.storage.__class__ = HeldResults
    async with world:
        assert isinstance(world.storage, HeldResults)
        world.storage.held = asyncio.Event()
        sent = await world.send(await world.endpoint(), 3)
        await world.sender.wait_for_count(3)
        world.storage.held.set()
        await world.wait_for_status(sent, "succeeded")
