"""Replays, retries now and cancels: what each write promises."""

from typing import TYPE_CHECKING

import pytest
from tests.conformance.storage.conftest import LATER_MS

from sluicegate.engine.errors import (
    DeliveryInProgressError,
    EndpointNotFoundError,
    InvalidRequestError,
    InvalidStatusError,
    NotFoundError,
    PayloadUnavailableError,
    ReplayLimitExceededError,
    RetentionExpiredError,
    RetryInProgressError,
    SluicegateError,
)
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import PauseReason
from sluicegate.engine.operations import Moved, ReplayKind

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench

SUCCEEDED, FAILED = MessageStatus.SUCCEEDED, MessageStatus.FAILED_PERMANENT
QUEUED, RETRYING = MessageStatus.QUEUED, MessageStatus.PENDING_RETRY
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


async def one(
    bench: "Bench",
    endpoint: str,
    status: MessageStatus,
    *,
    fast: bool = False,
    retention_hours: int | None = None,
) -> str:
    """Return a message whose first attempt has come to `status`."""
    [message_id] = await bench.ended(endpoint, status, fast=fast, retention_hours=retention_hours)
    return message_id


async def cancel(bench: "Bench", endpoint: str, message_id: str, *in_flight: str) -> Moved:
    """Cancel a retry."""
    return await bench.storage.cancel_message(
        endpoint, message_id, in_flight=set(in_flight), at_ms=bench.clock.now_ms + LATER_MS
    )


async def hasten(bench: "Bench", endpoint: str, message_id: str, *in_flight: str) -> Moved:
    """Make a retry due."""
    return await bench.storage.retry_message_now(
        endpoint,
        message_id,
        in_flight=set(in_flight),
        due_at_ms=7,
        at_ms=bench.clock.now_ms + LATER_MS,
    )


def kinds(slots: list[Moved | SluicegateError]) -> list[type]:
    """Return the type of each slot."""
    return [type(slot) for slot in slots]


# -- replay ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [SUCCEEDED, FAILED, RETRYING])
async def test_a_replay_begins_a_new_cycle(bench: "Bench", status: MessageStatus) -> None:
    """The slot is how the message waits now; only its attempts are remembered."""
    endpoint = await bench.endpoint()
    [message_id] = await bench.send(endpoint, headers={"X-Shop": "7"})
    await bench.attempt(endpoint, message_id, status)
    [slot] = await bench.replay(endpoint, message_id)
    assert isinstance(slot, Moved)
    [waiting] = await bench.waiting(endpoint)
    assert slot == Moved(seq=waiting.seq, message_id=message_id, waiting=slot.waiting)
    assert slot.waiting is not None
    assert slot.waiting == waiting or slot.waiting.payload is None
    for row in (slot.waiting, waiting):
        assert (row.id, row.status, row.headers) == (message_id, QUEUED, {"X-Shop": "7"})
        assert (row.attempt_count, row.cycle_attempts, row.fast_retries) == (1, 0, 0)
        assert (row.next_attempt_at_ms, row.release_no) == (None, 0)
    message = await bench.get(message_id)
    assert (message.status, message.replay_count, message.last_error) == (QUEUED, 1, None)
    assert message.updated_at.timestamp() * 1000 == bench.clock.now_ms + LATER_MS
    assert await bench.counts(endpoint) == {"queued": 1}
    attempts, _ = await bench.storage.list_attempts(bench.project, message_id, limit=9)
    assert [attempt.attempt_no for attempt in attempts] == [1]


async def test_a_replayed_retry_forgets_its_fast_retries_and_its_release(bench: "Bench") -> None:
    """Else the new cycle would wait longer, or a resume would not release it."""
    endpoint = await bench.endpoint()
    message_id = await one(bench, endpoint, RETRYING, fast=True)
    await bench.storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
    await bench.storage.resume(endpoint, at_ms=2, in_flight=set())
    await bench.attempt(endpoint, message_id, RETRYING, release_no=1)
    [before] = await bench.waiting(endpoint)
    assert (before.fast_retries, before.release_no, before.cycle_attempts) == (1, 1, 2)
    await bench.replay(endpoint, message_id)
    [after] = await bench.waiting(endpoint)
    assert (after.fast_retries, after.release_no, after.cycle_attempts) == (0, 0, 0)
    assert after.attempt_count == 2


