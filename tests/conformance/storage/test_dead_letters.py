"""The dead letter queue, and which messages a bulk operation means."""

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import PauseReason, RetryType, Verdict
from sluicegate.engine.operations import DeadLetter, ReplayKind
from sluicegate.engine.ports import LogQuery

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench

SUCCEEDED, FAILED = MessageStatus.SUCCEEDED, MessageStatus.FAILED_PERMANENT
QUEUED, RETRYING = MessageStatus.QUEUED, MessageStatus.PENDING_RETRY
OTHER = "proj_" + "2" * 32


def dead(bench: "Bench", **more: Any) -> LogQuery:
    """Return the query of a page of the dead letter queue."""
    query = LogQuery(project_id=bench.project, limit=100, status=FAILED, deleted=False)
    return msgspec.structs.replace(query, **more)


async def letters(
    bench: "Bench", *in_flight: str, **more: Any
) -> tuple[list[DeadLetter], int | None]:
    """Return a page of the dead letter queue."""
    return await bench.storage.list_dead_letters(dead(bench, **more), in_flight=set(in_flight))


async def listed(bench: "Bench", *in_flight: str, **more: Any) -> list[str]:
    """Return the ids on a page of the dead letter queue."""
    found, _ = await letters(bench, *in_flight, **more)
    return [letter.entry.message_id for letter in found]


async def pause(bench: "Bench", endpoint: str) -> None:
    """Pause an endpoint."""
    await bench.storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=9)


# -- the dead letter queue ------------------------------------------------------------------------


async def test_a_dead_letter_says_when_it_was_given_up(bench: "Bench") -> None:
    """By its last attempt, its cancelling, or the deletion of its endpoint, swept or not."""
    endpoint, orphaned = await bench.endpoint(), await bench.endpoint()
    [rejected] = await bench.ended(endpoint, FAILED)
    failed_at = {rejected: bench.clock.now_ms + 30}
    [cancelled] = await bench.ended(endpoint, RETRYING)
    bench.clock.now_ms += 50_000
    failed_at[cancelled] = bench.clock.now_ms
    await bench.storage.cancel_message(
        endpoint, cancelled, in_flight=set(), at_ms=failed_at[cancelled]
    )
    orphans = await bench.ended(orphaned, QUEUED, 2) + await bench.ended(orphaned, RETRYING)
    deleted_at = bench.clock.now_ms + 70_000
    await bench.storage.delete_endpoint(orphaned, at_ms=deleted_at)
    await bench.storage.give_up_waiting(
        orphaned, error="endpoint deleted", at_ms=deleted_at + 1, limit=1, in_flight=set()
    )
    failed_at |= {orphans[0]: deleted_at + 1, orphans[1]: deleted_at, orphans[2]: deleted_at}
    found, more = await letters(bench)
    assert more is None
    assert [letter.entry.message_id for letter in found] == list(failed_at)[::-1]
    for letter in found:
        entry = letter.entry
        assert letter.failed_at.timestamp() * 1000 == failed_at[entry.message_id]
        assert (entry.status, entry.next_attempt_at, entry.deleted_at) == (FAILED, None, None)
        orphan = entry.message_id in orphans
        cause = "retry cancelled" if entry.message_id == cancelled else "HTTP 503"
        assert entry.last_error == ("endpoint deleted" if orphan else cause)


async def test_deleted_and_replayed_messages_have_left_the_queue(bench: "Bench") -> None:
    """And what failed again is back, in its old place."""
    endpoint = await bench.endpoint()
    ids = await bench.ended(endpoint, FAILED, 4)
    await bench.ended(endpoint, SUCCEEDED)
    await bench.ended(endpoint, RETRYING)
    [flying] = await bench.ended(endpoint, QUEUED)
    await bench.delete(endpoint, ids[0], flying)
    await bench.storage.replay_messages(
        endpoint, ids[1:3], kind=ReplayKind.DEAD_LETTER, in_flight=set(), at_ms=9
    )
    assert await listed(bench, flying) == await listed(bench) == [ids[3]]
    await bench.attempt(endpoint, ids[1], FAILED)
    assert await listed(bench) == [ids[3], ids[1]]
    assert await listed(bench, project_id=OTHER) == []


