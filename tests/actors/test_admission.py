"""How endpoints come into memory: in groups, so many at once, and everybody in turn."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from sluicegate.actors import admission
from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Head, Request
from sluicegate.storage import SqliteStorage

from .world import PROJECT, World, answered, until


class HeldHeads(SqliteStorage):
    """A storage whose heads are read at once and told when the test lets go."""

    reads: list[int]
    read: asyncio.Event
    held: asyncio.Event
    error: Exception | None = None

    async def load_heads(self, endpoint_ids: Sequence[str], *, limit: int) -> dict[str, Head]:
        self.reads.append(len(endpoint_ids))
        if self.error is not None:
            raise self.error
        heads = await super().load_heads(endpoint_ids, limit=limit)
        self.read.set()
        await self.held.wait()
        return heads


def world_that_holds(tmp_path: Path, **settings: object) -> tuple[World, HeldHeads]:
    """Return a world with such a storage."""
    world = World(tmp_path, **settings)
    world.storage.__class__ = HeldHeads
    storage = world.storage
    assert isinstance(storage, HeldHeads)
    storage.reads, storage.read, storage.held = [], asyncio.Event(), asyncio.Event()
    return world, storage


async def test_everybody_has_a_turn_where_there_is_no_room_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten endpoints, room for three actors: all is delivered, those that were first wait again."""
    monkeypatch.setattr(admission, "ACTORS_MAX", 3)
    monkeypatch.setattr(admission, "_PER_FLIGHT", 1)
    async with World(tmp_path, in_flight_max=1, in_flight_late_max=1) as world:
        seen: list[int] = []
        opened = asyncio.Event()

        async def count(_request: Request) -> Outcome:
            await opened.wait()
            seen.append(world.directory.active)
            return answered(200)

        world.sender.answer = count
        ids = [await world.endpoint() for _ in range(10)]
        sent = [message for each in ids for message in await world.send(each, 8)]
        opened.set()
        await world.wait_for_status(sent, "succeeded")
        assert max(seen) <= 3
        order = [ids.index(request.url.rpartition("/")[2]) for request in world.sender.posts]
        assert len(order) == 80
        everybody_began = max(order.index(each) for each in range(10))
        assert {0, 1, 2} & set(order[everybody_began:]), "the first were served to the end"


async def test_what_comes_while_a_group_is_read_is_read_together(tmp_path: Path) -> None:
    """One read for the first, then one for each 64 of those that came meanwhile."""
    world, storage = world_that_holds(tmp_path)
    async with world:
        ids = [await world.endpoint() for _ in range(80)]
        sent = await world.send(ids[0])
        await storage.read.wait()
        for each in ids[1:]:
            sent += await world.send(each)
        storage.held.set()
        await world.wait_for_status(sent, "succeeded")
        assert storage.reads == [1, 64, 15]


class WatchedHeads(HeldHeads):
    """Also notes who of those that were let in had yet to begin when it was asked for more."""

    world: World
    waiting: list[str]

    async def load_heads(self, endpoint_ids: Sequence[str], *, limit: int) -> dict[str, Head]:
        for endpoint_id, entry in self.world.directory._entries.items():  # noqa: SLF001 - a test looks inside
            ref = entry.outstanding.actor
            actor = None if ref is None else ref._actor_weakref()  # noqa: SLF001 - as above
            if actor is not None and not actor._started:  # noqa: SLF001 - as above
                self.waiting.append(endpoint_id)
        return await super().load_heads(endpoint_ids, limit=limit)


