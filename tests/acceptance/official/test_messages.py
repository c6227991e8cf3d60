"""Replay, retry-now and cancel, of one message and of many: contract section 6."""

import pytest
from hookbridge import NotFoundError, ReplayLimitError

from .adapter import refused
from .scene import PAYLOAD, UNKNOWN_ENDPOINT, UNKNOWN_MESSAGE, Scene
from .walks import meets, walks

pytestmark = pytest.mark.asyncio(loop_scope="package")

REPLAYS_MAX = 10


# -- replay ---------------------------------------------------------------------------------------


@walks("replay")
async def test_what_succeeded_failed_or_waits_long_is_replayed(scene: Scene) -> None:
    """A new cycle: earlier attempts stay listed, the numbers go on."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    for end in ("succeeded", "failed_permanent", "slow"):
        message_id = await scene.ended(endpoint, hook, end)
        hook.answer("succeeded")
        assert await client.replay(message_id) is None
        message = await scene.comes_to(message_id, "succeeded", attempts=2)
        assert (message.replay_count, message.attempt_count) == (1, 2)
        attempts = (await client.get_message_attempts(message_id)).attempts
        assert [attempt.attempt_no for attempt in attempts] == [1, 2]
        arrived = [each for each in hook.deliveries if each.message_id == message_id]
        assert arrived[0].body == arrived[1].body


@meets("replay", "NOT_FOUND", "ENDPOINT_NOT_FOUND", "RETENTION_EXPIRED", "PAYLOAD_UNAVAILABLE")
async def test_what_is_gone_is_not_replayed(scene: Scene) -> None:
    """The message, its endpoint, or its payload: each with its own code."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    expired = await scene.ended(endpoint, hook, "succeeded", retention_hours=0)
    deleted = await scene.ended(endpoint, hook, "succeeded")
    orphan = await scene.ended(endpoint, hook, "succeeded")
    await client.delete_message(deleted)
    await refused(client.replay(UNKNOWN_MESSAGE), 404, "NOT_FOUND", NotFoundError)
    await refused(client.replay(expired), 410, "RETENTION_EXPIRED")
    await refused(client.replay(deleted), 410, "PAYLOAD_UNAVAILABLE")
    await client.delete_endpoint(endpoint.id)
    error = await refused(client.replay(orphan), 404, "NOT_FOUND", NotFoundError)
    assert "endpoint was deleted" in str(error)
    assert len(hook.deliveries) == 3


@meets("replay", "DELIVERY_IN_PROGRESS", "RETRY_IN_PROGRESS", "INVALID_STATUS")
@meets("retry_now", "INVALID_STATUS")
@meets("cancel_retry", "INVALID_STATUS")
async def test_what_is_on_its_way_is_not_replayed(scene: Scene) -> None:
    """In flight, in a fast retry, not tried yet."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    fast = await scene.ended(endpoint, hook, "fast")
    await refused(client.replay(fast), 409, "RETRY_IN_PROGRESS")
    hook.answer("succeeded")
    flying = await scene.hanging(endpoint, hook)
    await refused(client.replay(flying), 409, "DELIVERY_IN_PROGRESS")
    for action in (client.retry_now, client.cancel_retry):
        error = await refused(action(flying), 400, "INVALID_STATUS")
        assert "(current: delivering)" in str(error)
    hook.opened.set()
    assert (await scene.comes_to(flying, "succeeded")).replay_count == 0
    held, _ = await scene.endpoint(paused=True)
    waiting = (await client.send(held.id, PAYLOAD)).message_id
    error = await refused(client.replay(waiting), 400, "INVALID_STATUS")
    assert "(current: paused)" in str(error)


@walks("replay", "replay_from_dlq")
@meets("replay", "REPLAY_LIMIT_EXCEEDED")
async def test_a_message_is_replayed_ten_times(scene: Scene) -> None:
    """The eleventh is 429; from the dead letter queue it still goes, uncounted."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    message_id = await scene.ended(endpoint, hook, "failed_permanent")
    for count in range(REPLAYS_MAX):
        await client.replay(message_id)
        message = await scene.comes_to(message_id, "failed_permanent", attempts=count + 2)
        assert message.replay_count == count + 1
    await refused(client.replay(message_id), 429, "REPLAY_LIMIT_EXCEEDED", ReplayLimitError)
    hook.answer("succeeded")
    await client.replay_from_dlq(message_id)
    message = await scene.comes_to(message_id, "succeeded", attempts=REPLAYS_MAX + 2)
    assert message.replay_count == REPLAYS_MAX
    assert len(hook.deliveries) == REPLAYS_MAX + 2


# -- retry now and cancel -------------------------------------------------------------------------


