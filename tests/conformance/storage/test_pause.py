"""Pause and resume (contract, section 5)."""

from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.errors import AlreadyPausedError, EndpointNotFoundError, NotPausedError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import Health, PauseReason
from sluicegate.engine.moments import from_ms

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench


async def test_a_pause_survives_a_restart(bench: "Bench") -> None:
    """With its moment and its reason."""
    endpoint = await bench.endpoint()
    state = await bench.storage.pause(endpoint, reason=PauseReason.FAILING, at_ms=5_000)
    assert (state.paused, state.pause_reason) == (True, PauseReason.FAILING)
    await bench.reopen()
    assert await bench.storage.load_state(endpoint) == state
    stored = await bench.storage.get_endpoint(bench.project, endpoint, in_flight=set())
    assert stored is not None
    assert (stored.paused_at, stored.pause_reason) == (from_ms(5_000), PauseReason.FAILING)


async def test_a_second_pause_and_a_second_resume_are_refused(bench: "Bench") -> None:
    """And change nothing."""
    endpoint = await bench.endpoint()
    with pytest.raises(NotPausedError):
        await bench.storage.resume(endpoint, at_ms=1, in_flight=set())
    await bench.storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=2)
    with pytest.raises(AlreadyPausedError):
        await bench.storage.pause(endpoint, reason=PauseReason.GONE, at_ms=3)
    state = await bench.storage.load_state(endpoint)
    assert state is not None
    assert state.pause_reason is PauseReason.MANUAL
    state, _ = await bench.storage.resume(endpoint, at_ms=4, in_flight=set())
    assert (state.paused, state.release_no) == (False, 1)
    with pytest.raises(NotPausedError):
        await bench.storage.resume(endpoint, at_ms=5, in_flight=set())


async def test_an_endpoint_that_is_not_there_cannot_be_paused(bench: "Bench") -> None:
    """Neither an unknown nor a deleted one."""
    endpoint = await bench.endpoint()
    await bench.storage.delete_endpoint(endpoint, at_ms=1)
    for endpoint_id in (endpoint, "ep_unknown"):
        with pytest.raises(EndpointNotFoundError):
            await bench.storage.pause(endpoint_id, reason=PauseReason.MANUAL, at_ms=2)
        with pytest.raises(EndpointNotFoundError):
            await bench.storage.resume(endpoint_id, at_ms=2, in_flight=set())


async def test_everything_that_waits_reads_paused(bench: "Bench") -> None:
    """Queued and waiting on a retry, in the view, the log and the counts; what flies does not."""
    endpoint = await bench.endpoint()
    queued, failed_once, flying, done, dead = await bench.send(endpoint, 5)
    await bench.attempt(endpoint, failed_once, MessageStatus.PENDING_RETRY)
    await bench.attempt(endpoint, done)
    await bench.attempt(endpoint, dead, MessageStatus.FAILED_PERMANENT)
    assert await bench.counts(endpoint, flying) == {
        "queued": 1,
        "delivering": 1,
        "pending_retry": 1,
        "failed_permanent": 1,
    }
    await bench.storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=2)
    assert await bench.counts(endpoint, flying) == {
        "delivering": 1,
        "paused": 2,
        "failed_permanent": 1,
    }
    late, *_ = await bench.send(endpoint)
    held = await bench.get(failed_once, flying)
    assert held.status is MessageStatus.PAUSED
    assert (held.attempt_count, held.next_attempt_at) == (1, None)
    assert await bench.logged(flying, status=MessageStatus.PAUSED) == [late, failed_once, queued]
    assert await bench.logged(flying, status=MessageStatus.QUEUED) == []
    assert await bench.logged(flying, status=MessageStatus.PENDING_RETRY) == []
    assert await bench.logged(flying, status=MessageStatus.DELIVERING) == [flying]


async def test_resume_says_how_many_were_held(bench: "Bench") -> None:
    """Those in flight do not count while they wait, nor do finished or foreign ones."""
    endpoint, other = await bench.endpoint(), await bench.endpoint()
    sent = await bench.send(endpoint, 6)
    [foreign] = await bench.send(other)
    await bench.attempt(endpoint, sent[0])
    await bench.attempt(endpoint, sent[1], MessageStatus.PENDING_RETRY)
    await bench.storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=2)
    in_flight = {sent[0], sent[2], foreign, "not-an-id"}
    _, held = await bench.storage.resume(endpoint, at_ms=3, in_flight=in_flight)
    assert held == 4


async def test_a_resume_forgets_the_failures_before_it(bench: "Bench") -> None:
    """Else an endpoint that was paused as failing would be paused again at the next failure."""
    endpoint = await bench.endpoint()
    [message] = await bench.send(endpoint)
    health = Health(consecutive_failures=12, failing_since_ms=9)
    await bench.attempt(
        endpoint,
        message,
        MessageStatus.PENDING_RETRY,
        health=health,
        pause=PauseReason.FAILING,
    )
    state = await bench.storage.load_state(endpoint)
    assert state is not None
    assert (state.health, state.pause_reason) == (health, PauseReason.FAILING)
    state, held = await bench.storage.resume(endpoint, at_ms=3, in_flight=set())
    assert (state.health, held) == (Health(), 1)


async def test_a_resume_makes_retries_due_by_their_release(bench: "Bench") -> None:
    """A retry that was scheduled before the resume has a lower number; one after it has not."""
    endpoint = await bench.endpoint()
    before, after = await bench.send(endpoint, 2)
    await bench.attempt(endpoint, before, MessageStatus.PENDING_RETRY)
    await bench.storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=2)
    state, _ = await bench.storage.resume(endpoint, at_ms=3, in_flight=set())
    await bench.attempt(endpoint, after, MessageStatus.PENDING_RETRY, release_no=state.release_no)
    released = await bench.storage.load_retries_in_order(
        endpoint, after_seq=0, below_release_no=state.release_no, limit=10
    )
    assert [message.id for message in released] == [before]
    assert [message.release_no for message in await bench.waiting(endpoint)] == [0, 1]