async def test_every_reason_against_a_replay_is_told_and_nothing_changes(bench: "Bench") -> None:
    """Each slot answers for itself, in order; what can be replayed is."""
    endpoint, elsewhere = await bench.endpoint(), await bench.endpoint()
    good = await one(bench, endpoint, FAILED)
    reasons: dict[str, type[SluicegateError]] = {
        UNKNOWN: NotFoundError,
        "nonsense": NotFoundError,
        await one(bench, elsewhere, FAILED): NotFoundError,
        await one(bench, endpoint, QUEUED): InvalidStatusError,
        await one(bench, endpoint, RETRYING, fast=True): RetryInProgressError,
        await one(bench, endpoint, SUCCEEDED, retention_hours=0): RetentionExpiredError,
    }
    flying = [await one(bench, endpoint, status) for status in (QUEUED, RETRYING)]
    reasons |= dict.fromkeys(flying, DeliveryInProgressError)
    gone = await one(bench, endpoint, FAILED)
    await bench.delete(endpoint, gone)
    reasons[gone] = PayloadUnavailableError
    known = [each for each in reasons if each not in {UNKNOWN, "nonsense"}]
    before = [await bench.get(each) for each in known]
    assert await bench.counts(endpoint) == {"queued": 2, "pending_retry": 2, "failed_permanent": 1}
    slots = await bench.replay(endpoint, *reasons, good, in_flight=[*flying, UNKNOWN])
    assert kinds(slots) == [*reasons.values(), Moved]
    assert [await bench.get(each) for each in known] == before
    assert await bench.counts(endpoint) == {"queued": 3, "pending_retry": 2}
    assert (await bench.get(good)).status is QUEUED


async def test_a_message_that_is_named_twice_is_replayed_once(bench: "Bench") -> None:
    """The second slot sees what the first has done."""
    endpoint = await bench.endpoint()
    message_id = await one(bench, endpoint, FAILED)
    slots = await bench.replay(endpoint, message_id, message_id)
    assert kinds(slots) == [Moved, InvalidStatusError]
    assert (await bench.get(message_id)).replay_count == 1


async def test_ten_replays_are_counted_and_dead_letters_are_not(bench: "Bench") -> None:
    """The eleventh is refused, whatever the status; out of the DLQ it goes on."""
    endpoint = await bench.endpoint()
    message_id = await one(bench, endpoint, FAILED)
    for count in range(1, 11):
        assert kinds(await bench.replay(endpoint, message_id)) == [Moved]
        assert (await bench.get(message_id)).replay_count == count
        await bench.attempt(endpoint, message_id, (FAILED, RETRYING)[count % 2])
    assert kinds(await bench.replay(endpoint, message_id)) == [ReplayLimitExceededError]
    for _ in range(2):
        slots = await bench.replay(endpoint, message_id, kind=ReplayKind.DEAD_LETTER)
        assert kinds(slots) == [Moved]
        await bench.attempt(endpoint, message_id, FAILED)
    message = await bench.get(message_id)
    assert (message.replay_count, message.attempt_count) == (10, 13)


async def test_only_dead_letters_are_replayed_as_such(bench: "Bench") -> None:
    """Whatever reads otherwise, or is deleted, is not in the queue."""
    endpoint = await bench.endpoint()
    good = await one(bench, endpoint, FAILED)
    flying = await one(bench, endpoint, QUEUED)
    gone = await one(bench, endpoint, FAILED)
    withdrawn = await one(bench, endpoint, QUEUED)
    await bench.delete(endpoint, gone, withdrawn)
    others = [await one(bench, endpoint, status) for status in (QUEUED, RETRYING, SUCCEEDED)]
    asked = [flying, gone, withdrawn, *others]
    slots = await bench.replay(
        endpoint, *asked, good, kind=ReplayKind.DEAD_LETTER, in_flight=[flying, withdrawn]
    )
    assert kinds(slots) == [InvalidRequestError] * len(asked) + [Moved]


async def test_a_fast_retry_can_be_replayed_while_it_is_held(bench: "Bench") -> None:
    """It is in progress only while its endpoint is not paused."""
    endpoint = await bench.endpoint()
    message_id = await one(bench, endpoint, RETRYING, fast=True)
    await bench.storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
    assert kinds(await bench.replay(endpoint, message_id)) == [Moved]
    assert (await bench.get(message_id)).status is MessageStatus.PAUSED
    assert await bench.counts(endpoint) == {"paused": 1}
    assert kinds(await bench.replay(endpoint, message_id)) == [InvalidStatusError]


@pytest.mark.parametrize("kind", list(ReplayKind))
async def test_nothing_of_a_deleted_endpoint_is_replayed(bench: "Bench", kind: ReplayKind) -> None:
    """What waited there is in the dead letter queue, even before its row says so."""
    endpoint = await bench.endpoint()
    ids = [await one(bench, endpoint, status) for status in (FAILED, QUEUED, RETRYING)]
    await bench.storage.delete_endpoint(endpoint, at_ms=1)
    slots = await bench.replay(endpoint, *ids, kind=kind)
    assert kinds(slots) == [EndpointNotFoundError] * 3