@walks("retry_now")
@meets("retry_now", "NOT_FOUND", "INVALID_STATUS")
async def test_a_retry_is_had_now(scene: Scene) -> None:
    """Whichever schedule it follows; only a message that waits on one."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    for end in ("slow", "fast"):
        message_id = await scene.ended(endpoint, hook, end)
        waiting = await client.get_message(message_id)
        assert waiting.next_attempt_at > waiting.created_at
        assert waiting.last_error
        assert (waiting.response_status, waiting.attempt_count) == (hook.status, 1)
        (attempt,) = (await client.get_message_attempts(message_id)).attempts
        assert (attempt.retry_type, attempt.retry_after_seconds) == (end, 3600)
        hook.answer("succeeded")
        await client.retry_now(message_id)
        message = await scene.comes_to(message_id, "succeeded", attempts=2)
        assert message.replay_count == 0
    error = await refused(client.retry_now(message_id), 400, "INVALID_STATUS")
    assert "Message is not in pending_retry status (current: succeeded)" in str(error)
    await refused(client.retry_now(UNKNOWN_MESSAGE), 404, "NOT_FOUND", NotFoundError)


@walks("cancel_retry", "get_dlq_messages")
@meets("cancel_retry", "NOT_FOUND", "INVALID_STATUS")
async def test_a_retry_is_cancelled(scene: Scene) -> None:
    """The message is in the dead letter queue then."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    message_id = await scene.ended(endpoint, hook, "slow")
    await client.cancel_retry(message_id)
    message = await client.get_message(message_id)
    assert (message.status, message.next_attempt_at) == ("failed_permanent", None)
    (letter,) = (await client.get_dlq_messages(limit=1)).messages
    assert letter.message_id == message_id
    await refused(client.cancel_retry(message_id), 400, "INVALID_STATUS")
    await refused(client.cancel_retry(UNKNOWN_MESSAGE), 404, "NOT_FOUND", NotFoundError)


# -- many at once ---------------------------------------------------------------------------------


@walks("replay_all_messages")
@meets("replay_all_messages", "INVALID_REQUEST")
async def test_all_messages_of_a_status_are_replayed(scene: Scene) -> None:
    """Of one endpoint, as many as asked for; what is in a fast retry is passed over."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    failed = [await scene.ended(endpoint, hook, "failed_permanent") for _ in range(3)]
    slow = await scene.ended(endpoint, hook, "slow")
    fast = await scene.ended(endpoint, hook, "fast")
    hook.answer("succeeded")
    wanted = {"status": "failed_permanent", "endpoint_id": endpoint.id}
    first = await client.replay_all_messages(**wanted, limit=2)
    assert (first.replayed, first.failed, first.stuck) == (2, 0, 0)
    assert first.replayed_message_ids == failed[:2]
    assert first.stuck_message_ids == []
    rest = await client.replay_all_messages(**wanted)
    assert rest.replayed_message_ids == failed[2:]
    assert (await client.replay_all_messages(**wanted)).replayed == 0
    again = await client.replay_all_messages(status="pending_retry", endpoint_id=endpoint.id)
    assert (again.replayed, again.replayed_message_ids) == (1, [slow])
    for message_id in (*failed, slow):
        message = await scene.comes_to(message_id, "succeeded", attempts=2)
        assert message.replay_count == 1
    assert (await client.get_message(fast)).status == "pending_retry"
    for query in (
        {"status": "succeeded"},
        {"status": "nonsense"},
        {"status": "failed_permanent", "limit": 0},
        {"status": "failed_permanent", "limit": 1001},
        {"status": "failed_permanent", "endpoint_id": "nonsense"},
    ):
        await refused(client.replay_all_messages(**query), 400, "INVALID_REQUEST")
    none = await client.replay_all_messages(status="failed_permanent", endpoint_id=UNKNOWN_ENDPOINT)
    assert none.replayed == 0


@walks("replay_batch_messages")
@meets("replay_batch_messages", "INVALID_REQUEST")
async def test_a_batch_of_messages_is_replayed(scene: Scene) -> None:
    """Each answers for itself: replayed, failed, or stuck, with the reason."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    failed = await scene.ended(endpoint, hook, "failed_permanent")
    fast = await scene.ended(endpoint, hook, "fast")
    deleted = await scene.ended(endpoint, hook, "succeeded")
    await client.delete_message(deleted)
    flying = await scene.hanging(endpoint, hook)
    ids = [failed, fast, deleted, flying, UNKNOWN_MESSAGE]
    result = await client.replay_batch_messages(ids)
    assert (result.replayed, result.failed, result.stuck) == (1, 2, 2)
    assert [each.message_id for each in result.results] == ids
    assert [each.status for each in result.results] == [
        "replayed",
        "stuck",
        "failed",
        "stuck",
        "failed",
    ]
    errors = [each.error and each.error.split(":")[0] for each in result.results]
    assert errors == [
        None,
        "RETRY_IN_PROGRESS",
        "PAYLOAD_UNAVAILABLE",
        "DELIVERY_IN_PROGRESS",
        "NOT_FOUND",
    ]
    hook.opened.set()
    await scene.comes_to(flying, "succeeded")
    await scene.comes_to(failed, "succeeded", attempts=2)
    for bad in ([], [UNKNOWN_MESSAGE] * 101):
        await refused(client.replay_batch_messages(bad), 400, "INVALID_REQUEST")
