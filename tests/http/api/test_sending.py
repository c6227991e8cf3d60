"""Contract section 3 over HTTP: what is accepted, what is refused, what is delivered."""

import json
from pathlib import Path
from typing import Any

import pytest

from .harness import Answer, Api, running_api

UNKNOWN = "ep_" + "0" * 32
MIB = 1_048_576


async def send_text(api: Api, endpoint_id: str, payload: str) -> Answer:
    """Send a payload whose text is exactly this."""
    body = f'{{"endpoint_id": "{endpoint_id}", "payload": {payload}}}'
    return await api.post("/v1/webhooks/send", body=body.encode())


@pytest.mark.parametrize(
    "payload",
    [
        '{"b": 1.0, "a": 1e2,  "c":[ ]}',
        "123456789012345678901234567890",
        "-0.0",
        '"caf\u00e9 \\u0061 \U0001f600 \\ud83d\\ude00"',
        "null",
        "true",
        "[]",
        "{\n\t}",
        '{"a":' * 99 + "1" + "}" * 99,
    ],
)
async def test_the_payload_is_delivered_byte_for_byte(api: Api, payload: str) -> None:
    """Any JSON value, with its own spacing, number formats and escapes."""
    endpoint_id = await api.endpoint(paused=False)
    accepted = await send_text(api, endpoint_id, payload)
    assert accepted.status == 202
    assert set(accepted.data) == {"message_id", "status"}
    assert accepted.data["status"] == "queued"
    [request] = await api.receiver.received(1)
    assert request.body == payload.encode()
    kept = await api.get(f"/v1/messages/{accepted.data['message_id']}/payload")
    assert kept.body == payload.encode()
    assert kept.headers["Content-Type"] == "application/json"


async def test_a_message_to_a_paused_endpoint_is_accepted_and_held(api: Api) -> None:
    """The answer is `queued` all the same; the message reads `paused`."""
    endpoint_id = await api.endpoint()
    accepted = await api.send(endpoint_id=endpoint_id, payload={})
    assert accepted.data["status"] == "queued"
    message = (await api.get(f"/v1/messages/{accepted.data['message_id']}")).data
    assert message["status"] == "paused"
    assert api.receiver.requests == []


async def test_the_same_key_and_payload_make_one_message(api: Api) -> None:
    """The original id comes back with 202; another payload is 409; the scope is the endpoint."""
    endpoint_id, other_id = await api.endpoint(), await api.endpoint()
    fields = {"payload": {"a": 1}, "idempotency_key": "order-1_A"}
    first = await api.send(endpoint_id=endpoint_id, **fields)
    again = await api.send(endpoint_id=endpoint_id, **fields)
    assert (again.status, again.data) == (202, first.data)
    answer = await api.send(endpoint_id=endpoint_id, **{**fields, "payload": {"a": 2}})
    assert answer.refusal == (409, "IDEMPOTENCY_MISMATCH")
    assert answer.error["message"] == "Idempotency key already used with different payload"
    elsewhere = await api.send(endpoint_id=other_id, **fields)
    assert elsewhere.data["message_id"] != first.data["message_id"]
    assert api.stored("messages") == 2


@pytest.mark.parametrize(
    "endpoint_id", ["ep_nonexistent_12345", UNKNOWN, "ep_", "ep_\u0000", "ep_é"]
)
async def test_an_unknown_endpoint_is_not_found(api: Api, endpoint_id: str) -> None:
    """Whatever begins as an id does is 404, as the official clients expect."""
    answer = await api.send(endpoint_id=endpoint_id, payload={})
    assert answer.refusal == (404, "ENDPOINT_NOT_FOUND")
    assert api.stored("messages") == 0


@pytest.mark.parametrize("endpoint_id", ["", "nonsense", "EP_" + "0" * 32])
async def test_what_cannot_be_an_endpoint_id_is_refused(api: Api, endpoint_id: str) -> None:
    """400 with the form."""
    answer = await api.send(endpoint_id=endpoint_id, payload={})
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert answer.error["message"] == "endpoint_id must be in format ep_xxx"