async def test_what_is_kept_until_delivered_is_kept_through_a_failure(bench: "Bench") -> None:
    """`retention_hours` 0: a replay after the failure delivers the payload, and that ends it."""
    endpoint = await bench.endpoint()
    message_id = await one(bench, endpoint, FAILED, retention_hours=0)
    assert kinds(await bench.replay(endpoint, message_id)) == [Moved]
    await bench.attempt(endpoint, message_id)
    assert kinds(await bench.replay(endpoint, message_id)) == [RetentionExpiredError]


async def test_a_replay_survives_a_restart(bench: "Bench") -> None:
    """It is durable when it is answered; so are its count and its attempts."""
    endpoint = await bench.endpoint()
    message_id = await one(bench, endpoint, SUCCEEDED)
    await bench.replay(endpoint, message_id)
    await bench.reopen()
    [waiting] = await bench.waiting(endpoint)
    assert (waiting.id, waiting.status, waiting.attempt_count) == (message_id, QUEUED, 1)
    assert (await bench.get(message_id)).replay_count == 1
    [item] = await bench.storage.work()
    assert (item.endpoint_id, item.due_at_ms) == (endpoint, 0)


# -- retry now, cancel ----------------------------------------------------------------------------


@pytest.mark.parametrize("paused", [False, True])
async def test_a_retry_is_made_due(bench: "Bench", *, paused: bool) -> None:
    """In its place in the cycle; held or not."""
    endpoint = await bench.endpoint()
    message_id = await one(bench, endpoint, RETRYING)
    [before] = await bench.waiting(endpoint)
    if paused:
        await bench.storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
    moved = await hasten(bench, endpoint, message_id)
    [after] = await bench.waiting(endpoint)
    assert moved.waiting is not None
    assert (moved.seq, moved.message_id) == (before.seq, message_id)
    for row in (moved.waiting, after):
        assert (row.next_attempt_at_ms, row.status, row.cycle_attempts) == (7, RETRYING, 1)
    message = await bench.get(message_id)
    assert message.status is (MessageStatus.PAUSED if paused else RETRYING)
    assert (message.replay_count, message.last_error) == (0, "HTTP 503")
    due = await bench.storage.load_retries_due(endpoint, limit=9)
    assert [row.id for row in due] == [message_id]


@pytest.mark.parametrize("paused", [False, True])
async def test_a_cancelled_retry_has_failed(bench: "Bench", *, paused: bool) -> None:
    """It does not wait any more, and is counted among the failed."""
    endpoint = await bench.endpoint()
    message_id = await one(bench, endpoint, RETRYING)
    [before] = await bench.waiting(endpoint)
    if paused:
        await bench.storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
    moved = await cancel(bench, endpoint, message_id)
    assert moved == Moved(seq=before.seq, message_id=message_id)
    message = await bench.get(message_id)
    assert (message.status, message.last_error) == (FAILED, "retry cancelled")
    assert (message.next_attempt_at, message.deleted_at) == (None, None)
    assert await bench.waiting(endpoint) == []
    assert await bench.counts(endpoint) == {"failed_permanent": 1}
    assert await bench.storage.get_payload(bench.project, message_id) == b'{"n":1}'


async def test_what_waits_on_no_retry_is_neither_hastened_nor_cancelled(bench: "Bench") -> None:
    """The error says how the message stands; nothing changes."""
    endpoint, elsewhere = await bench.endpoint(), await bench.endpoint()
    orphaned = await bench.endpoint()
    standing = {
        await one(bench, endpoint, QUEUED): (endpoint, "queued"),
        await one(bench, endpoint, SUCCEEDED): (endpoint, "succeeded"),
        await one(bench, endpoint, FAILED): (endpoint, "failed_permanent"),
        await one(bench, orphaned, RETRYING): (orphaned, "failed_permanent"),
    }
    flying = await one(bench, endpoint, RETRYING)
    standing[flying] = (endpoint, "delivering")
    await bench.storage.delete_endpoint(orphaned, at_ms=1)
    for act in (hasten, cancel):
        for message_id, (owner, status) in standing.items():
            before = await bench.get(message_id)
            with pytest.raises(InvalidStatusError) as caught:
                await act(bench, owner, message_id, flying)
            assert caught.value.message == (
                f"Message is not in pending_retry status (current: {status})"
            )
            assert await bench.get(message_id) == before
        for message_id in (UNKNOWN, await one(bench, elsewhere, RETRYING)):
            with pytest.raises(NotFoundError, match="Message not found"):
                await act(bench, endpoint, message_id)