async def test_the_next_group_is_read_when_the_actors_of_this_one_have_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else reading, which is quick, would fill the memory with actors that wait for their turn."""
    monkeypatch.setattr(admission, "_GROUP_MAX", 2)
    world, storage = world_that_holds(tmp_path)
    storage.__class__ = WatchedHeads
    assert isinstance(storage, WatchedHeads)
    storage.world, storage.waiting = world, []
    async with world:
        sent = [(await world.send(await world.endpoint()))[0] for _ in range(6)]
        storage.held.set()
        await world.wait_for_status(sent, "succeeded")
    assert storage.reads == [1, 2, 2, 1]
    assert storage.waiting == []


async def test_a_pause_while_the_head_is_read_holds(tmp_path: Path) -> None:
    """What was read before the pause was carried out is not believed."""
    world, storage = world_that_holds(tmp_path)
    async with world:
        endpoint = await world.endpoint()
        await world.send(endpoint)
        await storage.read.wait()
        await world.directory.pause(PROJECT, endpoint)
        storage.held.set()
        other = await world.send(await world.endpoint())
        await world.wait_for_status(other, "succeeded")
        assert len(world.sender.posts) == 1
        await world.directory.resume(PROJECT, endpoint)
        await world.sender.wait_for_count(2)


async def test_who_has_an_actor_by_now_is_not_let_in_again(tmp_path: Path) -> None:
    """A command gives one to an endpoint that stands in line: a second would send again."""
    world, storage = world_that_holds(tmp_path)
    async with world:
        ended = asyncio.Event()

        async def wait(_request: Request) -> Outcome:
            await ended.wait()
            return answered(200)

        world.sender.answer = wait
        ids = [await world.endpoint() for _ in range(3)]
        sent = await world.send(ids[0])
        await storage.read.wait()
        sent += await world.send(ids[1])
        await world.directory.pause(PROJECT, ids[1])
        await world.directory.resume(PROJECT, ids[1])
        await world.sender.wait_for_count(1)
        storage.held.set()
        sent += await world.send(ids[2])
        await world.sender.wait_for_count(3)
        assert sorted(world.sender.ids()) == sorted(sent)
        ended.set()
        await world.wait_for_status(sent, "succeeded")


async def test_what_is_accepted_while_the_head_is_read_is_delivered(tmp_path: Path) -> None:
    """The head was read before the second message was stored."""
    world, storage = world_that_holds(tmp_path)
    async with world:
        endpoint = await world.endpoint()
        first = await world.send(endpoint)
        await storage.read.wait()
        second = await world.send(endpoint)
        storage.held.set()
        await world.wait_for_status(first + second, "succeeded")
        assert world.sender.ids() == first + second


@pytest.mark.parametrize(
    "error", [UnavailableError("the database cannot be read"), RuntimeError("a bug of ours")]
)
async def test_heads_that_cannot_be_read_keep_nobody_out(tmp_path: Path, error: Exception) -> None:
    """Then each actor reads for itself, as long as it takes."""
    world, storage = world_that_holds(tmp_path)
    storage.error = error
    async with world:
        sent = [(await world.send(await world.endpoint()))[0] for _ in range(3)]
        await world.wait_for_status(sent, "succeeded")
        assert storage.reads


async def test_an_idle_actor_goes_at_once_when_there_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is room it stays a minute."""
    monkeypatch.setattr(admission, "ACTORS_MAX", 8)
    monkeypatch.setattr(admission, "_PER_FLIGHT", 1)
    async with World(tmp_path, in_flight_max=1, in_flight_late_max=1) as world:
        sent = [(await world.send(await world.endpoint()))[0] for _ in range(8)]

        async def two_have_gone() -> bool:
            return world.directory.active == 6

        await world.wait_for_status(sent, "succeeded")
        await until(two_have_gone)


async def test_the_more_actors_there_are_the_less_each_holds(tmp_path: Path) -> None:
    """All together hold some thousands of messages, however many they are."""
    parts = World(tmp_path).parts()
    for actors, window in ((0, 64), (100, 64), (1000, 8), (100_000, 2)):
        line = admission.Admission(parts, actors=range(actors), admitted=lambda *_: None)
        assert line.window == window


async def test_attempts_in_flight_leave_room_for_those_that_wait(tmp_path: Path) -> None:
    """Receivers that hang hold their actors: there must be more of these than of attempts."""
    parts = World(tmp_path, in_flight_max=20_000, in_flight_late_max=30_000).parts()
    line = admission.Admission(parts, actors=range(120_000), admitted=lambda *_: None)
    assert not line.crowded


async def test_who_stands_in_line_counts_as_there_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Actors that have nothing to do make room before it is wanted, while more are to come."""
    monkeypatch.setattr(admission, "ACTORS_MAX", 8)
    monkeypatch.setattr(admission, "_PER_FLIGHT", 0)
    line = admission.Admission(World(tmp_path).parts(), actors=range(2), admitted=lambda *_: None)
    for number in range(4):
        line.ask(str(number))
        assert not line.crowded
    line.ask("the seventh")
    assert line.crowded
    line.cancel()
    assert not line.crowded
