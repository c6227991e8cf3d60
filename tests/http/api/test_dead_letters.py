"""Contract section 6 over HTTP: the dead letter queue."""

from typing import Any

import pytest

from .harness import Api
from .lives import act, attempted, delete, ended, in_flight, message, pause, remove, sent

DLQ = "/v1/dlq/messages"


async def letters(api: Api, query: str = "", **options: Any) -> list[str]:
    """Return the ids on one page of the DLQ; checks the page."""
    answer = await api.get(f"{DLQ}?{query}", **options)
    assert set(answer.meta) == {"request_id"}
    assert set(answer.data) == {"messages", "has_more", "next_cursor"}
    assert answer.data["has_more"] == (answer.data["next_cursor"] is not None)
    return [letter["message_id"] for letter in answer.data["messages"]]


async def test_a_dead_letter_tells_what_the_log_tells_and_when_it_failed(api: Api) -> None:
    """The page has `has_more` and `next_cursor` inside `data`."""
    message_id = await ended(api, await api.endpoint(paused=False), "failed_permanent")
    found = await message(api, message_id)
    [letter] = (await api.get(DLQ)).data["messages"]
    [entry] = (await api.get("/v1/logs")).data
    assert letter == {**entry, "failed_at": found["updated_at"]}
    assert set(letter) == {
        "message_id",
        "endpoint",
        "status",
        "attempt_count",
        "created_at",
        "response_status",
        "response_latency_ms",
        "last_error",
        "failed_at",
    }
    assert letter["status"] == "failed_permanent"


async def test_only_what_was_given_up_and_is_not_deleted_is_listed(api: Api) -> None:
    """Newest message first; cancelled ones, and those of deleted endpoints, among them."""
    endpoint_id = await api.endpoint(paused=False)
    failed = await ended(api, endpoint_id, "failed_permanent")
    await ended(api, endpoint_id, "succeeded")
    gone = await ended(api, endpoint_id, "failed_permanent")
    cancelled = await ended(api, endpoint_id, "slow")
    await ended(api, endpoint_id, "slow")
    orphaned_id = await api.endpoint()
    orphan = await sent(api, orphaned_id)
    await sent(api, await api.endpoint())
    flying = await in_flight(api, await api.endpoint(paused=False))
    await delete(api, gone)
    await delete(api, flying)
    await act(api, cancelled, "cancel")
    await remove(api, orphaned_id)
    assert await letters(api) == [orphan, cancelled, failed]
    assert await letters(api, key=await api.other_project()) == []


async def test_pages_of_the_queue_neither_skip_nor_repeat(api: Api) -> None:
    """While messages fail, are replayed and are deleted."""
    endpoint_id = await api.endpoint(paused=False)
    ids = [await ended(api, endpoint_id, "failed_permanent") for _ in range(7)]
    page = (await api.get(f"{DLQ}?limit=2")).data
    seen = [letter["message_id"] for letter in page["messages"]]
    await ended(api, endpoint_id, "failed_permanent")
    await delete(api, ids[3])
    while page["has_more"]:
        page = (await api.get(f"{DLQ}?limit=2&cursor={page['next_cursor']}")).data
        seen += [letter["message_id"] for letter in page["messages"]]
    assert page["next_cursor"] is None
    assert seen == [message_id for message_id in ids[::-1] if message_id != ids[3]]


async def test_a_cursor_of_the_queue_is_its_own(api: Api) -> None:
    """Neither the log's nor another project's, though the messages be the same."""
    endpoint_id = await api.endpoint(paused=False)
    for _ in range(2):
        await ended(api, endpoint_id, "failed_permanent")
    cursor = (await api.get(f"{DLQ}?limit=1")).data["next_cursor"]
    logs = await api.get("/v1/logs?limit=1&status=failed_permanent")
    other = await api.other_project()
    for text, key in ((cursor, other), (logs.meta["next_cursor"], None)):
        answer = await api.get(f"{DLQ}?cursor={text}", key=key)
        assert answer.refusal == (400, "INVALID_REQUEST")
    refused = await api.get(f"/v1/logs?status=failed_permanent&cursor={cursor}")
    assert refused.refusal == (400, "INVALID_REQUEST")
    assert len(await letters(api, f"limit=5&cursor={cursor}")) == 1


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=",
        "limit=1&limit=1",
        "cursor=",
        "cursor=nonsense",
        "cursor=" + "A" * 32,
        "cursor=" + "A" * 2000,
        "cursor=%00",
        "cursor=a&cursor=a",
    ],
)
async def test_a_bad_page_is_refused(api: Api, query: str) -> None:
    """400, and the parameter is named. Up to 1000 are on a page."""
    answer = await api.get(f"{DLQ}?{query}")
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert query.partition("=")[0] in answer.error["message"]
    assert await letters(api, "limit=1000") == []


async def test_a_dead_letter_is_replayed_without_being_counted(api: Api) -> None:
    """It has left the queue then, and begins a new cycle."""
    message_id = await ended(api, await api.endpoint(paused=False), "failed_permanent")
    api.receiver.status = 200
    answer = await api.post(f"/v1/dlq/replay/{message_id}")
    assert (answer.status, answer.data) == (200, {"message_id": message_id, "status": "replayed"})
    found = await attempted(api, message_id, 2)
    assert (found["status"], found["replay_count"]) == ("succeeded", 0)
    assert await letters(api) == []


async def test_on_a_paused_endpoint_a_dead_letter_is_held(api: Api) -> None:
    """It reads `paused`, and nothing is sent until the resume."""
    endpoint_id = await api.endpoint(paused=False)
    message_id = await ended(api, endpoint_id, "failed_permanent")
    await pause(api, endpoint_id)
    assert (await api.post(f"/v1/dlq/replay/{message_id}")).status == 200
    assert (await message(api, message_id))["status"] == "paused"
    assert await letters(api) == []
    assert len(api.receiver.requests) == 1
    api.receiver.status = 200
    await api.post(f"/v1/endpoints/{endpoint_id}/resume")
    assert (await attempted(api, message_id, 2))["status"] == "succeeded"


async def test_what_is_not_in_the_queue_is_not_replayed_from_it(api: Api) -> None:
    """400 with the contract's sentence, whatever else it is."""
    endpoint_id = await api.endpoint(paused=False)
    gone = await ended(api, endpoint_id, "failed_permanent")
    await delete(api, gone)
    found = {
        gone: "failed_permanent",
        await ended(api, endpoint_id, "succeeded"): "succeeded",
        await ended(api, endpoint_id, "slow"): "pending_retry",
        await ended(api, endpoint_id, "fast"): "pending_retry",
        await sent(api, await api.endpoint()): "paused",
        await in_flight(api, await api.endpoint(paused=False)): "delivering",
    }
    for message_id, status in found.items():
        before = await message(api, message_id)
        answer = await api.post(f"/v1/dlq/replay/{message_id}")
        assert answer.refusal == (400, "INVALID_REQUEST")
        assert answer.error["message"] == (
            "message is not in DLQ (must have failed_permanent status)"
        )
        assert answer.error["details"] == {"current": status}
        assert await message(api, message_id) == before
