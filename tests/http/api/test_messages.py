"""Contract section 6 over HTTP: a message, its payload, its attempts, the log."""

import asyncio
import hashlib
from typing import Any
from urllib.parse import quote

import pytest

from .harness import WAIT_S, Api

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
REQUIRED = {
    "id",
    "project_id",
    "endpoint_id",
    "status",
    "attempt_count",
    "replay_count",
    "content_type",
    "size_bytes",
    "payload_sha256",
    "created_at",
    "updated_at",
}


async def settled(api: Api, message_id: str) -> Any:
    """Return a message once its attempt is recorded."""
    async with asyncio.timeout(WAIT_S):
        while True:
            message = (await api.get(f"/v1/messages/{message_id}")).data
            if message["status"] not in ("queued", "delivering"):
                return message


async def test_a_new_message_has_what_is_known_and_no_more(api: Api) -> None:
    """Optional fields are absent while they are unknown."""
    endpoint_id = await api.endpoint()
    sent = await api.send(endpoint_id=endpoint_id, payload={"a": 1})
    message = (await api.get(f"/v1/messages/{sent.data['message_id']}")).data
    assert set(message) == REQUIRED
    text = b'{"a": 1}'
    assert message["size_bytes"] == len(text)
    assert message["payload_sha256"] == hashlib.sha256(text).hexdigest()
    assert message["content_type"] == "application/json"
    assert (message["endpoint_id"], message["attempt_count"]) == (endpoint_id, 0)


async def test_a_delivered_message_tells_how_it_went(api: Api) -> None:
    """The fields of a success, and its attempt with every field of the contract."""
    endpoint_id = await api.endpoint(paused=False)
    sent = await api.send(
        endpoint_id=endpoint_id, payload=1, idempotency_key="key", retention_hours=5
    )
    message_id = sent.data["message_id"]
    message = await settled(api, message_id)
    assert set(message) == REQUIRED | {
        "idempotency_key",
        "response_status",
        "response_latency_ms",
        "delivered_at",
        "queue_wait_ms",
        "total_delivery_ms",
        "retention_hours",
    }
    assert (message["status"], message["attempt_count"]) == ("succeeded", 1)
    listed = await api.get(f"/v1/messages/{message_id}/attempts")
    assert listed.meta["has_more"] is False
    [attempt] = listed.data
    assert set(attempt) == {
        "id",
        "attempt_no",
        "created_at",
        "response_status",
        "response_latency_ms",
        "processing_ms",
        "error_text",
        "response_headers",
        "retry_type",
        "retry_after_seconds",
        "resolved_ip",
        "request_headers",
        "dns_ms",
        "tcp_connect_ms",
        "tls_handshake_ms",
        "ttfb_ms",
        "transfer_ms",
        "conn_reused",
        "response_body",
        "response_body_truncated",
    }
    assert (attempt["attempt_no"], attempt["response_status"]) == (1, 200)
    assert attempt["response_body"] == "thanks"
    assert (attempt["dns_ms"], attempt["tcp_connect_ms"], attempt["tls_handshake_ms"]) == (
        0,
        2,
        None,
    )
    assert attempt["request_headers"]["X-Webhook-Id"] == message_id


async def test_a_failed_message_tells_why(api: Api) -> None:
    """`last_error` and the status; the log has them too."""
    api.receiver.status = 404
    endpoint_id = await api.endpoint(paused=False)
    message_id = (await api.send(endpoint_id=endpoint_id, payload=1)).data["message_id"]
    message = await settled(api, message_id)
    assert (message["status"], message["response_status"]) == ("failed_permanent", 404)
    assert message["last_error"]
    [entry] = (await api.get("/v1/logs?status=failed_permanent")).data
    assert entry["message_id"] == message_id
    assert entry["endpoint"] == "https://public.example/hooks/1"
    assert entry["last_error"] == message["last_error"]


MALFORMED = ["nonsense", "ep_1", "%00", "%ff", UNKNOWN.upper(), UNKNOWN + "0", "a%2Fb", "'--", "a}"]


@pytest.mark.parametrize("message_id", [UNKNOWN, *MALFORMED])
async def test_an_unknown_message_is_not_found(api: Api, message_id: str) -> None:
    """Whatever is no message of this project; its attempts are none, not an error."""
    for suffix in ("", "/payload"):
        answer = await api.get(f"/v1/messages/{message_id}{suffix}")
        assert answer.refusal == (404, "NOT_FOUND")
        assert answer.error["message"] == "Message not found"
    attempts = await api.get(f"/v1/messages/{message_id}/attempts")
    assert (attempts.status, attempts.data) == (200, [])
    assert attempts.meta["has_more"] is False


