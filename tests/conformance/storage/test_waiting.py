"""What the delivery loop reads, and giving messages up."""

from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.errors import EndpointNotFoundError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import PauseReason, Verdict
from sluicegate.engine.ports import WorkItem

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench


def retry_at(at_ms: int) -> Verdict:
    """Return a verdict that schedules a retry."""
    return Verdict(status=MessageStatus.PENDING_RETRY, next_attempt_at_ms=at_ms)


async def test_queued_messages_are_loaded_in_acceptance_order_from_a_position(
    bench: "Bench",
) -> None:
    """Only this endpoint's, and only those that were not attempted."""
    endpoint, other = await bench.endpoint(), await bench.endpoint()
    sent = []
    for _ in range(6):
        sent += await bench.send(endpoint)
        await bench.send(other)
    await bench.attempt(endpoint, sent[1])
    await bench.attempt(endpoint, sent[2], MessageStatus.PENDING_RETRY)
    first = await bench.storage.load_queued(endpoint, after_seq=0, limit=2)
    rest = await bench.storage.load_queued(endpoint, after_seq=first[-1].seq, limit=10)
    assert [message.id for message in [*first, *rest]] == [sent[0], *sent[3:]]
    assert {message.status for message in [*first, *rest]} == {MessageStatus.QUEUED}
    assert await bench.storage.load_queued("ep_unknown", after_seq=0, limit=10) == []


async def test_retries_are_loaded_by_when_they_are_due(bench: "Bench") -> None:
    """Those due at one moment in acceptance order."""
    endpoint = await bench.endpoint()
    sent = await bench.send(endpoint, 5)
    for message_id, at_ms in zip(sent, (50, 10, 40, 10, 30), strict=True):
        await bench.attempt(endpoint, message_id, verdict=retry_at(at_ms))
    due = await bench.storage.load_retries_due(endpoint, limit=4)
    assert [message.id for message in due] == [sent[1], sent[3], sent[4], sent[2]]
    assert [message.next_attempt_at_ms for message in due] == [10, 10, 30, 40]


async def test_heads_read_together_are_those_read_one_by_one(bench: "Bench") -> None:
    """State and head of each backlog, whatever is in them; nothing waits where nothing may flow."""
    plain = await bench.endpoint()
    await bench.send(plain, payload=b'"' + b"x" * 40_000 + b'"')
    await bench.send(plain, 3, payload='"\u00e9\U0001f600 \\u0000"'.encode())
    rich = await bench.endpoint(
        description='a "quoted" \x00 one', headers={"X-One": "\u00e9"}, ordered=True, timeout_s=1.5
    )
    sent = await bench.send(rich, 4, headers={"X-Two": '"'})
    for message_id, at_ms in zip(sent[:3], (90, 50, 10), strict=True):
        await bench.attempt(rich, message_id, verdict=retry_at(at_ms))
    paused, deleted = await bench.endpoint(), await bench.endpoint()
    await bench.send(paused)
    await bench.storage.pause(paused, reason=PauseReason.MANUAL, at_ms=5)
    await bench.send(deleted)
    await bench.storage.delete_endpoint(deleted, at_ms=5)
    ids = [plain, rich, paused, deleted]
    heads = await bench.storage.load_heads([*ids, "ep_unknown"], limit=2)
    assert set(heads) == set(ids)
    for each in ids:
        head = heads[each]
        assert head.state == await bench.storage.load_state(each)
        if each in {paused, deleted}:
            assert head.queued == head.due == []
        else:
            assert head.queued == await bench.storage.load_queued(each, after_seq=0, limit=2)
            assert head.due == await bench.storage.load_retries_due(each, limit=2)
    assert heads[plain].queued[0].payload is None
    assert heads[plain].queued[1].payload
    assert len(heads[rich].due) == 2


async def test_retries_are_loaded_in_acceptance_order_from_a_position(bench: "Bench") -> None:
    """All of them, or those scheduled under an earlier release."""
    endpoint = await bench.endpoint()
    sent = await bench.send(endpoint, 4)
    for turn, message_id in enumerate(sent):
        await bench.attempt(endpoint, message_id, verdict=retry_at(99 - turn), release_no=turn % 2)
    everything = await bench.storage.load_retries_in_order(
        endpoint, after_seq=0, below_release_no=None, limit=10
    )
    assert [message.id for message in everything] == sent
    released = await bench.storage.load_retries_in_order(
        endpoint, after_seq=everything[0].seq, below_release_no=1, limit=10
    )
    assert [message.id for message in released] == [sent[2]]
    page = await bench.storage.load_retries_in_order(
        endpoint, after_seq=0, below_release_no=None, limit=3
    )
    assert page == everything[:3]


