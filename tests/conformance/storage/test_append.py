"""Accepting messages."""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluicegate.engine.errors import EndpointNotFoundError, IdempotencyMismatchError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import Accepted, Arrivals
from sluicegate.engine.moments import from_ms

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench


async def test_a_message_is_stored_as_accepted(bench: "Bench") -> None:
    """Every field comes back, also after a restart; the payload byte for byte."""
    endpoint = await bench.endpoint()
    payload = b'{"b": 1.0,  "a": 123456789012345678901234567890, "\xc3\xa4": "\\u0000"}'
    [sent] = await bench.send(
        endpoint,
        payload=payload,
        headers={"X-Z": "1", "X-A": "2"},
        idempotency_key="key-1",
        retention_hours=48,
    )
    await bench.reopen()
    message = await bench.get(sent)
    assert (message.project_id, message.endpoint_id) == (bench.project, endpoint)
    assert message.status is MessageStatus.QUEUED
    assert (message.attempt_count, message.replay_count) == (0, 0)
    assert (message.size_bytes, message.content_type) == (len(payload), "application/json")
    assert message.payload_sha256 == hashlib.sha256(payload).hexdigest()
    assert message.created_at == message.updated_at == from_ms(bench.clock.now_ms)
    assert (message.idempotency_key, message.retention_hours) == ("key-1", 48)
    assert await bench.storage.get_payload(bench.project, sent) == payload
    [waiting] = await bench.waiting(endpoint)
    assert (waiting.headers, waiting.payload) == ({"X-Z": "1", "X-A": "2"}, payload)
    assert waiting.accepted_at_ms == bench.clock.now_ms


async def test_acceptance_order_is_the_order_of_the_call(bench: "Bench") -> None:
    """And it goes on rising after a restart."""
    endpoint = await bench.endpoint()
    sent = await bench.send(endpoint, 50)
    await bench.reopen()
    sent += await bench.send(endpoint, 50)
    assert [message.id for message in await bench.waiting(endpoint)] == sent


async def test_each_slot_answers_for_itself(bench: "Bench") -> None:
    """Unknown, foreign and deleted endpoints refuse their messages only."""
    other = "proj_" + "2" * 32
    await bench.storage.create_project(other, "other", created_at_ms=1)
    endpoint, deleted = await bench.endpoint(), await bench.endpoint()
    foreign = await bench.endpoint(other)
    await bench.send(deleted)
    await bench.storage.delete_endpoint(deleted, at_ms=1)
    messages = [bench.message(to) for to in ("ep_unknown", endpoint, foreign, deleted, endpoint)]
    answers = await bench.storage.append(messages)
    for slot in (0, 2, 3):
        assert isinstance(answers[slot], EndpointNotFoundError)
        assert (
            await bench.storage.get_message(bench.project, messages[slot].id, in_flight=set())
            is None
        )
    for slot in (1, 4):
        assert answers[slot] == Accepted(message_id=messages[slot].id)
    assert await bench.counts(endpoint) == {"queued": 2}


async def test_an_idempotency_key_makes_one_message(bench: "Bench") -> None:
    """Same key and payload: the first message's id, and nothing new; also after a restart."""
    endpoint = await bench.endpoint()
    [first] = await bench.send(endpoint, idempotency_key="k")
    again = bench.message(endpoint, idempotency_key="k")
    duplicate = Accepted(message_id=first, duplicate=True)
    assert await bench.storage.append([again]) == [duplicate]
    await bench.reopen()
    assert await bench.storage.append([again]) == [duplicate]
    assert [message.id for message in await bench.waiting(endpoint)] == [first]
    await bench.attempt(endpoint, first)
    assert await bench.storage.append([again]) == [duplicate]