async def test_another_projects_endpoint_is_an_unknown_one(api: Api) -> None:
    """Neither single sends nor batches reach it; a deleted endpoint is as unknown."""
    mine = await api.endpoint()
    other = await api.other_project()
    body = {"endpoint_id": mine, "payload": 1}
    answer = await api.post("/v1/webhooks/send", json=body, key=other)
    assert answer.refusal == (404, "ENDPOINT_NOT_FOUND")
    batch = await api.post("/v1/webhooks/send-batch", json={"messages": [body]}, key=other)
    assert batch.data[0]["error"]["code"] == "ENDPOINT_NOT_FOUND"
    await api.request("DELETE", f"/v1/endpoints/{mine}")
    answer = await api.post("/v1/webhooks/send", json=body)
    assert answer.refusal == (404, "ENDPOINT_NOT_FOUND")
    assert api.stored("messages") == 0


async def test_the_payload_may_be_a_mebibyte_and_not_a_byte_more(api: Api) -> None:
    """1,048,576 bytes as sent are accepted, one more is 400 `PAYLOAD_TOO_LARGE`."""
    endpoint_id = await api.endpoint()
    accepted = await send_text(api, endpoint_id, '"' + "x" * (MIB - 2) + '"')
    assert accepted.status == 202
    for size in (MIB + 1, MIB + 5000, 3 * MIB):
        answer = await send_text(api, endpoint_id, '"' + "x" * (size - 2) + '"')
        assert answer.refusal == (400, "PAYLOAD_TOO_LARGE")
        assert answer.error["details"] == {"field": "payload", "maximum": MIB}
    assert api.stored("messages") == 1


async def test_the_largest_message_with_the_largest_headers_is_accepted(api: Api) -> None:
    """The limit of a body leaves room for both, even if every header byte is escaped."""
    endpoint_id = await api.endpoint()
    value = "\\u0061" * (8192 - len("X-Long"))
    body = (
        f'{{"endpoint_id": "{endpoint_id}", "headers": {{"X-Long": "{value}"}}, '
        f'"payload": "{"x" * (MIB - 2)}"}}'
    )
    assert (await api.post("/v1/webhooks/send", body=body.encode())).status == 202


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "AUTHORIZATION",
        "Cookie",
        "content-length",
        "Content-Type",
        "Content-Encoding",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "Proxy-Authorization",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "X-Webhook-Id",
        "webhook-signature",
        "X-Forwarded-For",
        "Forwarded",
    ],
)
async def test_a_reserved_header_is_refused(api: Api, name: str) -> None:
    """In any case, with a message and with an endpoint."""
    endpoint_id = await api.endpoint()
    for answer in (
        await api.send(endpoint_id=endpoint_id, payload=1, headers={name: "x"}),
        await api.post(
            "/v1/endpoints", json={"url": "https://public.example/2", "headers": {name: "x"}}
        ),
        await api.request("PATCH", f"/v1/endpoints/{endpoint_id}", json={"headers": {name: "x"}}),
    ):
        assert answer.refusal == (400, "INVALID_HEADERS")
        assert answer.error["message"] == (f"header '{name}' is forbidden and cannot be overridden")
    assert (api.stored("messages"), api.stored("endpoints")) == (0, 1)