async def test_a_large_payload_is_read_when_it_is_sent(bench: "Bench") -> None:
    """Not with the window."""
    endpoint = await bench.endpoint()
    small, large = b'"' + b"s" * 32_766 + b'"', b'"' + b"l" * 32_767 + b'"'
    await bench.send(endpoint, payload=small)
    await bench.send(endpoint, payload=large)
    first, second = await bench.waiting(endpoint)
    assert (first.payload, second.payload) == (small, None)
    assert await bench.storage.get_payload_by_seq(second.seq) == large
    assert await bench.storage.get_payload_by_seq(999) is None


async def test_work_is_what_waits_and_is_not_paused(bench: "Bench") -> None:
    """Queued or released: now; a retry: when it is due; deleted: now, to be swept."""
    idle, queued, later, paused, released, deleted = [await bench.endpoint() for _ in range(6)]
    for endpoint in (idle, queued, later, paused, released, deleted):
        [sent] = await bench.send(endpoint)
        if endpoint == idle:
            await bench.attempt(endpoint, sent)
        if endpoint in {later, released}:
            await bench.attempt(endpoint, sent, verdict=retry_at(7_000))
    for endpoint in (paused, released, deleted):
        await bench.storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
    await bench.storage.resume(released, at_ms=2, in_flight=set())
    await bench.storage.delete_endpoint(deleted, at_ms=2)
    assert await bench.storage.work() == [
        WorkItem(endpoint_id=queued, due_at_ms=0),
        WorkItem(endpoint_id=later, due_at_ms=7_000),
        WorkItem(endpoint_id=released, due_at_ms=0),
        WorkItem(endpoint_id=deleted, due_at_ms=0),
    ]


async def test_giving_up_goes_by_acceptance_order_and_spares_what_flies(bench: "Bench") -> None:
    """In steps of a limit, until nothing is left but what is in flight."""
    endpoint = await bench.endpoint()
    sent = await bench.send(endpoint, 6)
    await bench.attempt(endpoint, sent[1], MessageStatus.PENDING_RETRY)
    await bench.attempt(endpoint, sent[5])
    await bench.storage.delete_endpoint(endpoint, at_ms=1)

    async def sweep() -> int:
        return await bench.storage.give_up_waiting(
            endpoint, error="endpoint deleted", at_ms=9, limit=3, in_flight={sent[0]}
        )

    assert await sweep() == 3
    assert [message.id for message in await bench.waiting(endpoint)] == [sent[0], sent[4]]
    assert [await sweep(), await sweep()] == [1, 0]
    message = await bench.get(sent[1])
    assert message.status is MessageStatus.FAILED_PERMANENT
    assert (message.last_error, message.next_attempt_at) == ("endpoint deleted", None)
    assert (await bench.get(sent[5])).status is MessageStatus.SUCCEEDED
    assert (await bench.get(sent[0], sent[0])).status is MessageStatus.DELIVERING
    assert len(await bench.storage.work()) == 1
    with pytest.raises(EndpointNotFoundError):
        await bench.storage.give_up_waiting("ep_x", error="", at_ms=9, limit=3, in_flight=set())


async def test_one_message_is_given_up_if_it_waits(bench: "Bench") -> None:
    """Any other stays as it is."""
    endpoint, other = await bench.endpoint(), await bench.endpoint()
    poison, done = await bench.send(endpoint, 2)
    [first, second] = await bench.waiting(endpoint)
    await bench.attempt(endpoint, done)
    await bench.storage.give_up_message(other, first.seq, error="internal", at_ms=9)
    assert (await bench.get(poison)).status is MessageStatus.QUEUED
    for message in (first, second):
        await bench.storage.give_up_message(endpoint, message.seq, error="internal", at_ms=9)
    assert (await bench.get(poison)).status is MessageStatus.FAILED_PERMANENT
    assert (await bench.get(poison)).last_error == "internal"
    assert (await bench.get(done)).status is MessageStatus.SUCCEEDED
    assert await bench.counts(endpoint) == {"failed_permanent": 1}
