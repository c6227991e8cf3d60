"""Deletes, the dead letter queue and the log: contract section 6."""

import pytest
from hookbridge import NotFoundError

from ..harness import api, until
from .adapter import refused
from .conftest import FORMS, Connect, ServerWith
from .scene import PAYLOAD, UNKNOWN_MESSAGE, Hooks, Scene
from .walks import meets, walks

pytestmark = pytest.mark.asyncio(loop_scope="package")


# -- deletes --------------------------------------------------------------------------------------


@walks("delete_message", "get_logs", "lookup_actors")
@meets("delete_message", "NOT_FOUND")
async def test_a_message_is_deleted(scene: Scene) -> None:
    """Twice is fine; the record stays and says when and by which key; the key's name is told."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    hook.answer("slow")
    sent = await client.send(endpoint.id, PAYLOAD, idempotency_key="once")
    await scene.comes_to(sent.message_id, "pending_retry")
    first = await client.delete_message(sent.message_id)
    assert (first.message_id, first.already_deleted) == (sent.message_id, False)
    again = await client.delete_message(sent.message_id)
    assert (again.deleted_at, again.already_deleted) == (first.deleted_at, True)
    message = await client.get_message(sent.message_id)
    assert message.deleted_at == first.deleted_at
    assert len((await client.get_message_attempts(sent.message_id)).attempts) == 1
    (entry,) = (await client.get_logs(start_time=endpoint.created_at)).messages
    assert (entry.message_id, entry.deleted_at) == (sent.message_id, first.deleted_at)
    key_id = message.deleted_by_api_key_id
    actors = await client.lookup_actors(api_key_ids=[key_id])
    assert actors.api_keys == {key_id: {"label": "bootstrap"}}
    hook.answer("succeeded")
    other = await client.send(endpoint.id, {"another": 1}, idempotency_key="once")
    assert other.message_id != sent.message_id
    await scene.comes_to(other.message_id, "succeeded")
    await refused(client.delete_message(UNKNOWN_MESSAGE), 404, "NOT_FOUND", NotFoundError)


@walks("delete_messages_batch")
@meets("delete_messages_batch", "INVALID_REQUEST")
async def test_a_batch_of_messages_is_deleted(scene: Scene) -> None:
    """Each answers for itself, once."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    before = await scene.ended(endpoint, hook, "succeeded")
    now = await scene.ended(endpoint, hook, "succeeded")
    earlier = await client.delete_message(before)
    result = await client.delete_messages_batch([now, before, UNKNOWN_MESSAGE, now])
    counts = (result.deleted_count, result.already_deleted_count, result.not_found_count)
    assert counts == (1, 1, 1)
    deleted, already, unknown = result.results
    assert (deleted.message_id, deleted.outcome) == (now, "deleted")
    assert scene.is_recent(deleted.deleted_at)
    assert (already.message_id, already.outcome) == (before, "already_deleted")
    assert already.deleted_at == earlier.deleted_at
    assert (unknown.outcome, unknown.deleted_at) == ("not_found", None)
    assert (await client.get_message(now)).deleted_at == deleted.deleted_at
    for bad in ([], [UNKNOWN_MESSAGE] * 101):
        await refused(client.delete_messages_batch(bad), 400, "INVALID_REQUEST")


@walks("delete_messages_all")
@meets("delete_messages_all", "INVALID_REQUEST")
async def test_all_messages_that_fit_are_deleted(scene: Scene) -> None:
    """By status, endpoint and time; as many as asked for; the newest first."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    done = await scene.ended(endpoint, hook, "succeeded")
    failed = [await scene.ended(endpoint, hook, "failed_permanent") for _ in range(2)]
    slow = await scene.ended(endpoint, hook, "slow")
    wanted = {"endpoint_id": endpoint.id, "status": "failed_permanent,pending_retry"}
    first = await client.delete_messages_all(**wanted, limit=1)
    assert (first.deleted, first.deleted_message_ids, first.error) == (1, [slow], None)
    newest = (await client.get_message(failed[1])).created_at
    early = await client.delete_messages_all(**wanted, created_before=newest)
    assert early.deleted_message_ids == failed[:1]
    late = await client.delete_messages_all(**wanted, created_after=newest)
    assert late.deleted_message_ids == failed[1:]
    rest = await client.delete_messages_all(endpoint_id=endpoint.id)
    assert rest.deleted_message_ids == [done]
    assert (await client.delete_messages_all(endpoint_id=endpoint.id)).deleted == 0
    for query in (
        {"status": "nonsense"},
        {"endpoint_id": "nonsense"},
        {"created_after": "yesterday"},
        {"limit": 0},
        {"limit": 1001},
    ):
        await refused(client.delete_messages_all(**query), 400, "INVALID_REQUEST")


# -- the dead letter queue ------------------------------------------------------------------------


@walks("get_dlq_messages", "replay_from_dlq")
@meets("get_dlq_messages", "INVALID_REQUEST")
async def test_dead_letters_are_listed_and_replayed(scene: Scene) -> None:
    """Newest first, page by page; one that is replayed has left."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    dead = [await scene.ended(endpoint, hook, "failed_permanent") for _ in range(3)]
    page = await client.get_dlq_messages(limit=2)
    assert [each.message_id for each in page.messages] == dead[:0:-1]
    assert page.has_more
    letter = page.messages[0]
    assert (letter.endpoint, letter.status) == (hook.url, "failed_permanent")
    assert (letter.response_status, letter.attempt_count) == (404, 1)
    assert letter.last_error
    rest = await client.get_dlq_messages(limit=1000, cursor=page.next_cursor)
    assert rest.messages[0].message_id == dead[0]
    assert (rest.has_more, rest.next_cursor) == (False, None)
    hook.answer("succeeded")
    await client.replay_from_dlq(dead[2])
    await scene.comes_to(dead[2], "succeeded", attempts=2)
    assert (await client.get_dlq_messages(limit=1)).messages[0].message_id == dead[1]
    for query in ({"limit": 0}, {"limit": 1001}, {"cursor": "nonsense"}):
        await refused(client.get_dlq_messages(**query), 400, "INVALID_REQUEST")


