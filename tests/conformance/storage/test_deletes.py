"""A message is deleted, its record stays; also while its attempt is in flight."""

from typing import TYPE_CHECKING

import pytest
from tests.conformance.storage.conftest import LATER_MS

from sluicegate.engine.errors import (
    IdempotencyMismatchError,
    NotFoundError,
    PayloadUnavailableError,
    SluicegateError,
)
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import Accepted
from sluicegate.engine.operations import Moved

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench

SUCCEEDED, FAILED = MessageStatus.SUCCEEDED, MessageStatus.FAILED_PERMANENT
QUEUED, RETRYING = MessageStatus.QUEUED, MessageStatus.PENDING_RETRY
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


def kinds(slots: list[Moved | SluicegateError]) -> list[type]:
    """Return the type of each slot."""
    return [type(slot) for slot in slots]


@pytest.mark.parametrize("status", [QUEUED, RETRYING, SUCCEEDED, FAILED])
async def test_a_deleted_message_keeps_all_but_its_payload(
    bench: "Bench", status: MessageStatus
) -> None:
    """What waited has failed; the counts do not count it; a second time changes nothing."""
    endpoint = await bench.endpoint()
    [message_id] = await bench.ended(endpoint, status)
    before = await bench.get(message_id)
    [slot] = await bench.delete(endpoint, message_id)
    assert isinstance(slot, Moved)
    at_ms = bench.clock.now_ms + LATER_MS
    assert (slot.message_id, slot.waiting) == (message_id, None)
    assert (slot.deleted_at_ms, slot.already_deleted) == (at_ms, False)
    message = await bench.get(message_id)
    waited = status in {QUEUED, RETRYING}
    assert message.status is (FAILED if waited else status)
    assert message.last_error == ("message deleted" if waited else before.last_error)
    assert message.deleted_at is not None
    assert message.deleted_at.timestamp() * 1000 == at_ms
    assert message.deleted_by_api_key_id == "key_1"
    assert message.attempt_count == before.attempt_count
    assert await bench.waiting(endpoint) == []
    assert await bench.counts(endpoint) == {}
    with pytest.raises(PayloadUnavailableError):
        await bench.storage.get_payload(bench.project, message_id)
    bench.clock.now_ms += 60_000
    [again] = await bench.delete(endpoint, message_id)
    assert isinstance(again, Moved)
    assert (again.seq, again.deleted_at_ms, again.already_deleted) == (slot.seq, at_ms, True)
    assert await bench.get(message_id) == message


async def test_each_slot_of_a_delete_answers_for_itself(bench: "Bench") -> None:
    """What is not the endpoint's is not found; one named twice is deleted once."""
    endpoint, elsewhere = await bench.endpoint(), await bench.endpoint()
    [other] = await bench.send(elsewhere)
    [message_id] = await bench.send(endpoint)
    slots = await bench.delete(endpoint, UNKNOWN, other, message_id, message_id, "nonsense")
    assert kinds(slots) == [NotFoundError, NotFoundError, Moved, Moved, NotFoundError]
    assert [slot.already_deleted for slot in slots if isinstance(slot, Moved)] == [False, True]
    assert await bench.counts(elsewhere) == {"queued": 1}


async def test_messages_of_a_deleted_endpoint_can_be_deleted(bench: "Bench") -> None:
    """Those that still wait in their rows, and those that do not."""
    endpoint = await bench.endpoint()
    ids = [(await bench.ended(endpoint, status))[0] for status in (QUEUED, RETRYING, FAILED)]
    await bench.storage.delete_endpoint(endpoint, at_ms=1)
    assert kinds(await bench.delete(endpoint, *ids)) == [Moved] * 3
    for message_id in ids:
        message = await bench.get(message_id)
        assert (message.status, message.deleted_by_api_key_id) == (FAILED, "key_1")
    swept = await bench.storage.give_up_waiting(
        endpoint, error="endpoint deleted", at_ms=9, limit=9, in_flight=set()
    )
    assert swept == 0


async def test_a_delete_frees_the_idempotency_key(bench: "Bench") -> None:
    """Also within one commit with the send that wants it; the record keeps its name."""
    endpoint = await bench.endpoint()
    [first] = await bench.send(endpoint, idempotency_key="key")
    other = bench.message(endpoint, b"2", idempotency_key="key")
    [refused] = await bench.storage.append([other])
    assert isinstance(refused, IdempotencyMismatchError)
    await bench.delete(endpoint, first)
    assert await bench.storage.append([other]) == [Accepted(message_id=other.id)]
    again = bench.message(endpoint, b"2", idempotency_key="key")
    duplicate = Accepted(message_id=other.id, duplicate=True)
    assert await bench.storage.append([again]) == [duplicate]
    assert (await bench.get(first)).idempotency_key == "key"
    await bench.delete(endpoint, first)  # it takes no key away from another
    assert await bench.storage.append([again]) == [duplicate]


# -- deleted in flight ----------------------------------------------------------------------------


async def test_a_message_deleted_in_flight_reads_delivering_until_it_is_recorded(
    bench: "Bench",
) -> None:
    """In every view and filter; for whoever does not run the attempt it has failed."""
    endpoint = await bench.endpoint()
    [message_id] = await bench.send(endpoint)
    await bench.delete(endpoint, message_id)
    assert (await bench.get(message_id, message_id)).status is MessageStatus.DELIVERING
    assert (await bench.get(message_id)).status is FAILED
    delivering = {"status": MessageStatus.DELIVERING}
    for place in ({}, {"endpoint_id": endpoint}):
        assert await bench.logged(message_id, **delivering, **place) == [message_id]
        assert await bench.logged(message_id, **delivering, deleted=True, **place) == [message_id]
        assert await bench.logged(message_id, **delivering, deleted=False, **place) == []
        assert await bench.logged(message_id, status=FAILED, **place) == []
        assert await bench.logged(status=FAILED, **place) == [message_id]
    assert await bench.counts(endpoint, message_id) == {}


@pytest.mark.parametrize("tried", [False, True])
@pytest.mark.parametrize("end", [SUCCEEDED, RETRYING, FAILED])
async def test_a_message_deleted_in_flight_ends_as_its_attempt_does(
    bench: "Bench", end: MessageStatus, *, tried: bool
) -> None:
    """But nothing is repeated; and it is counted nowhere."""
    endpoint = await bench.endpoint()
    status = RETRYING if tried else QUEUED
    [message_id] = await bench.ended(endpoint, status, retention_hours=0)
    [waiting] = await bench.waiting(endpoint)
    await bench.delete(endpoint, message_id)
    result = bench.result(endpoint, waiting, end)
    for _ in range(2):  # recorded again it changes nothing
        await bench.storage.record_attempt(result)
        message = await bench.get(message_id)
        assert message.status is (SUCCEEDED if end is SUCCEEDED else FAILED)
        assert message.attempt_count == 1 + tried
        assert message.response_status == (200 if end is SUCCEEDED else 503)
        assert (message.delivered_at is not None) == (end is SUCCEEDED)
        assert message.deleted_at is not None
        assert message.next_attempt_at is None
        assert await bench.waiting(endpoint) == []
        assert await bench.counts(endpoint) == {}
    attempts, _ = await bench.storage.list_attempts(bench.project, message_id, limit=9)
    assert [attempt.attempt_no for attempt in attempts] == list(range(1, 2 + tried))
    assert attempts[-1].retry_type is None
    assert await bench.storage.work() == []
