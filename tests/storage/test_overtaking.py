"""Commands and results of the same endpoint: whose word counts, in whatever order they come."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec
import pytest

from sluicegate.engine.errors import AlreadyPausedError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import AttemptResult, EndpointState, Health, PauseReason, Verdict
from sluicegate.storage import SqliteStorage
from sluicegate.storage.bridge import call

if TYPE_CHECKING:
    from tests.storage.conftest import Place

FAILING = Health(consecutive_failures=10, failing_since_ms=1)


async def take_turns(count: int) -> None:
    """Let the loop take so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def busy(place: "Place", storage: SqliteStorage, endpoint: str) -> AsyncIterator[None]:
    """Hold a commit up, so that what comes meanwhile gathers behind it."""
    gate = threading.Event()
    blocked = asyncio.ensure_future(call(place.connections[0], lambda _db: gate.wait(20)))
    try:
        send = asyncio.ensure_future(place.send(storage, endpoint))
        await take_turns(3)  # its commit has begun
        yield
    finally:
        gate.set()
    await asyncio.gather(blocked, send)


class Bench:
    """An endpoint and an attempt of its only message."""

    def __init__(self, storage: SqliteStorage, endpoint: str, result: AttemptResult) -> None:
        self.storage = storage
        self.endpoint = endpoint
        self.failed = msgspec.structs.replace(
            result,
            verdict=Verdict(status=MessageStatus.PENDING_RETRY, next_attempt_at_ms=10**13),
            health=FAILING,
        )
        self.gone = msgspec.structs.replace(
            result,
            verdict=Verdict(status=MessageStatus.FAILED_PERMANENT),
            pause=PauseReason.GONE,
        )

    async def pause(self) -> EndpointState:
        """Pause it by hand."""
        return await self.storage.pause(self.endpoint, reason=PauseReason.MANUAL, at_ms=1)

    async def resume(self) -> EndpointState:
        """Resume it, while the message is in flight."""
        flying = {self.failed.message_id}
        state, _ = await self.storage.resume(self.endpoint, at_ms=2, in_flight=flying)
        return state

    async def state(self) -> EndpointState:
        """Return what is stored."""
        state = await self.storage.load_state(self.endpoint)
        assert state is not None
        return state


@pytest.fixture
async def bench(place: "Place") -> Bench:
    """An endpoint that is not paused, and never was."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await place.send(storage, endpoint)
    (message,) = await storage.load_queued(endpoint, after_seq=0, limit=1)
    return Bench(storage, endpoint, place.result(endpoint, message))


async def test_a_result_that_came_before_a_resume_is_stored_before_it(
    place: "Place", bench: Bench
) -> None:
    """Else the resume would begin anew with what was before it."""
    await bench.pause()
    async with busy(place, bench.storage, bench.endpoint):
        recorded = asyncio.ensure_future(bench.storage.record_attempt(bench.failed))
        resumed = asyncio.ensure_future(bench.resume())
        await take_turns(3)
    await recorded
    assert (await resumed).health == Health()
    assert (await bench.state()).health == Health()


async def test_a_410_that_came_before_a_pause_is_stored_before_it(
    place: "Place", bench: Bench
) -> None:
    """The pause is told that somebody was first."""
    async with busy(place, bench.storage, bench.endpoint):
        recorded = asyncio.ensure_future(bench.storage.record_attempt(bench.gone))
        await take_turns(3)
        paused = asyncio.ensure_future(bench.pause())
        await take_turns(3)
    assert await recorded is True
    with pytest.raises(AlreadyPausedError):
        await paused
    assert (await bench.state()).pause_reason is PauseReason.GONE


async def test_a_result_says_nothing_of_an_endpoint_that_was_resumed_since(bench: Bench) -> None:
    """It was judged by what held before; the resume began the count anew."""
    await bench.pause()
    released = (await bench.resume()).release_no
    both = msgspec.structs.replace(bench.gone, health=FAILING)
    assert await bench.storage.record_attempt(both) is False
    state = await bench.state()
    assert (state.paused, state.health) == (False, Health())
    later = msgspec.structs.replace(
        both, attempt_no=2, attempt_id=both.attempt_id[:-1] + "0", release_no=released
    )
    assert await bench.storage.record_attempt(later) is True
    state = await bench.state()
    assert (state.pause_reason, state.health) == (PauseReason.GONE, FAILING)


async def test_whether_an_attempt_has_paused_is_said_as_often_as_it_is_recorded(
    bench: Bench,
) -> None:
    """Until it is paused no more, or paused by somebody else."""
    assert await bench.storage.record_attempt(bench.gone) is True
    assert await bench.storage.record_attempt(bench.gone) is True
    await bench.resume()
    assert await bench.storage.record_attempt(bench.gone) is False
    await bench.pause()
    assert await bench.storage.record_attempt(bench.gone) is False


async def test_a_410_does_not_change_why_an_endpoint_is_paused(bench: Bench) -> None:
    """Who paused first has paused."""
    await bench.pause()
    assert await bench.storage.record_attempt(bench.gone) is False
    assert (await bench.state()).pause_reason is PauseReason.MANUAL


async def test_results_behind_a_command_are_read_together(place: "Place", bench: Bench) -> None:
    """It makes all be forgotten that was known of messages: what is behind it is read after it."""
    await place.send(bench.storage, bench.endpoint, 20)
    await bench.storage.close()
    bench.storage = storage = await place.opened()  # which knows nothing of the messages
    messages = await storage.load_queued(bench.endpoint, after_seq=0, limit=30)
    statements: list[str] = []
    await call(place.connections[0], lambda db: db.set_trace_callback(statements.append))
    async with busy(place, storage, bench.endpoint):
        paused = asyncio.ensure_future(bench.pause())
        await take_turns(2)
        results = [place.result(bench.endpoint, message) for message in messages]
        recorded = [asyncio.ensure_future(storage.record_attempt(each)) for each in results]
        await take_turns(2)
    await asyncio.gather(paused, *recorded)
    assert len(messages) == 21
    assert sum("json_group_array" in text for text in statements) == 1