async def test_another_projects_message_is_an_unknown_one(api: Api) -> None:
    """By id, by payload, by attempts and in the log."""
    sent = await api.send(endpoint_id=await api.endpoint(), payload=1)
    path = f"/v1/messages/{sent.data['message_id']}"
    other = await api.other_project()
    assert (await api.get(path, key=other)).refusal == (404, "NOT_FOUND")
    assert (await api.get(f"{path}/payload", key=other)).refusal == (404, "NOT_FOUND")
    assert (await api.get(f"{path}/attempts", key=other)).data == []
    assert (await api.get("/v1/logs", key=other)).data == []


async def test_the_log_pages_neither_skip_nor_repeat(api: Api) -> None:
    """Newest first, stable while messages are added; entries have the contract's fields."""
    endpoint_id = await api.endpoint()
    ids = []
    for number in range(7):
        sent = await api.send(endpoint_id=endpoint_id, payload=number)
        ids.append(sent.data["message_id"])
    page = await api.get("/v1/logs?limit=3&status=paused")
    assert set(page.data[0]) == {"message_id", "endpoint", "status", "attempt_count", "created_at"}
    seen = [entry["message_id"] for entry in page.data]
    await api.send(endpoint_id=endpoint_id, payload="new")
    while page.meta["has_more"]:
        cursor = page.meta["next_cursor"]
        page = await api.get(f"/v1/logs?limit=3&status=paused&cursor={cursor}")
        seen += [entry["message_id"] for entry in page.data]
    assert page.meta["next_cursor"] is None
    assert seen == ids[::-1]


async def test_the_log_is_filtered_by_endpoint_and_time(api: Api) -> None:
    """`start_time` is inclusive, `end_time` exclusive; any offset, or none, is understood."""
    endpoint_id, other_id = await api.endpoint(), await api.endpoint()
    await api.send(endpoint_id=endpoint_id, payload=1)
    await api.send(endpoint_id=other_id, payload=2)
    [entry] = (await api.get(f"/v1/logs?endpoint_id={endpoint_id}")).data
    assert entry["endpoint"] == "https://public.example/hooks/1"
    assert (await api.get(f"/v1/logs?endpoint_id=ep_{'0' * 32}")).data == []
    moment = entry["created_at"]
    scope = f"endpoint_id={endpoint_id}"
    for text in (moment, moment.replace("Z", "+00:00"), moment.removesuffix("Z")):
        text = quote(text)  # noqa: PLW2901 - the same moment, as a query carries it
        assert len((await api.get(f"/v1/logs?{scope}&start_time={text}")).data) == 1
        assert len((await api.get(f"/v1/logs?{scope}&end_time={text}")).data) == 0


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "limit=1&limit=2",
        "status=nonsense",
        "status=",
        "status=queued&status=queued",
        "endpoint_id=nonsense",
        "endpoint_id=ep_1",
        "endpoint_id=%00",
        "start_time=yesterday",
        "start_time=",
        "start_time=2026-13-01T00:00:00Z",
        "end_time=99999999999999999999",
        "end_time=%ff",
        "cursor=nonsense",
        "cursor=" + "A" * 22,
        "cursor=" + "_" * 22,
    ],
)
async def test_a_bad_filter_is_refused(api: Api, query: str) -> None:
    """400 `INVALID_REQUEST`, and the parameter is named."""
    answer = await api.get(f"/v1/logs?{query}")
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert query.partition("=")[0] in answer.error["message"]


async def test_a_cursor_is_bound_to_its_filters(api: Api) -> None:
    """With another filter, or in another project, it is refused."""
    endpoint_id = await api.endpoint()
    for _ in range(2):
        await api.send(endpoint_id=endpoint_id, payload=1)
    cursor = (await api.get("/v1/logs?limit=1&status=paused")).meta["next_cursor"]
    other = await api.other_project()
    for query, key in (
        ("limit=1", None),
        ("status=queued", None),
        (f"status=paused&endpoint_id={endpoint_id}", None),
        ("status=paused&start_time=2026-01-01T00:00:00Z", None),
        ("status=paused", other),
    ):
        answer = await api.get(f"/v1/logs?{query}&cursor={cursor}", key=key)
        assert answer.refusal == (400, "INVALID_REQUEST"), query
    again = await api.get(f"/v1/logs?limit=5&status=paused&cursor={cursor}")
    assert len(again.data) == 1
