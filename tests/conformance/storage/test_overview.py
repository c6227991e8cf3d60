"""The sums for monitoring."""

from typing import TYPE_CHECKING

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import Health, PauseReason
from sluicegate.engine.ports import Overview

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench

EMPTY = Overview(
    queued=0,
    pending_retry=0,
    held=0,
    failed=0,
    active=0,
    paused={"manual": 0, "gone": 0, "failing": 0},
    circuits_open=0,
    queued_since_ms=None,
    accepted_at_ms=None,
)


async def test_an_empty_storage_has_nothing_to_sum_up(bench: "Bench") -> None:
    """Zeros, and no ages."""
    assert await bench.storage.overview(circuit_failures=10) == EMPTY


async def test_messages_are_summed_up_by_what_a_reader_sees(bench: "Bench") -> None:
    """Over all endpoints; what waits on a pause is held, whatever its stored status."""
    first, second, paused = [await bench.endpoint() for _ in range(3)]
    started_ms = bench.clock.now_ms
    ids = await bench.send(first, 5)
    await bench.attempt(first, ids[0])
    await bench.attempt(first, ids[1], MessageStatus.PENDING_RETRY)
    await bench.attempt(first, ids[2], MessageStatus.FAILED_PERMANENT)
    bench.clock.now_ms += 1000
    await bench.send(second, 3)
    held = await bench.send(paused, 4)
    await bench.attempt(paused, held[0], MessageStatus.PENDING_RETRY)
    await bench.storage.pause(paused, reason=PauseReason.GONE, at_ms=bench.clock.now_ms)
    overview = await bench.storage.overview(circuit_failures=10)
    assert (overview.queued, overview.pending_retry) == (5, 1)
    assert (overview.held, overview.failed) == (4, 1)
    assert (overview.active, overview.paused) == (2, {"manual": 0, "gone": 1, "failing": 0})
    assert overview.queued_since_ms == overview.accepted_at_ms == started_ms


async def test_what_a_pause_holds_is_old_but_not_late(bench: "Bench") -> None:
    """Only active endpoints' messages should have been on their way by now."""
    paused, active = await bench.endpoint(), await bench.endpoint()
    started_ms = bench.clock.now_ms
    await bench.send(paused)
    await bench.storage.pause(paused, reason=PauseReason.MANUAL, at_ms=bench.clock.now_ms)
    overview = await bench.storage.overview(circuit_failures=10)
    assert (overview.queued_since_ms, overview.accepted_at_ms) == (None, started_ms)
    bench.clock.now_ms += 5000
    await bench.send(active)
    overview = await bench.storage.overview(circuit_failures=10)
    assert (overview.queued_since_ms, overview.accepted_at_ms) == (started_ms + 5000, started_ms)


async def test_a_retry_waits_but_is_not_late(bench: "Bench") -> None:
    """It waits for its moment."""
    endpoint = await bench.endpoint()
    started_ms = bench.clock.now_ms
    [message] = await bench.send(endpoint)
    await bench.attempt(endpoint, message, MessageStatus.PENDING_RETRY)
    overview = await bench.storage.overview(circuit_failures=10)
    assert (overview.queued_since_ms, overview.accepted_at_ms) == (None, started_ms)


async def test_every_project_is_summed_up(bench: "Bench") -> None:
    """Monitoring watches the process, not a tenant."""
    other = "proj_" + "2" * 32
    await bench.storage.create_project(other, "second", created_at_ms=0)
    mine, theirs = await bench.endpoint(), await bench.endpoint(other)
    started_ms = bench.clock.now_ms
    await bench.send(theirs, project_id=other)
    bench.clock.now_ms += 5000
    await bench.send(mine)
    overview = await bench.storage.overview(circuit_failures=10)
    assert (overview.queued, overview.active) == (2, 2)
    assert overview.accepted_at_ms == started_ms


async def test_a_deleted_endpoint_is_none(bench: "Bench") -> None:
    """Neither active nor paused, and what is being swept there is not late."""
    endpoint, paused = await bench.endpoint(), await bench.endpoint()
    await bench.send(endpoint)
    await bench.storage.pause(paused, reason=PauseReason.MANUAL, at_ms=1)
    await bench.storage.delete_endpoint(endpoint, at_ms=2)
    await bench.storage.delete_endpoint(paused, at_ms=2)
    overview = await bench.storage.overview(circuit_failures=10)
    assert (overview.active, sum(overview.paused.values())) == (0, 0)
    assert overview.queued_since_ms is None


async def test_open_circuits_are_counted_by_the_limit_that_opens_them(bench: "Bench") -> None:
    """A limit of 0 opens none; a paused endpoint sends no probes."""
    endpoint, paused = await bench.endpoint(), await bench.endpoint()
    for each in (endpoint, paused):
        [message] = await bench.send(each)
        await bench.attempt(
            each,
            message,
            MessageStatus.PENDING_RETRY,
            health=Health(consecutive_failures=10, failing_since_ms=1),
        )
    await bench.storage.pause(paused, reason=PauseReason.FAILING, at_ms=2)
    for limit, circuits in ((10, 1), (11, 0), (0, 0)):
        overview = await bench.storage.overview(circuit_failures=limit)
        assert overview.circuits_open == circuits
