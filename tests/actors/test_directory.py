"""Activation, retirement, and the end: nothing is lost between two actors of one endpoint."""

import asyncio
import contextlib
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

from sluicegate.actors.messages import Wake
from sluicegate.engine.errors import (
    AlreadyPausedError,
    EndpointNotFoundError,
    NotPausedError,
    UnavailableError,
)
from sluicegate.engine.ids import new_endpoint_id
from sluicegate.engine.model import Arrivals, EndpointState, PauseReason
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request
from sluicegate.storage import SqliteStorage

from .held import Gate, HeldPauses, take_turns
from .world import PROJECT, World, until


async def all_retired(world: World) -> None:
    """Wait until no endpoint has an actor."""

    async def nobody_is_there() -> bool:
        return world.directory.active == 0

    await until(nobody_is_there)


# -- activation and retirement ------------------------------------------------------------------


async def test_commands_that_meet_a_retiring_actor_are_carried_out_by_the_next(
    tmp_path: Path,
) -> None:
    """Actors retire the moment they are idle; at whatever turn of the loop a command comes."""
    async with World(tmp_path, actor_idle_s=0.0) as world:
        endpoint = await world.endpoint()
        for turns in range(30):
            await world.directory.pause(PROJECT, endpoint)
            sent = await world.send(endpoint)
            await take_turns(turns)
            assert await world.directory.resume(PROJECT, endpoint) == 1
            await world.wait_for_status(sent, "succeeded")
            await take_turns(turns)
        assert len(world.sender.posts) == 30
        await all_retired(world)


async def test_messages_that_meet_a_retiring_actor_are_delivered_once_and_in_order(
    tmp_path: Path,
) -> None:
    """At whatever turn of the loop the hint comes."""
    async with World(tmp_path, actor_idle_s=0.0) as world:
        endpoint = await world.endpoint()
        sent = []
        for turns in range(60):
            sent += await world.send(endpoint)
            await take_turns(turns % 30)
        await world.wait_for_status(sent, "succeeded")
        assert world.sender.ids() == sent
        await all_retired(world)


async def test_a_lost_hint_is_made_good_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is the truth; also when the endpoint has an actor that has read its window."""
    endpoint = await world.endpoint()
    await world.wait_for_status(await world.send(endpoint), "succeeded")
    with monkeypatch.context() as patch:
        patch.setattr(world.directory, "_hint", lambda _endpoint_id, _arrivals: None)
        lost = await world.send(endpoint, 3)
    heard = await world.send(endpoint)
    await world.wait_for_status([*lost, *heard], "succeeded")
    assert world.sender.ids()[1:] == [*lost, *heard]


async def test_a_lost_hint_is_made_good_by_a_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And by a command, for an endpoint without an actor."""
    endpoint, other = await world.endpoint(), await world.endpoint()
    with monkeypatch.context() as patch:
        patch.setattr(world.directory, "_hint", lambda _endpoint_id, _arrivals: None)
        sent = await world.send(endpoint, 3)
        more = await world.send(other, 3)
    assert world.directory.active == 0
    with pytest.raises(NotPausedError):
        await world.directory.resume(PROJECT, other)
    await world.wait_for_status(more, "succeeded")
    await world.restart()
    await world.wait_for_status(sent, "succeeded")


async def test_a_repeated_hint_changes_nothing(world: World) -> None:
    """No message is sent twice, no mailbox fills up."""
    endpoint = await world.known_endpoint()
    gate = Gate(world)
    sent = await world.send(endpoint, 40)
    await world.sender.wait_for_count(16)
    for number in range(5000):
        world.directory.hint(endpoint)
        if number % 500 == 0:
            await asyncio.sleep(0)
    gate.opened.set()
    await world.wait_for_status(sent, "succeeded")
    assert world.sender.ids() == sent


async def test_a_hint_for_a_paused_or_empty_endpoint_sends_nothing(tmp_path: Path) -> None:
    """It activates an actor that finds nothing to do and retires."""
    async with World(tmp_path, actor_idle_s=0.01) as world:
        paused, empty = await world.endpoint(), await world.endpoint()
        await world.directory.pause(PROJECT, paused)
        sent = await world.send(paused)
        for endpoint in (paused, empty, new_endpoint_id(world.random)):
            world.directory.hint(endpoint)
        await all_retired(world)
        assert world.sender.posts == []
        await world.wait_for_status(sent, "paused")


async def test_unknown_endpoints_leave_nothing_behind(world: World) -> None:
    """A thousand commands to ids that nobody knows, some of them twice at once."""
    ids = [new_endpoint_id(world.random) for _ in range(500)] * 2
    results = await asyncio.gather(
        *(world.directory.pause(PROJECT, each) for each in ids), return_exceptions=True
    )
    assert {type(each) for each in results} == {EndpointNotFoundError}
    assert world.directory.active == 0
    assert not world.directory.in_flight()


async def test_every_command_that_waits_on_an_unknown_endpoint_hears_that_it_is_unknown(
    world: World,
) -> None:
    """Whatever the moment at which it came: before, while or after it was looked up."""
    endpoint = new_endpoint_id(world.random)
    asked = []
    for _ in range(200):
        asked.append(asyncio.ensure_future(world.directory.resume(PROJECT, endpoint)))
        await asyncio.sleep(0)
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(each) for each in results} == {EndpointNotFoundError}


# -- bounds -------------------------------------------------------------------------------------


async def test_commands_beyond_the_mailbox_are_refused(tmp_path: Path) -> None:
    """Of 1,000 at once 50 are taken; the rest hear 503, and nobody hangs."""
    async with World(tmp_path, mailbox_max=50) as world:
        endpoint = await world.endpoint()
        results = await asyncio.gather(
            *(world.directory.pause(PROJECT, endpoint) for _ in range(1000)),
            return_exceptions=True,
        )
        assert results.count(None) == 1
        assert sum(isinstance(each, AlreadyPausedError) for each in results) == 49
        assert sum(isinstance(each, UnavailableError) for each in results) == 950
        assert await world.directory.resume(PROJECT, endpoint) == 0


