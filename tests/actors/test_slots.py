"""The process-wide cap on attempts: counted exactly, shared by turns."""

import asyncio
import itertools
from collections import deque
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.actors.slots import Slots, Turn
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request

from .world import PROJECT, World, answered, until


def refuse() -> None:
    """Stand for a grant that must not come."""
    raise AssertionError


def test_a_full_house_makes_a_line_and_the_first_in_it_goes_first() -> None:
    """Whoever finds no room waits; a freed slot goes to the head of the line."""
    slots, granted = Slots(1), list[str]()
    assert slots.try_take("a", refuse)
    assert not slots.try_take("b", lambda: granted.append("b"))
    assert not slots.try_take("c", lambda: granted.append("c"))
    slots.release()
    assert granted == ["b"]
    slots.release()
    assert granted == ["b", "c"]
    assert slots.waiting == 0


def test_a_name_stands_in_line_once() -> None:
    """Asking again neither moves it nor doubles it."""
    slots, granted = Slots(1), list[str]()
    assert slots.try_take("a", refuse)
    for name in ("b", "c", "b"):
        assert not slots.try_take(name, lambda name=name: granted.append(name))  # type: ignore[misc] # a default binds it
    assert slots.waiting == 2
    slots.release()
    slots.release()
    assert granted == ["b", "c"]


def test_nobody_overtakes_the_line() -> None:
    """A slot that is being passed on is not there for who comes just then."""
    slots, order = Slots(1), list[str]()

    def grant_b() -> None:
        order.append("b")
        assert not slots.try_take("d", lambda: order.append("d"))

    assert slots.try_take("a", refuse)
    assert not slots.try_take("b", grant_b)
    assert not slots.try_take("c", lambda: order.append("c"))
    slots.release()
    slots.release()
    slots.release()
    assert order == ["b", "c", "d"]


def test_who_leaves_the_line_is_not_granted_anything() -> None:
    """And its leaving costs nobody a slot."""
    slots, granted = Slots(1), list[str]()
    assert slots.try_take("a", refuse)
    assert not slots.try_take("b", refuse)
    assert not slots.try_take("c", lambda: granted.append("c"))
    slots.leave("b")
    slots.leave("nobody")
    slots.release()
    assert granted == ["c"]
    slots.release()
    assert slots.try_take("d", refuse)


def test_a_turn_gives_back_what_it_does_not_use() -> None:
    """A grant is a slot: used once, or given back once."""
    slots = Slots(1)
    first = Turn(slots, "first", refuse)
    granted = list[None]()
    second = Turn(slots, "second", lambda: granted.append(None))
    assert first.take()
    assert not second.take()
    assert [first.waits, second.waits] == [False, True]
    slots.release()
    assert granted == [None]
    assert [first.waits, second.waits] == [False, False]
    second.granted()
    second.give_back()
    second.give_back()
    assert first.take()
    assert not second.take()
    second.leave()
    assert slots.waiting == 0
    slots.release()
    assert first.take()
    assert not first.take()


@given(
    size=st.integers(1, 3),
    steps=st.lists(st.tuples(st.sampled_from("tlr"), st.integers(0, 4)), max_size=60),
)
def test_slots_are_never_lost_or_doubled(size: int, steps: list[tuple[str, int]]) -> None:
    """Against a model: a counter and a queue of names."""
    slots = Slots(size)
    held, line, granted = 0, deque[int](), list[int]()
    for step, who in steps:
        if step == "t":
            taken = slots.try_take(str(who), lambda who=who: granted.append(who))  # type: ignore[misc] # a default binds it
            assert taken == (held < size and not line)
            held += taken
            if not taken and who not in line:
                line.append(who)
        elif step == "l":
            slots.leave(str(who))
            if who in line:
                line.remove(who)
        elif held:
            slots.release()
            held -= 1
            if line:
                assert granted == [line.popleft()]
                granted.clear()
                held += 1
        assert slots.waiting == len(line)
        assert not granted


# -- with actors --------------------------------------------------------------------------------


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
    async with World(tmp_path, in_flight_max=1, actor_idle_s=0.01) as world:
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
        assert world.sender.in_flight_max == 1


async def test_slots_come_back_from_every_kind_of_end(tmp_path: Path) -> None:
    """Success, retry, rejection, a recalled attempt, a missing payload: the cap stays whole."""
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
        world.sender.in_flight_max = 0
        await world.wait_for_status(await world.send(other, 20), "succeeded")
        assert world.sender.in_flight_max == 2


async def test_an_endpoint_does_not_retire_before_its_bucket_is_full(tmp_path: Path) -> None:
    """A retired actor forgets what was used; coming back must not be a way round the rate."""
    async with World(tmp_path, actor_idle_s=0.0) as world:
        endpoint = await world.endpoint(rate_limit_rps=5, burst=1)
        await world.send(endpoint)
        await world.sender.wait_for_count(1)
        loop = asyncio.get_running_loop()
        started = loop.time()
        sent = await world.send(endpoint)
        for _ in range(20):
            world.directory.hint(endpoint)
            await asyncio.sleep(0.001)
        await world.wait_for_status(sent, "succeeded")
        assert loop.time() - started > 0.15
