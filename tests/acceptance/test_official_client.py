"""The official client, sync and async and unmodified, drives a real server."""

import base64
import functools
import hashlib
import hmac
import uuid
from collections.abc import Callable

import hookbridge
import pytest
import standardwebhooks
from aiohttp import web
from hookbridge import AuthenticationError, HookBridgeError, IdempotencyError, NotFoundError

from .conftest import Client
from .harness import Delivery, Receiver, ServerProcess, api, until

PAYLOAD = {"event": "order.created", "order": {"id": 7, "total": "12.50"}}


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


async def succeeded(client: Client, message_id: str) -> bool:
    """Whether the message reads `succeeded`."""
    message = await client.get_message(message_id)
    return bool(message.status == "succeeded")


async def test_a_message_is_delivered_signed_and_recorded(
    client: Client, receiver: Receiver
) -> None:
    """Sections 3, 6 and 7: send, delivery with both signatures, message and attempts."""
    endpoint = await client.create_endpoint(
        receiver.url(), description="orders", headers={"X-Tenant": "a", "X-Both": "endpoint"}
    )
    assert endpoint.signing_secret.startswith("whsec_")
    assert len(base64.b64decode(endpoint.signing_secret.removeprefix("whsec_"))) == 32
    assert endpoint.key_hint == endpoint.signing_secret[-4:]
    sent = await client.send(
        endpoint.id, PAYLOAD, headers={"X-Both": "message"}, idempotency_key="order-7"
    )
    assert sent.status == "queued"
    assert uuid.UUID(sent.message_id).version == 7
    await receiver.wait_for_count(1)
    delivery = receiver.deliveries[0]
    verify(delivery, [endpoint.signing_secret])
    assert delivery.message_id == sent.message_id
    assert delivery.headers["content-type"] == "application/json"
    assert delivery.headers["user-agent"].startswith("Sluicegate/")
    assert delivery.headers["x-tenant"] == "a"
    assert delivery.headers["x-both"] == "message"
    assert delivery.headers["x-webhook-attempt"] == "1"

    await until(lambda: succeeded(client, sent.message_id))
    message = await client.get_message(sent.message_id)
    assert message.endpoint_id == endpoint.id
    assert message.attempt_count == 1
    assert message.replay_count == 0
    assert message.response_status == 200
    assert message.idempotency_key == "order-7"
    assert message.size_bytes == len(delivery.body)
    assert message.payload_sha256 == hashlib.sha256(delivery.body).hexdigest()
    attempts = await client.get_message_attempts(sent.message_id)
    assert [attempt.attempt_no for attempt in attempts.attempts] == [1]
    assert attempts.attempts[0].response_status == 200


async def test_an_idempotency_key_makes_one_message(client: Client, receiver: Receiver) -> None:
    """Section 3: the same payload gives the original id, another payload is refused."""
    endpoint = await client.create_endpoint(receiver.url())
    first = await client.send(endpoint.id, PAYLOAD, idempotency_key="once")
    again = await client.send(endpoint.id, PAYLOAD, idempotency_key="once")
    assert again.message_id == first.message_id
    with pytest.raises(IdempotencyError):
        await client.send(endpoint.id, {"another": 1}, idempotency_key="once")
    last = await client.send(endpoint.id, {"last": 1})
    await receiver.wait_for(
        lambda: any(delivery.message_id == last.message_id for delivery in receiver.deliveries)
    )
    assert [d.message_id for d in receiver.deliveries] == [first.message_id, last.message_id]


async def test_a_paused_endpoint_holds_its_messages_and_a_resume_lets_them_flow_in_order(
    client: Client, receiver: Receiver
) -> None:
    """Section 5: held while paused, requeued as counted, delivered in acceptance order."""
    endpoint = await client.create_endpoint(receiver.url())
    paused = await client.pause_endpoint(endpoint.id)
    assert paused.paused is True
    with pytest.raises(HookBridgeError) as refused:
        await client.pause_endpoint(endpoint.id)
    assert (refused.value.code, refused.value.status_code) == ("ALREADY_PAUSED", 409)
    assert (await client.get_endpoint(endpoint.id)).paused is True

    sent = [(await client.send(endpoint.id, {"n": n})).message_id for n in range(25)]
    for message_id in sent[:3]:
        assert (await client.get_message(message_id)).status == "paused"
    held = await client.get_logs(status="paused", limit=100)
    assert [entry.message_id for entry in held.messages] == sent[::-1]
    assert receiver.arrived == 0

    resumed = await client.resume_endpoint(endpoint.id)
    assert resumed.paused is False
    assert resumed.messages_requeued == len(sent)
    await receiver.wait_for_count(len(sent))
    with pytest.raises(HookBridgeError) as refused:
        await client.resume_endpoint(endpoint.id)
    assert (refused.value.code, refused.value.status_code) == ("NOT_PAUSED", 409)
    assert sorted(d.message_id for d in receiver.deliveries) == sorted(sent)


