"""What is answered to a webhook in each framework, by the framework itself."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Annotated

import aiohttp
import httpx
import pytest
from aiohttp import web
from fastapi import Depends, FastAPI
from flask import Flask, request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sluicegate.engine.signing import signature_headers
from sluicegate.integrations.receiving import ReceivedWebhook
from sluicegate.integrations.receiving import aiohttp as in_aiohttp
from sluicegate.integrations.receiving import flask as in_flask
from sluicegate.integrations.receiving import starlette as in_starlette

SECRET = "whsec_" + "A" * 43 + "="
OTHER = "whsec_" + "B" * 43 + "="
LONGEST = 100

Delivery = tuple[dict[str, str], bytes]
Answer = tuple[int, str]


def delivery(
    *, secret: str = SECRET, late_s: int = 0, body: bytes = b'{"n":1}', arrives: bytes | None = None
) -> Delivery:
    """Return the headers and the body of a request."""
    at_s = int(time.time()) - late_s  # noqa: TID251 - the receivers ask the machine's clock
    signed = signature_headers(message_id="m-1", timestamp_s=at_s, body=body, secrets=[secret])
    return {**dict(signed), "Content-Type": "application/json"}, arrives or body


def deliveries() -> list[tuple[Delivery, int]]:
    """Return what may come, and the status that each is answered with."""
    longest, too_long = (json.dumps("x" * (size - 2)).encode() for size in (LONGEST, LONGEST + 1))
    unsigned = {"Content-Type": "application/json"}, b"{}"
    return [
        (delivery(), 200),
        (delivery(body=longest), 200),
        (delivery(arrives=b'{"n":2}'), 401),
        (delivery(secret=OTHER), 401),
        (delivery(late_s=400), 401),
        (unsigned, 400),
        (delivery(body=too_long), 413),
        (delivery(body=too_long * 1000), 413),
    ]


def by_client(app: Starlette, sent: list[Delivery]) -> list[Answer]:
    """Post to an ASGI application."""

    async def post() -> list[Answer]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            answers = [
                await client.post("/hook", headers=headers, content=body) for headers, body in sent
            ]
        return [(answer.status_code, answer.text) for answer in answers]

    return asyncio.run(post())


def in_fastapi(sent: list[Delivery]) -> list[Answer]:
    """A dependency."""
    app = FastAPI()
    hooked = in_starlette.webhook([OTHER[:-3] + "CA=", SECRET], body_bytes_max=LONGEST)

    @app.post("/hook")
    async def hook(received: Annotated[ReceivedWebhook, Depends(hooked)]) -> str:
        return received.message_id

    return by_client(app, sent)


def in_plain_starlette(sent: list[Delivery]) -> list[Answer]:
    """A call."""

    async def hook(request: Request) -> PlainTextResponse:
        received = await in_starlette.receive(request, SECRET, body_bytes_max=LONGEST)
        return PlainTextResponse(received.message_id)

    return by_client(Starlette(routes=[Route("/hook", hook, methods=["POST"])]), sent)


def in_aiohttps_server(sent: list[Delivery]) -> list[Answer]:
    """A call, in a server on loopback."""

    async def hook(request: web.Request) -> web.Response:
        received = await in_aiohttp.receive(request, SECRET, body_bytes_max=LONGEST)
        return web.Response(text=received.message_id)

    async def run() -> list[Answer]:
        app = web.Application()
        app.router.add_post("/hook", hook)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        answers = []
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            for headers, body in sent:
                async with client.post("/hook", headers=headers, data=body) as answer:
                    answers.append((answer.status, await answer.text()))
        await runner.cleanup()
        return answers

    return asyncio.run(run())


def in_flasks_request(sent: list[Delivery]) -> list[Answer]:
    """A call, about the current request, which can be read afterwards."""
    app = Flask("shop")

    @app.post("/hook")
    def hook() -> str:
        received = in_flask.receive(SECRET, body_bytes_max=LONGEST)
        assert request.json == received.json()
        return received.message_id

    client = app.test_client()
    answers = [client.post("/hook", headers=headers, data=body) for headers, body in sent]
    return [(answer.status_code, answer.text) for answer in answers]


DJANGO = """
import asyncio, json, sys
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"], MIDDLEWARE=[
    "django.middleware.csrf.CsrfViewMiddleware"])
import django
django.setup()
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from sluicegate.integrations.receiving.django import webhook
secret, longest, kind, sent = json.load(sys.stdin)

@webhook(secret, body_bytes_max=longest)
def hook(request, received, shop):
    return HttpResponse(received.message_id)

@webhook(secret, body_bytes_max=longest)
async def later(request, received, shop):
    return HttpResponse(received.message_id)

urlpatterns = [path("<str:shop>/hook", hook), path("<str:shop>/later", later)]

async def post(headers, body):
    client = AsyncClient(enforce_csrf_checks=True)
    return await client.post("/a/later", body, content_type="application/json", headers=headers)

answers = []
for headers, body in sent:
    if kind == "async":
        answer = asyncio.run(post(headers, body))
    else:
        answer = Client(enforce_csrf_checks=True).post(
            "/a/hook", body, content_type="application/json", headers=headers)
    answers.append((answer.status_code, answer.content.decode()))
print(json.dumps(answers))
"""


def by_django(kind: str) -> Callable[[list[Delivery]], list[Answer]]:
    """Return what runs a project in a process of its own: Django is set up once in each."""

    def run(sent: list[Delivery]) -> list[Answer]:
        given = [(headers, body.decode()) for headers, body in sent]
        done = subprocess.run(  # noqa: S603 - our own interpreter, the program above
            [sys.executable, "-c", DJANGO],
            input=json.dumps([SECRET, LONGEST, kind, given]),
            capture_output=True,
            text=True,
            check=True,
        )
        return [(status, text) for status, text in json.loads(done.stdout)]

    return run


FRAMEWORKS = {
    "FastAPI": in_fastapi,
    "Starlette": in_plain_starlette,
    "aiohttp": in_aiohttps_server,
    "Flask": in_flasks_request,
    "Django": by_django("sync"),
    "Django, asynchronous": by_django("async"),
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_is_not_to_be_believed_never_reaches_the_handler(framework: str) -> None:
    """401 without proof, 400 if malformed, 413 if too long; the rest is handled."""
    sent = deliveries()
    answers = FRAMEWORKS[framework]([each for each, _ in sent])
    assert [status for status, _ in answers] == [status for _, status in sent]
    for (status, text), ((headers, _), _) in zip(answers, sent, strict=True):
        assert ("m-1" in text) == (status == 200)
        assert headers.get("webhook-signature", "v1,none")[3:] not in text


def test_who_only_receives_loads_no_engine() -> None:
    """Half a second of imports is for those who send."""
    program = (
        "import sys, sluicegate.integrations.receiving.flask\n"
        "print([name for name in sys.modules if name in ('sluicegate.app', 'aiosqlite')])"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter, the program above
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