@pytest.mark.parametrize(
    "headers",
    [
        {"": "x"},
        {"X Y": "x"},
        {"X:Y": "x"},
        {"X\r\nY": "x"},
        {"Xé": "x"},
        {"X(": "x"},
        {"X": "a\r\nInjected: b"},
        {"X": "a\nb"},
        {"X": "a\x00b"},
        {"X": "a\x7f"},
        {"X": "é"},
        {"X": " padded "},
        {"X-A": "1", "x-a": "2"},
        {f"X-{number}": "" for number in range(51)},
        {"X-Long": "x" * 8192},
    ],
)
async def test_headers_that_cannot_be_sent_are_refused(api: Api, headers: dict[str, str]) -> None:
    """Non-token names, control characters, duplicates, too many, too long."""
    endpoint_id = await api.endpoint()
    answer = await api.send(endpoint_id=endpoint_id, payload=1, headers=headers)
    assert answer.refusal == (400, "INVALID_HEADERS")
    created = await api.post(
        "/v1/endpoints", json={"url": "https://public.example/2", "headers": headers}
    )
    assert created.refusal == (400, "INVALID_HEADERS")
    assert (api.stored("messages"), api.stored("endpoints")) == (0, 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("endpoint_id", 5),
        ("endpoint_id", None),
        ("endpoint_id", ["ep_"]),
        ("headers", []),
        ("headers", "X: y"),
        ("headers", {"X": 1}),
        ("headers", {"X": None}),
        ("headers", {"X": ["a"]}),
        ("idempotency_key", ""),
        ("idempotency_key", "x" * 256),
        ("idempotency_key", "a b"),
        ("idempotency_key", "ключ"),
        ("idempotency_key", "a\n"),
        ("idempotency_key", 5),
        ("retention_hours", -1),
        ("retention_hours", 1.5),
        ("retention_hours", "1"),
        ("retention_hours", True),
        ("retention_hours", 10**30),
    ],
)
async def test_a_field_of_the_wrong_type_or_form_is_named(
    api: Api, field: str, value: object
) -> None:
    """400 `INVALID_REQUEST` with the field; nothing is stored, alone or in a batch."""
    endpoint_id = await api.endpoint()
    body: dict[str, object] = {"endpoint_id": endpoint_id, "payload": {}, field: value}
    answer = await api.send(**body)
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert answer.error["details"]["field"] == field
    batch = await api.post("/v1/webhooks/send-batch", json={"messages": [body]})
    assert batch.data[0]["error"]["code"] == "INVALID_REQUEST"
    assert api.stored("messages") == 0


@pytest.mark.parametrize("field", ["endpoint_id", "payload"])
async def test_what_is_required_is_named(api: Api, field: str) -> None:
    """A send without endpoint or payload is refused; null is a payload."""
    body = {"endpoint_id": await api.endpoint(), "payload": None}
    assert (await api.send(**body)).status == 202
    del body[field]
    answer = await api.send(**body)
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert answer.error["details"] == {"field": field}


async def test_what_is_optional_may_be_null(api: Api) -> None:
    """Clients that write every field send null for what they do not use."""
    answer = await api.send(
        endpoint_id=await api.endpoint(),
        payload=1,
        headers=None,
        idempotency_key=None,
        retention_hours=None,
        unknown={"ignored": True},
    )
    assert answer.status == 202


async def test_the_bounds_themselves_are_accepted(api: Api) -> None:
    """50 headers, 8 KiB of them, 255 characters of key, no retention."""
    endpoint_id = await api.endpoint()
    for fields in (
        {"headers": {f"X-{number}": "" for number in range(50)}},
        {"headers": {"X-Long": "x" * (8192 - len("X-Long"))}},
        {"idempotency_key": "k" * 255},
        {"retention_hours": 0},
    ):
        body: dict[str, Any] = {"endpoint_id": endpoint_id, "payload": 1, **fields}
        assert (await api.send(**body)).status == 202


