"""The bytes that arrive are the bytes that were sent, whatever JSON they are."""

import io
import json

import pytest
import standardwebhooks
from aiohttp import web

from .harness import Receiver, ServerProcess, api

PAYLOADS = [
    b"1.0",
    b"123456789012345678901234567890",
    b"-0.0",
    b"1E+400",
    b'{"b": 1,  "a":\t[1.10, 2e5 ],\n "z" : {} }',
    rb'"\u00e9\u00E9 \/ \ud83d\ude00 \u0000"',
    '"é😀\u2028"'.encode(),
    b"null",
    b"[]",
    b'""',
    b"[" * 90 + b"]" * 90,
    b'"' + b"x" * (1024 * 1024 - 2) + b'"',
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
async def test_the_payload_arrives_byte_for_byte(
    server: ServerProcess, receiver: Receiver, payload: bytes
) -> None:
    """Section 3: number and key formatting, order, spaces and escapes are the producer's own."""
    async with api(server) as session:
        async with session.post("/v1/endpoints", json={"url": receiver.url()}) as answer:
            endpoint = (await answer.json())["data"]
        # The members stand in an order that the payload is neither first nor last in.
        body = b'{"ignored":{"payload":0}, "payload" : %s , "endpoint_id":"%s"}' % (
            payload,
            endpoint["id"].encode(),
        )
        async with session.post("/v1/webhooks/send", data=io.BytesIO(body)) as answer:
            assert answer.status == 202, await answer.text()
            message_id = (await answer.json())["data"]["message_id"]
        await receiver.wait_for_count(1)
        (delivery,) = receiver.deliveries
        assert delivery.body == payload
        if payload != b"1E+400":  # which Python's own json cannot take back
            secret = endpoint["signing_secret"]
            verified = standardwebhooks.Webhook(secret).verify(payload, dict(delivery.headers))
            assert json.dumps(verified) == json.dumps(json.loads(payload))
        async with session.get(f"/v1/messages/{message_id}/payload") as answer:
            assert await answer.read() == payload


async def test_a_receiver_that_redirects_is_not_followed(
    server: ServerProcess, receiver: Receiver
) -> None:
    """Section 7: a 3xx is a permanent failure, and nothing is sent elsewhere."""

    async def redirect(_request: web.Request, _body: bytes) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": receiver.url("/elsewhere")})

    receiver.handler = redirect
    async with api(server) as session:
        async with session.post("/v1/endpoints", json={"url": receiver.url()}) as answer:
            endpoint_id = (await answer.json())["data"]["id"]
        body = {"endpoint_id": endpoint_id, "payload": {}}
        async with session.post("/v1/webhooks/send", json=body) as answer:
            message_id = (await answer.json())["data"]["message_id"]
        await receiver.wait_for_count(1)
        path = f"/v1/messages/{message_id}"
        while True:
            async with session.get(path) as answer:
                message = (await answer.json())["data"]
            if message["status"] == "failed_permanent":
                break
    assert message["response_status"] == 307
    assert [delivery.path for delivery in receiver.deliveries] == ["/hook"]
