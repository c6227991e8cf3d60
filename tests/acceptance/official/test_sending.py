"""Sends, messages and attempts: contract sections 3, 6 and 7."""

import base64
import hashlib
import hmac
import uuid

import pytest
import standardwebhooks
from hookbridge import IdempotencyError, NotFoundError

from ..harness import Delivery
from .adapter import refused
from .scene import PAYLOAD, UNKNOWN_ENDPOINT, UNKNOWN_MESSAGE, Scene
from .walks import meets, walks

pytestmark = pytest.mark.asyncio(loop_scope="package")


def verify(delivery: Delivery, secrets: list[str]) -> None:
    """Check both signature forms; `secrets` newest first, as they must stand."""
    for secret in secrets:
        standardwebhooks.Webhook(secret).verify(delivery.body, dict(delivery.headers))
    assert len(delivery.headers["webhook-signature"].split()) == len(secrets)
    timestamp = delivery.headers["x-webhook-timestamp"]
    signed = timestamp.encode() + b"." + delivery.body
    expected = [
        "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        for secret in secrets
    ]
    assert delivery.headers["x-webhook-signature"] == ",".join(expected)
    assert delivery.headers["x-webhook-id"] == delivery.headers["webhook-id"]
    assert delivery.headers["x-webhook-timestamp"] == delivery.headers["webhook-timestamp"]


@walks("create_endpoint", "send", "get_message", "get_message_attempts")
async def test_a_message_is_delivered_signed_and_recorded(scene: Scene) -> None:
    """Send, delivery with both signatures, the message and its attempt."""
    client = scene.client
    endpoint, hook = await scene.endpoint(
        description="orders", headers={"X-Tenant": "a", "X-Both": "endpoint"}
    )
    assert (endpoint.url, endpoint.description) == (hook.url, "orders")
    assert scene.is_recent(endpoint.created_at)
    assert endpoint.signing_secret.startswith("whsec_")
    assert len(base64.b64decode(endpoint.signing_secret.removeprefix("whsec_"))) == 32
    assert endpoint.key_hint == endpoint.signing_secret[-4:]
    sent = await client.send(
        endpoint.id, PAYLOAD, headers={"X-Both": "message"}, idempotency_key="order-7"
    )
    assert sent.status == "queued"
    assert uuid.UUID(sent.message_id).version == 7
    (delivery,) = await hook.wait_for_count(1)
    verify(delivery, [endpoint.signing_secret])
    assert delivery.message_id == sent.message_id
    assert delivery.headers["content-type"] == "application/json"
    assert delivery.headers["user-agent"].startswith("Sluicegate/")
    assert delivery.headers["x-tenant"] == "a"
    assert delivery.headers["x-both"] == "message"
    assert delivery.headers["x-webhook-attempt"] == "1"

    message = await scene.comes_to(sent.message_id, "succeeded")
    assert (message.id, message.endpoint_id) == (sent.message_id, endpoint.id)
    assert message.project_id.startswith("proj_")
    assert (message.attempt_count, message.replay_count) == (1, 0)
    assert (message.response_status, message.idempotency_key) == (200, "order-7")
    assert (message.content_type, message.size_bytes) == ("application/json", len(delivery.body))
    assert message.payload_sha256 == hashlib.sha256(delivery.body).hexdigest()
    assert message.response_latency_ms >= 0
    assert (message.last_error, message.next_attempt_at, message.deleted_at) == (None, None, None)
    assert message.created_at <= message.updated_at
    assert scene.is_recent(message.created_at)
    listed = await client.get_message_attempts(sent.message_id)
    assert not listed.has_more
    (attempt,) = listed.attempts
    assert uuid.UUID(attempt.id).version == 7
    assert (attempt.attempt_no, attempt.response_status) == (1, 200)
    assert (attempt.retry_type, attempt.error_text, attempt.retry_after_seconds) == (None,) * 3
    assert attempt.resolved_ip == "127.0.0.1"
    sent_headers = {key.lower(): value for key, value in attempt.request_headers.items()}
    assert sent_headers["x-both"] == "message"
    answered = {key.lower(): value for key, value in attempt.response_headers.items()}
    assert answered["content-type"].startswith("text/plain")
    assert attempt.response_body_truncated is False
    assert (attempt.tls_handshake_ms is None) == attempt.conn_reused