async def test_pages_of_the_queue_are_stable(bench: "Bench") -> None:
    """No message is seen twice or skipped while others fail, are deleted and are replayed."""
    one, two = await bench.endpoint(), await bench.endpoint()
    ids: list[str] = []
    for _ in range(6):
        ids += await bench.ended(one, FAILED) + await bench.ended(two, FAILED)
    seen: list[str] = []
    position: int | None = None
    while True:
        found, position = await letters(bench, limit=5, before_seq=position)
        assert len(found) == 5 or position is None
        seen += [letter.entry.message_id for letter in found]
        if position is None:
            break
        await bench.ended(one, FAILED)
        await bench.delete(one, seen[-1], ids[0])
    assert seen == ids[:0:-1]


async def test_a_page_that_holds_all_is_the_last(bench: "Bench") -> None:
    """There is more exactly when there is: no page is empty but that of an empty queue."""
    endpoint = await bench.endpoint()
    ids = await bench.ended(endpoint, FAILED, 4)
    for limit, pages in ((5, [4]), (4, [4]), (3, [3, 1]), (2, [2, 2])):
        sizes: list[int] = []
        position: int | None = None
        while not sizes or position is not None:
            found, position = await letters(bench, limit=limit, before_seq=position)
            sizes.append(len(found))
        assert sizes == pages
    await bench.delete(endpoint, *ids)
    assert await letters(bench) == ([], None)


# -- what a bulk operation means ------------------------------------------------------------------


async def test_the_owner_of_each_message_is_found(bench: "Bench") -> None:
    """Of those that the project has; deleted messages and endpoints too."""
    await bench.storage.create_project(OTHER, "other", created_at_ms=1)
    endpoint, orphaned = await bench.endpoint(), await bench.endpoint()
    foreign = await bench.endpoint(OTHER)
    [mine], [orphan] = await bench.send(endpoint), await bench.send(orphaned)
    [theirs] = await bench.send(foreign, project_id=OTHER)
    await bench.delete(endpoint, mine)
    await bench.storage.delete_endpoint(orphaned, at_ms=9)
    unknown = "01890a5d-ac96-774b-bcce-b302099a8057"
    asked = [mine, unknown, theirs, "nonsense", orphan]
    found = await bench.storage.find_endpoints(bench.project, asked)
    assert found == {mine: endpoint, orphan: orphaned}
    assert await bench.storage.find_endpoints(OTHER, asked) == {theirs: foreign}
    assert await bench.storage.find_endpoints("proj_unknown", asked) == {}


async def failed(
    bench: "Bench", *, endpoint: str | None = None, limit: int = 100, project: str | None = None
) -> list[tuple[str, str]]:
    """Return the failed messages that a bulk replay means."""
    return await bench.storage.select_replayable(
        project or bench.project, endpoint_id=endpoint, limit=limit
    )


async def test_failed_messages_are_selected_oldest_first_by_endpoint(bench: "Bench") -> None:
    """Of one endpoint or of all, up to the limit; of no other project."""
    await bench.storage.create_project(OTHER, "other", created_at_ms=1)
    one, two = await bench.endpoint(), await bench.endpoint()
    ids: dict[str, list[str]] = {one: [], two: []}
    for _ in range(3):
        for endpoint in (two, one):
            ids[endpoint] += await bench.ended(endpoint, FAILED)
    await bench.ended(one, SUCCEEDED)
    await bench.ended(one, RETRYING)
    pairs = [(message_id, endpoint) for endpoint in (one, two) for message_id in ids[endpoint]]
    assert await failed(bench) == pairs
    assert await failed(bench, limit=4) == pairs[:4]
    assert await failed(bench, endpoint=two) == pairs[3:]
    assert await failed(bench, endpoint=two, limit=1) == pairs[3:4]
    assert await failed(bench, endpoint="ep_" + "0" * 32) == []
    assert await failed(bench, project=OTHER) == []
    assert await failed(bench, endpoint=one, project=OTHER) == []


async def test_what_cannot_be_replayed_is_not_selected(bench: "Bench") -> None:
    """Ten times replayed, deleted, or of a deleted endpoint; held ones can."""
    endpoint, orphaned = await bench.endpoint(), await bench.endpoint()
    worn, gone, good = await bench.ended(endpoint, FAILED, 3)
    for count in range(10):
        assert (worn, endpoint) in await failed(bench), count
        await bench.storage.replay_messages(
            endpoint, [worn], kind=ReplayKind.COUNTED, in_flight=set(), at_ms=9
        )
        await bench.attempt(endpoint, worn, FAILED)
    await bench.delete(endpoint, gone)
    await bench.ended(orphaned, FAILED)
    await bench.storage.delete_endpoint(orphaned, at_ms=9)
    for paused in (False, True):
        if paused:
            await pause(bench, endpoint)
        assert await failed(bench) == await failed(bench, endpoint=endpoint) == [(good, endpoint)]
        assert await failed(bench, endpoint=orphaned) == []