async def test_an_ordered_endpoint_delivers_what_was_held_one_after_the_other(
    server: ServerProcess, receiver: Receiver
) -> None:
    """Sections 4 and 7: `ordered: true` keeps acceptance order at the receiver, strictly."""
    async with api(server) as session:
        body = {"url": receiver.url(), "ordered": True}
        async with session.post("/v1/endpoints", json=body) as answer:
            endpoint_id = (await answer.json())["data"]["id"]
        await session.post(f"/v1/endpoints/{endpoint_id}/pause")
        sent = []
        for n in range(40):
            body = {"endpoint_id": endpoint_id, "payload": {"n": n}}
            async with session.post("/v1/webhooks/send", json=body) as answer:
                sent.append((await answer.json())["data"]["message_id"])
        async with session.post(f"/v1/endpoints/{endpoint_id}/resume") as answer:
            assert (await answer.json())["data"]["messages_requeued"] == len(sent)
        await receiver.wait_for_count(len(sent))
    assert [delivery.message_id for delivery in receiver.deliveries] == sent


async def test_a_failed_attempt_is_retried_with_the_same_id(
    client: Client, receiver: Receiver
) -> None:
    """Section 7: 5xx is retryable; the id stays, the attempt number and the signature are new."""
    answers = iter([500, 503])

    async def fail_twice(_request: web.Request, _body: bytes) -> web.StreamResponse:
        return web.Response(status=next(answers, 200), text="thanks")

    receiver.handler = fail_twice
    endpoint = await client.create_endpoint(receiver.url())
    sent = await client.send(endpoint.id, PAYLOAD)
    await receiver.wait_for_count(3)
    await until(lambda: succeeded(client, sent.message_id))
    assert {delivery.message_id for delivery in receiver.deliveries} == {sent.message_id}
    assert [d.headers["x-webhook-attempt"] for d in receiver.deliveries] == ["1", "2", "3"]
    for delivery in receiver.deliveries:
        verify(delivery, [endpoint.signing_secret])
    attempts = (await client.get_message_attempts(sent.message_id)).attempts
    assert [attempt.response_status for attempt in attempts] == [500, 503, 200]
    assert [attempt.attempt_no for attempt in attempts] == [1, 2, 3]


async def test_endpoints_are_listed_read_changed_and_deleted(
    client: Client, receiver: Receiver
) -> None:
    """Section 4 by the official client."""
    made = [await client.create_endpoint(receiver.url(f"/{n}")) for n in range(3)]
    page = await client.list_endpoints(limit=2)
    assert [endpoint.id for endpoint in page.endpoints] == [made[2].id, made[1].id]
    assert page.has_more
    rest = await client.list_endpoints(limit=2, cursor=page.next_cursor)
    assert [endpoint.id for endpoint in rest.endpoints] == [made[0].id]
    assert not rest.has_more

    await client.update_endpoint(
        made[0].id, description="changed", rate_limit_rps=50, burst=5, headers={"X-New": "1"}
    )
    endpoint = await client.get_endpoint(made[0].id)
    assert endpoint.description == "changed"
    assert (endpoint.rate_limit_rps, endpoint.burst) == (50, 5)
    assert endpoint.headers == {"X-New": "1"}
    assert endpoint.paused is False
    with pytest.raises(HookBridgeError) as refused:
        await client.create_endpoint(receiver.url("/1"))
    assert (refused.value.code, refused.value.status_code) == ("DUPLICATE_URL", 409)

    await client.delete_endpoint(made[0].id)
    with pytest.raises(NotFoundError):
        await client.get_endpoint(made[0].id)
    with pytest.raises(NotFoundError):
        await client.send(made[0].id, PAYLOAD)
    await client.create_endpoint(receiver.url("/0"))