@walks("send")
@meets("send", "IDEMPOTENCY_MISMATCH")
async def test_an_idempotency_key_makes_one_message(scene: Scene) -> None:
    """The same payload gives the original id, another payload is refused."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    first = await client.send(endpoint.id, PAYLOAD, idempotency_key="once")
    again = await client.send(endpoint.id, PAYLOAD, idempotency_key="once")
    assert again.message_id == first.message_id
    await refused(
        client.send(endpoint.id, {"another": 1}, idempotency_key="once"),
        409,
        "IDEMPOTENCY_MISMATCH",
        IdempotencyError,
    )
    last = await client.send(endpoint.id, {"last": 1})
    await scene.comes_to(last.message_id, "succeeded")
    await scene.comes_to(first.message_id, "succeeded")
    assert {each.message_id for each in hook.deliveries} == {first.message_id, last.message_id}
    assert len(hook.deliveries) == 2


@walks("get_message_attempts")
async def test_a_failed_attempt_is_retried_with_the_same_id(scene: Scene) -> None:
    """5xx is retryable; the id stays, the attempt number and the signature are new."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    hook.status = 503
    sent = await client.send(endpoint.id, PAYLOAD)
    await hook.wait_for_count(2)
    hook.status = 200
    message = await scene.comes_to(sent.message_id, "succeeded", attempts=2)
    deliveries = hook.deliveries
    assert {each.message_id for each in deliveries} == {sent.message_id}
    numbers = [int(each.headers["x-webhook-attempt"]) for each in deliveries]
    assert numbers == list(range(1, message.attempt_count + 1))
    for delivery in deliveries:
        verify(delivery, [endpoint.signing_secret])
    attempts = (await client.get_message_attempts(sent.message_id)).attempts
    assert [attempt.attempt_no for attempt in attempts] == numbers
    assert {attempt.response_status for attempt in attempts[:-1]} == {503}
    assert {attempt.retry_type for attempt in attempts[:-1]} == {"slow"}
    assert (attempts[-1].response_status, attempts[-1].retry_type) == (200, None)


@meets("send", "INVALID_REQUEST", "ENDPOINT_NOT_FOUND", "INVALID_HEADERS", "PAYLOAD_TOO_LARGE")
async def test_a_send_is_refused(scene: Scene) -> None:
    """An endpoint that is none or unknown, a bad key or header, too large a payload."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    for unknown in ("ep_nonexistent_12345", UNKNOWN_ENDPOINT):
        await refused(client.send(unknown, PAYLOAD), 404, "NOT_FOUND", NotFoundError)
    await refused(client.send("nonsense", PAYLOAD), 400, "INVALID_REQUEST")
    for key in ("has space", "x" * 256):
        call = client.send(endpoint.id, PAYLOAD, idempotency_key=key)
        await refused(call, 400, "INVALID_REQUEST")
    for header in ("Host", "authorization", "X-Webhook-Id", "Webhook-Signature", "a b"):
        call = client.send(endpoint.id, PAYLOAD, headers={header: "x"})
        await refused(call, 400, "INVALID_HEADERS")
    call = client.send(endpoint.id, {"x": "x" * 1_048_576})
    await refused(call, 400, "PAYLOAD_TOO_LARGE")
    kept = await client.send(endpoint.id, PAYLOAD)
    await scene.comes_to(kept.message_id, "succeeded")
    assert [each.message_id for each in hook.deliveries] == [kept.message_id]


@walks("get_message_attempts")
@meets("get_message", "NOT_FOUND")
async def test_an_unknown_message_is_not_found_and_has_no_attempts(scene: Scene) -> None:
    """The attempts of what is unknown are none, not an error."""
    for unknown in (UNKNOWN_MESSAGE, "nonsense"):
        await refused(scene.client.get_message(unknown), 404, "NOT_FOUND", NotFoundError)
        listed = await scene.client.get_message_attempts(unknown)
        assert (listed.attempts, listed.has_more) == ([], False)