async def test_a_key_that_stands_for_another_payload_is_refused(bench: "Bench") -> None:
    """In a later call and in the same one."""
    endpoint = await bench.endpoint()
    answers = await bench.storage.append(
        [
            bench.message(endpoint, b"1", idempotency_key="k"),
            bench.message(endpoint, b"2", idempotency_key="k"),
            bench.message(endpoint, b"1", idempotency_key="k"),
        ]
    )
    assert isinstance(answers[1], IdempotencyMismatchError)
    assert isinstance(answers[0], Accepted)
    assert answers[2] == Accepted(message_id=answers[0].message_id, duplicate=True)
    [answer] = await bench.storage.append([bench.message(endpoint, b"3", idempotency_key="k")])
    assert isinstance(answer, IdempotencyMismatchError)


async def test_a_key_is_scoped_to_its_endpoint(bench: "Bench") -> None:
    """The same key on another endpoint is another message."""
    for endpoint in (await bench.endpoint(), await bench.endpoint()):
        await bench.send(endpoint, idempotency_key="k")


async def test_concurrent_sends_with_one_key_make_one_message(bench: "Bench") -> None:
    """Whichever transaction they end up in."""
    endpoint = await bench.endpoint()
    answers = await asyncio.gather(
        *(
            bench.storage.append([bench.message(endpoint, idempotency_key=f"key-{turn % 5}")])
            for turn in range(200)
        )
    )
    accepted = [answer for [answer] in answers if isinstance(answer, Accepted)]
    assert len(accepted) == 200
    assert sum(not answer.duplicate for answer in accepted) == 5
    waiting = {message.id for message in await bench.waiting(endpoint)}
    assert {answer.message_id for answer in accepted} == waiting
    assert len(waiting) == 5


async def test_the_commit_tells_what_each_endpoint_got_as_a_read_would(bench: "Bench") -> None:
    """In order, large payloads left out: whoever is told needs no read."""
    endpoint = await bench.endpoint()
    told: list[Arrivals] = []
    bench.storage.on_accepted(lambda accepted: told.append(accepted[endpoint]))
    large = b'"' + b"x" * 100_000 + b'"'
    await bench.storage.append(
        [bench.message(endpoint, headers={"X-A": "1"}), bench.message(endpoint, payload=large)]
    )
    await bench.storage.append([bench.message(endpoint)])
    messages = [message for arrivals in told for message in arrivals.messages]
    assert messages == await bench.waiting(endpoint)
    assert [message.payload is None for message in messages] == [False, True, False]
    assert [arrivals.after_seq for arrivals in told] == [None, messages[1].seq]


async def test_the_commit_tells_who_got_messages_before_anyone_is_woken(bench: "Bench") -> None:
    """Duplicates and refused messages are no news."""
    told: list[set[str]] = []

    def listen(accepted: Mapping[str, object]) -> None:
        told.append(set(accepted))

    bench.storage.on_accepted(listen)
    first, second = await bench.endpoint(), await bench.endpoint()
    assert told == []
    await bench.storage.append(
        [bench.message(first, idempotency_key="k"), bench.message(second), bench.message("ep_x")]
    )
    assert told == [{first, second}]
    await bench.storage.append([bench.message(first, idempotency_key="k"), bench.message("ep_x")])
    assert told == [{first, second}]


async def test_a_cancelled_caller_leaves_its_messages_stored(bench: "Bench") -> None:
    """The commit happens, and the listener hears of it: a row is never stranded."""
    endpoint = await bench.endpoint()
    heard = asyncio.Event()
    bench.storage.on_accepted(lambda _ids: heard.set())
    message = bench.message(endpoint)
    caller = asyncio.ensure_future(bench.storage.append([message]))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    await heard.wait()
    assert [waiting.id for waiting in await bench.waiting(endpoint)] == [message.id]


async def test_a_foreign_message_is_not_there(bench: "Bench") -> None:
    """Another project's message answers exactly like an unknown one."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    other = "proj_" + "2" * 32
    await bench.storage.create_project(other, "other", created_at_ms=1)
    for project, message_id in ((other, sent), (bench.project, sent.upper()), (other, "nonsense")):
        assert await bench.storage.get_message(project, message_id, in_flight=set()) is None
        assert await bench.storage.get_payload(project, message_id) is None
        assert await bench.storage.list_attempts(project, message_id, limit=9) == ([], False)