async def test_two_signing_keys_sign_every_delivery_while_both_live(
    client: Client, receiver: Receiver
) -> None:
    """Sections 4 and 7: rotation, newest first, at most two, never none."""
    endpoint = await client.create_endpoint(receiver.url())
    rotated = await client.rotate_endpoint_secret(endpoint.id)
    await client.send(endpoint.id, PAYLOAD)
    await receiver.wait_for_count(1)
    verify(receiver.deliveries[0], [rotated.signing_secret, endpoint.signing_secret])
    with pytest.raises(HookBridgeError) as refused:
        await client.create_endpoint_signing_key(endpoint.id)
    assert (refused.value.code, refused.value.status_code) == ("MAX_SIGNING_KEYS_REACHED", 409)
    keys = await client.list_endpoint_signing_keys(endpoint.id)
    assert {key.id for key in keys} == {rotated.id, endpoint.signing_key_id}

    await client.delete_endpoint_signing_key(endpoint.id, endpoint.signing_key_id)
    await client.send(endpoint.id, PAYLOAD)
    await receiver.wait_for_count(2)
    verify(receiver.deliveries[1], [rotated.signing_secret])
    with pytest.raises(HookBridgeError) as refused:
        await client.delete_endpoint_signing_key(endpoint.id, rotated.id)
    assert (refused.value.code, refused.value.status_code) == ("CANNOT_DELETE_LAST_KEY", 409)


async def test_the_log_is_paged_newest_first(client: Client, receiver: Receiver) -> None:
    """Section 6: logs with status filter and cursor."""
    endpoint = await client.create_endpoint(receiver.url())
    sent = [(await client.send(endpoint.id, {"n": n})).message_id for n in range(5)]
    for message_id in sent:
        await until(functools.partial(succeeded, client, message_id))
    first = await client.get_logs(status="succeeded", limit=3)
    assert [entry.message_id for entry in first.messages] == sent[:1:-1]
    assert first.has_more
    rest = await client.get_logs(status="succeeded", limit=3, cursor=first.next_cursor)
    assert [entry.message_id for entry in rest.messages] == sent[1::-1]
    assert not rest.has_more
    assert first.messages[0].endpoint == receiver.url()


async def test_api_keys_are_made_used_and_deleted(
    client: Client, connect: Callable[[str], Client]
) -> None:
    """Section 6: a key is told once, works at once, and is gone at once."""
    made = await client.create_api_key("test", label="ci")
    assert made.key.startswith("sg_test_")
    assert made.prefix == made.key[:11]
    other = connect(made.key)
    listed = await other.list_api_keys()
    assert made.key_id in {key.key_id for key in listed}
    await client.delete_api_key(made.key_id)
    with pytest.raises(AuthenticationError):
        await other.list_api_keys()
    await other.aclose()
    (last,) = await client.list_api_keys()
    with pytest.raises(HookBridgeError) as refused:
        await client.delete_api_key(last.key_id)
    assert (refused.value.code, refused.value.status_code) == ("CANNOT_DELETE_LAST_KEY", 409)


async def test_errors_reach_the_clients_own_types(
    client: Client, connect: Callable[[str], Client]
) -> None:
    """Section 2 as the official client maps it."""
    stranger = connect("sg_live_" + "x" * 43)
    with pytest.raises(AuthenticationError):
        await stranger.list_endpoints()
    await stranger.aclose()
    with pytest.raises(NotFoundError):
        await client.send("ep_nonexistent_12345", PAYLOAD)
    with pytest.raises(NotFoundError):
        await client.get_message("01a20a79-c434-706a-b8a5-e48ad74818fd")
    with pytest.raises(NotFoundError):
        await client.get_endpoint("ep_" + "0" * 32)
    for url, code in [
        ("http://example.com/hook", "INVALID_ENDPOINT"),
        ("https://10.0.0.1/hook", "ENDPOINT_BLOCKED"),
        ("https://name.invalid/hook", "ENDPOINT_UNREACHABLE"),
    ]:
        with pytest.raises(HookBridgeError) as refused:
            await client.create_endpoint(url)
        assert (refused.value.code, refused.value.status_code) == (code, 400)
        assert refused.value.request_id is not None
        assert refused.value.request_id.startswith("req_")


def test_the_client_is_the_published_one() -> None:
    """The suite means something only against the release that it names."""
    assert hookbridge.__version__ == "2.0.0"