async def test_a_batch_answers_message_by_message(api: Api) -> None:
    """In order, good and bad ones side by side, whatever is wrong with the bad ones."""
    endpoint_id = await api.endpoint()
    good = {"endpoint_id": endpoint_id, "payload": {"n": 1}}
    messages: list[object] = [
        good,
        {**good, "endpoint_id": UNKNOWN},
        {**good, "idempotency_key": "k"},
        {**good, "idempotency_key": "k"},
        {**good, "idempotency_key": "k", "payload": 2},
        {**good, "headers": {"Host": "x"}},
        "nonsense",
        {**good, "payload": "x" * MIB},
        {"endpoint_id": endpoint_id},
        good,
    ]
    answer = await api.post("/v1/webhooks/send-batch", json={"messages": messages})
    assert answer.status == 202
    slots = answer.data
    codes = [slot["error"]["code"] if "error" in slot else slot["status"] for slot in slots]
    assert codes == [
        "queued",
        "ENDPOINT_NOT_FOUND",
        "queued",
        "queued",
        "IDEMPOTENCY_MISMATCH",
        "INVALID_HEADERS",
        "INVALID_REQUEST",
        "PAYLOAD_TOO_LARGE",
        "INVALID_REQUEST",
        "queued",
    ]
    assert slots[2] == slots[3]
    assert api.stored("messages") == 3


async def test_a_batch_keeps_the_bytes_of_each_payload(api: Api) -> None:
    """Also when the batch has to be read message by message."""
    endpoint_id = await api.endpoint()
    item = f'{{ "endpoint_id":"{endpoint_id}","payload": [1.0 , "é]" ] }}'
    for text in (f"[{item}]", f"[ 5 , {item} ,{item}\n]"):
        body = f'{{"messages": {text} }}'.encode()
        answer = await api.post("/v1/webhooks/send-batch", body=body)
        message_id = answer.data[-1]["message_id"]
        kept = await api.get(f"/v1/messages/{message_id}/payload")
        assert kept.body.decode() == '[1.0 , "é]" ]'


@pytest.mark.parametrize(
    "messages",
    [None, {}, "x", [], [1] * 1001, [[]] * 5000],
)
async def test_a_batch_has_one_to_a_thousand_messages(api: Api, messages: object) -> None:
    """Nothing else is a batch, and none of it is stored."""
    answer = await api.post("/v1/webhooks/send-batch", json={"messages": messages})
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert answer.error["details"]["field"] == "messages"
    endpoint_id = await api.endpoint()
    many = [{"endpoint_id": endpoint_id, "payload": 1}] * 1001
    answer = await api.post("/v1/webhooks/send-batch", json={"messages": many})
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert api.stored("messages") == 0


async def test_a_batch_of_a_thousand_is_accepted(api: Api) -> None:
    """1,000 messages, in acceptance order."""
    endpoint_id = await api.endpoint()
    messages = [{"endpoint_id": endpoint_id, "payload": number} for number in range(1000)]
    answer = await api.post("/v1/webhooks/send-batch", json={"messages": messages})
    ids = [slot["message_id"] for slot in answer.data]
    newest = (await api.get("/v1/logs?limit=500")).data
    assert [entry["message_id"] for entry in newest] == ids[:499:-1]


async def test_a_message_of_a_batch_may_be_as_deep_as_a_single_one(api: Api) -> None:
    """100 levels of the message itself, the batch around it not counted."""
    endpoint_id = await api.endpoint()
    for depth, code in ((99, None), (100, "INVALID_REQUEST")):
        payload = json.loads("[" * depth + "]" * depth)
        body = {"endpoint_id": endpoint_id, "payload": payload}
        single = await api.send(**body)
        batch = await api.post("/v1/webhooks/send-batch", json={"messages": [body]})
        assert (single.status == 202) is (code is None)
        assert (batch.status == 202) is (code is None)


async def test_smaller_limits_hold_too(tmp_path: Path) -> None:
    """The limits are settings."""
    async with running_api(tmp_path, payload_bytes_max=10, headers_count_max=1) as api:
        endpoint_id = await api.endpoint()
        assert (await send_text(api, endpoint_id, '"12345678"')).status == 202
        answer = await send_text(api, endpoint_id, '"123456789"')
        assert answer.refusal == (400, "PAYLOAD_TOO_LARGE")
        answer = await api.send(endpoint_id=endpoint_id, payload=1, headers={"A": "", "B": ""})
        assert answer.refusal == (400, "INVALID_HEADERS")
