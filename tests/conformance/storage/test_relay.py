"""Taking messages out of outboxes: each once, as long as it may come again."""

from typing import TYPE_CHECKING

from sluicegate.engine.errors import EndpointNotFoundError
from sluicegate.engine.model import Accepted

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench

OUTBOX = "an outbox"


async def test_a_relayed_message_is_stored_once_however_often_it_comes(bench: "Bench") -> None:
    """In one call, in another, and after a restart."""
    endpoint = await bench.endpoint()
    first, second = bench.message(endpoint), bench.message(endpoint)
    answers = await bench.storage.append_relayed(OUTBOX, [first, second, first], gone=())
    assert answers == [
        Accepted(message_id=first.id),
        Accepted(message_id=second.id),
        Accepted(message_id=first.id, duplicate=True),
    ]
    await bench.reopen()
    [again] = await bench.storage.append_relayed(OUTBOX, [second], gone=())
    assert again == Accepted(message_id=second.id, duplicate=True)
    assert [each.id for each in await bench.waiting(endpoint)] == [first.id, second.id]


async def test_ids_are_remembered_until_they_are_gone(bench: "Bench") -> None:
    """Each outbox's by themselves; of what is refused nothing is."""
    endpoint = await bench.endpoint()
    first, second, other = (bench.message(endpoint) for _ in range(3))
    unknown = bench.message("ep_unknown")
    answers = await bench.storage.append_relayed(OUTBOX, [first, unknown, second], gone=())
    assert isinstance(answers[1], EndpointNotFoundError)
    await bench.storage.append_relayed("another", [other], gone=())
    await bench.reopen()
    assert sorted(await bench.storage.relayed(OUTBOX)) == sorted([first.id, second.id])
    await bench.storage.append_relayed(OUTBOX, [], gone=[first.id])
    assert await bench.storage.relayed(OUTBOX) == [second.id]
    assert await bench.storage.relayed("another") == [other.id]


async def test_a_message_that_was_sent_directly_is_a_duplicate_too(bench: "Bench") -> None:
    """Whatever an outbox says: an id stands for one message."""
    endpoint = await bench.endpoint()
    message = bench.message(endpoint)
    await bench.storage.append([message])
    [answer] = await bench.storage.append_relayed(OUTBOX, [message], gone=())
    assert answer == Accepted(message_id=message.id, duplicate=True)


async def test_a_relayed_message_stays_one_when_the_first_was_removed(bench: "Bench") -> None:
    """Deleted, its key free again: what is remembered of an id outlives its message."""
    endpoint = await bench.endpoint()
    message = bench.message(endpoint, idempotency_key="k")
    await bench.storage.append_relayed(OUTBOX, [message], gone=())
    await bench.delete(endpoint, message.id)
    [answer] = await bench.storage.append_relayed(OUTBOX, [message], gone=())
    assert answer == Accepted(message_id=message.id, duplicate=True)
    assert await bench.waiting(endpoint) == []


async def test_an_idempotency_key_holds_for_relayed_messages(bench: "Bench") -> None:
    """The first message stands, and the other's id is remembered all the same."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint, idempotency_key="k")
    message = bench.message(endpoint, idempotency_key="k")
    [answer] = await bench.storage.append_relayed(OUTBOX, [message], gone=())
    assert answer == Accepted(message_id=sent, duplicate=True)
    assert await bench.storage.relayed(OUTBOX) == [message.id]