async def test_callers_that_go_away_do_not_make_room_for_more(tmp_path: Path) -> None:
    """What they asked for still waits: the bound is on that."""
    world = World(tmp_path, mailbox_max=10)
    world.storage.__class__ = HeldPauses
    assert isinstance(world.storage, HeldPauses)
    world.storage.entered, world.storage.held = asyncio.Event(), asyncio.Event()
    async with world:
        endpoint = await world.endpoint()
        for _ in range(5):
            asked = [
                asyncio.ensure_future(world.directory.pause(PROJECT, endpoint)) for _ in range(10)
            ]
            await asyncio.sleep(0)
            for each in asked:
                each.cancel()
            await asyncio.wait(asked)
        with pytest.raises(UnavailableError, match="too many"):
            await world.directory.pause(PROJECT, endpoint)
        world.storage.held.set()

        async def there_is_room() -> bool:
            with contextlib.suppress(AlreadyPausedError, UnavailableError):
                await world.directory.resume(PROJECT, endpoint)
                return True
            return False

        await until(there_is_room)


class FailingPauses(SqliteStorage):
    """A storage whose pauses are held up, and then fail."""

    held: asyncio.Event

    async def pause(self, endpoint_id: str, *, reason: PauseReason, at_ms: int) -> EndpointState:
        await self.held.wait()
        msg = f"the disk is full: {endpoint_id} {reason} {at_ms}"
        raise UnavailableError(msg)


async def test_what_a_pause_recalled_is_sent_when_the_pause_fails(tmp_path: Path) -> None:
    """The gate was shut while they connected; open again, they go out in order, uncounted."""
    world = World(tmp_path)
    world.storage.__class__ = FailingPauses
    assert isinstance(world.storage, FailingPauses)
    world.storage.held = asyncio.Event()
    async with world:
        endpoint = await world.endpoint()
        connecting, connected = asyncio.Event(), asyncio.Event()
        post = world.sender.post

        async def slow_to_connect(request: Request) -> Outcome:
            connecting.set()
            await connected.wait()
            return await post(request)

        world.sender.post = slow_to_connect  # type: ignore[method-assign] # a slower network
        sent = await world.send(endpoint, 3)
        await connecting.wait()
        pause = asyncio.ensure_future(world.directory.pause(PROJECT, endpoint))
        await take_turns(5)
        connected.set()
        await take_turns(20)
        assert world.sender.posts == []
        world.storage.held.set()
        with pytest.raises(UnavailableError):
            await pause
        await world.wait_for_status(sent, "succeeded")
        assert world.sender.ids() == sent
        assert (await world.message(sent[0])).attempt_count == 1


async def test_what_is_in_flight_at_a_resume_was_not_held(world: World) -> None:
    """It read `delivering` all the time; only the others are requeued."""
    endpoint = await world.known_endpoint(max_in_flight=3)
    gate = Gate(world)
    sent = await world.send(endpoint, 5)
    await world.sender.wait_for_count(3)
    await world.directory.pause(PROJECT, endpoint)
    assert (await world.message(sent[0])).status == "delivering"
    assert await world.directory.resume(PROJECT, endpoint) == 2
    gate.opened.set()
    await world.wait_for_status(sent, "succeeded")
    assert world.sender.ids() == sent


class HeldSweeps(SqliteStorage):
    """A storage that takes its time to give up what waits."""

    held: asyncio.Event

    async def give_up_waiting(
        self, endpoint_id: str, *, error: str, at_ms: int, limit: int, in_flight: AbstractSet[str]
    ) -> int:
        await self.held.wait()
        return await super().give_up_waiting(
            endpoint_id, error=error, at_ms=at_ms, limit=limit, in_flight=in_flight
        )


async def test_an_actor_does_not_retire_before_its_writes_are_done(tmp_path: Path) -> None:
    """A deleted endpoint is swept to the end: the next actor must not read rows in between."""
    world = World(tmp_path, actor_idle_s=0.0)
    world.storage.__class__ = HeldSweeps
    assert isinstance(world.storage, HeldSweeps)
    world.storage.held = asyncio.Event()
    async with world:
        endpoint = await world.endpoint()
        await world.directory.pause(PROJECT, endpoint)
        sent = await world.send(endpoint, 1200)  # more than two sweeps' worth
        await world.directory.delete(PROJECT, endpoint)
        await take_turns(50)
        assert world.directory.active == 1
        world.storage.held.set()
        await all_retired(world)
        assert not await world.storage.work()
        await world.wait_for_status(sent[-1:], "failed_permanent")


async def test_what_is_deleted_while_its_hint_is_on_the_way_is_not_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint brings the message as it was accepted; the command must not be older than it."""
    endpoint = await world.endpoint()
    first = await world.send(endpoint)
    await world.wait_for_status(first, "succeeded")
    entry = world.directory._entries[endpoint]  # noqa: SLF001 - a hint on its way

    def on_the_way(_endpoint_id: str, arrivals: Arrivals | None) -> None:
        entry.hear(arrivals, 64)

    with monkeypatch.context() as patch:
        patch.setattr(world.directory, "_hint", on_the_way)
        [deleted] = await world.send(endpoint)
    await world.directory.delete_messages(PROJECT, {endpoint: [deleted]}, deleted_by=None)
    entry.outstanding.report(Wake())
    last = await world.send(endpoint)
    await world.wait_for_status(last, "succeeded")
    assert world.sender.ids() == [*first, *last]