@meets("replay_from_dlq", "NOT_FOUND", "INVALID_REQUEST", "ENDPOINT_NOT_FOUND")
async def test_what_is_no_dead_letter_is_not_replayed_from_there(scene: Scene) -> None:
    """Not one that succeeded, is unknown, is deleted, or whose endpoint is."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    done = await scene.ended(endpoint, hook, "succeeded")
    error = await refused(client.replay_from_dlq(done), 400, "INVALID_REQUEST")
    assert "message is not in DLQ (must have failed_permanent status)" in str(error)
    await refused(client.replay_from_dlq(UNKNOWN_MESSAGE), 404, "NOT_FOUND", NotFoundError)
    dead = await scene.ended(endpoint, hook, "failed_permanent")
    await client.delete_endpoint(endpoint.id)
    error = await refused(client.replay_from_dlq(dead), 404, "NOT_FOUND", NotFoundError)
    assert "endpoint was deleted" in str(error)
    await client.delete_message(dead)
    await refused(client.replay_from_dlq(dead), 400, "INVALID_REQUEST")


@meets("replay_from_dlq", "RETENTION_EXPIRED")
async def test_a_dead_letter_without_its_payload_is_not_replayed(
    server_with: ServerWith, hooks: Hooks, connect: Connect
) -> None:
    """Here failed payloads are kept for no time, since the server was started again."""
    async with server_with() as server:
        client = connect("sync", url=server.url)
        scene = Scene(server, hooks, client)
        endpoint, hook = await scene.endpoint()
        dead = await scene.ended(endpoint, hook, "failed_permanent")
        await server.terminate()
        directory = server.directory
    async with server_with(directory, RETENTION_FAILED_HOURS="0") as server:
        async with api(server) as session:

            async def removed() -> bool:
                async with session.get(f"/v1/messages/{dead}/payload") as answer:
                    return answer.status == 410

            await until(removed)
        for form in FORMS:
            client = connect(form, url=server.url)
            await refused(client.replay_from_dlq(dead), 410, "RETENTION_EXPIRED")
            (letter,) = (await client.get_dlq_messages()).messages
            assert letter.message_id == dead
    assert len(hook.deliveries) == 1


# -- the log --------------------------------------------------------------------------------------


@walks("get_logs")
@meets("get_logs", "INVALID_REQUEST")
async def test_the_log_is_filtered_and_paged_newest_first(scene: Scene) -> None:
    """By status and time; a cursor goes on where its page ended."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    done = [await scene.ended(endpoint, hook, "succeeded") for _ in range(4)]
    slow = await scene.ended(endpoint, hook, "slow")
    since = {"start_time": endpoint.created_at}
    first = await client.get_logs(status="succeeded", limit=3, **since)
    assert [entry.message_id for entry in first.messages] == done[:0:-1]
    assert first.has_more
    rest = await client.get_logs(status="succeeded", limit=3, cursor=first.next_cursor, **since)
    assert [entry.message_id for entry in rest.messages] == done[:1]
    assert (rest.has_more, rest.next_cursor) == (False, None)
    entry = first.messages[0]
    assert (entry.endpoint, entry.status, entry.attempt_count) == (hook.url, "succeeded", 1)
    assert entry.response_status == 200
    assert entry.response_latency_ms >= 0
    assert entry.created_at <= entry.delivered_at
    waiting = (await client.get_logs(status="pending_retry", **since)).messages
    assert [each.message_id for each in waiting] == [slow]
    assert waiting[0].next_attempt_at > waiting[0].created_at
    assert (waiting[0].response_status, waiting[0].delivered_at) == (503, None)
    assert waiting[0].last_error
    until = await client.get_logs(**since, end_time=waiting[0].created_at)
    assert [each.message_id for each in until.messages] == done[::-1]
    foreign = client.get_logs(cursor=first.next_cursor, status="queued", **since)
    await refused(foreign, 400, "INVALID_REQUEST")
    for query in (
        {"status": "nonsense"},
        {"start_time": "yesterday"},
        {"end_time": "2026-13-01T00:00:00Z"},
        {"limit": 0},
        {"limit": 501},
        {"cursor": "nonsense"},
    ):
        await refused(client.get_logs(**query), 400, "INVALID_REQUEST")