async def test_slow_retries_are_selected_oldest_first_by_endpoint(bench: "Bench") -> None:
    """Neither fast ones, nor held ones, nor those in flight; up to the limit."""
    await bench.storage.create_project(OTHER, "other", created_at_ms=1)
    one, two, paused = [await bench.endpoint() for _ in range(3)]
    ids: dict[str, list[str]] = {one: [], two: []}
    for _ in range(2):
        for endpoint in (two, one):
            ids[endpoint] += await bench.ended(endpoint, RETRYING)
    [fast] = await bench.send(one)
    verdict = Verdict(status=RETRYING, next_attempt_at_ms=1, retry_type=RetryType.FAST)
    await bench.attempt(one, fast, RETRYING, verdict=verdict)
    await bench.ended(one, QUEUED)
    await bench.ended(one, FAILED)
    await bench.ended(paused, RETRYING)
    await pause(bench, paused)
    [flying] = await bench.ended(two, RETRYING)

    async def slow(
        endpoint: str | None = None, limit: int = 100, project: str = bench.project
    ) -> list[tuple[str, str]]:
        return await bench.storage.select_slow_retries(
            project, endpoint_id=endpoint, in_flight={flying}, limit=limit
        )

    pairs = [(message_id, endpoint) for endpoint in (one, two) for message_id in ids[endpoint]]
    assert await slow() == pairs
    assert await slow(limit=3) == pairs[:3]
    assert await slow(two) == pairs[2:]
    assert await slow(two, limit=1) == pairs[2:3]
    assert await slow(paused) == []
    assert await slow(project=OTHER) == await slow(one, project=OTHER) == []
    await bench.storage.delete_endpoint(two, at_ms=9)
    assert await slow() == pairs[:2]
    assert await slow(two) == []


async def test_messages_are_selected_by_any_of_many_queries(bench: "Bench") -> None:
    """Newest first over all of them, each once, up to the limit."""
    endpoint, held = await bench.endpoint(), await bench.endpoint()
    found: list[tuple[str, str, MessageStatus]] = []
    for _ in range(3):
        for owner, status in ((endpoint, SUCCEEDED), (endpoint, FAILED), (held, QUEUED)):
            [message_id] = await bench.ended(owner, status)
            read = MessageStatus.PAUSED if owner == held else status
            found.append((message_id, owner, read))
    [gone] = await bench.ended(endpoint, SUCCEEDED)
    await bench.delete(endpoint, gone)
    await pause(bench, held)

    async def select(
        *statuses: MessageStatus | None, limit: int = 100, **more: Any
    ) -> list[tuple[str, str]]:
        queries = [dead(bench, status=status, limit=limit, **more) for status in statuses]
        return await bench.storage.select_messages(queries, in_flight=set(), limit=limit)

    def expected(*statuses: MessageStatus) -> list[tuple[str, str]]:
        return [(each, owner) for each, owner, read in found[::-1] if read in statuses]

    everything = tuple(MessageStatus)
    assert await select(None) == await select(*everything) == expected(*everything)
    for pair in ((SUCCEEDED, FAILED), (FAILED, MessageStatus.PAUSED), (SUCCEEDED, SUCCEEDED)):
        for limit in (1, 2, 5, 6, 100):
            assert await select(*pair, limit=limit) == expected(*pair)[:limit]
    assert (gone, endpoint) in await select(SUCCEEDED, deleted=None)
    assert await select(SUCCEEDED, endpoint_id=held) == []


@pytest.mark.parametrize("status", [None, SUCCEEDED, FAILED])
async def test_a_page_can_be_of_deleted_messages_only_or_of_others(
    bench: "Bench", status: MessageStatus | None
) -> None:
    """Of the project or of an endpoint; without the filter both are listed."""
    endpoint = await bench.endpoint()
    ids = await bench.ended(endpoint, SUCCEEDED, 4) + await bench.ended(endpoint, FAILED, 4)
    await bench.delete(endpoint, *ids[::2])
    chosen = {None: ids, SUCCEEDED: ids[:4], FAILED: ids[4:]}[status][::-1]
    for place in ({}, {"endpoint_id": endpoint}):
        assert await bench.logged(status=status, **place) == chosen
        gone = [message_id for message_id in chosen if message_id in ids[::2]]
        assert await bench.logged(status=status, deleted=True, **place) == gone
        left = [message_id for message_id in chosen if message_id not in ids[::2]]
        assert await bench.logged(status=status, deleted=False, **place) == left
