"""Applications of three kinds receive what the real engine delivers."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import pytest
from aiohttp import web

from sluicegate.app import Engine
from sluicegate.simulation import ReceiverHost, Simulation

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]


class AsgiBooks:
    """A bare ASGI application that books each body."""

    def __init__(self, booked: list[bytes]) -> None:
        self.booked = booked
        self.messages: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self.messages.append((await receive())["type"])
            scope["state"]["booked"] = self.booked
            await send({"type": "lifespan.startup.complete"})
            self.messages.append((await receive())["type"])
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = b"", True
        while more:
            event = await receive()
            body += event["body"]
            more = event["more_body"]
        scope["state"]["booked"].append(body)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-y", b"1")]})
        await send({"type": "http.response.body", "body": b"ok ", "more_body": True})
        await send({"type": "http.response.body", "body": scope["path"].encode()})
        self.messages.append((await receive())["type"])


def wsgi_books(booked: list[bytes]) -> Callable[[], object]:
    """Return what makes a WSGI application that books each body."""

    def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        booked.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Y", "1")])
        return [b"ok ", environ["PATH_INFO"].encode()]

    return lambda: app


def aiohttp_books(booked: list[bytes]) -> Callable[[], web.Application]:
    """Return what makes an aiohttp application that books each body."""

    async def take(request: web.Request) -> web.Response:
        booked.append(await request.content.read())
        return web.Response(text=f"ok {request.path}", headers={"X-Y": "1"})

    def make() -> web.Application:
        app = web.Application()
        app.router.add_post("/hook", take)
        return app

    return make


MOUNTS: dict[str, Callable[[list[bytes]], dict[str, Any]]] = {
    "asgi": lambda booked: {"asgi": lambda: AsgiBooks(booked)},
    "wsgi": lambda booked: {"wsgi": wsgi_books(booked)},
    "aiohttp": lambda booked: {"aiohttp_app": aiohttp_books(booked)},
}


def send(simulation: Simulation, host: ReceiverHost, *payloads: object) -> str:
    """Send payloads to a new endpoint; return its signing secret."""

    async def act(engine: Engine) -> str:
        endpoint = await engine.create_endpoint(url=host.url)
        for payload in payloads:
            await engine.send(endpoint.id, payload)
        return endpoint.signing_secret

    return simulation.run(simulation.engine(retry_jitter=0, retry_slow_s=(60, 60, 60)).call(act))


@pytest.mark.parametrize("kind", MOUNTS)
def test_an_application_gets_the_payload_and_its_answer_is_taken(kind: str) -> None:
    """What is delivered, signed, is what the application reads; what it answers is recorded."""
    booked: list[bytes] = []
    with Simulation() as simulation:
        host = simulation.host("shop.example", **MOUNTS[kind](booked))
        secret = send(simulation, host, {"text": "é" * 100_000})
        simulation.advance(5)
        assert booked == [host.requests[0].body]
        (answer,) = host.answers
        assert (answer.status, answer.body) == (200, b"ok /hook")
        assert ("1") in dict(answer.headers).values()
        (request,) = host.requests
        assert request.is_signed_with(secret)
        assert not request.is_signed_with(secret[:-4] + "AAA=")
        assert not simulation.loop.problems
        assert not host.problems


@pytest.mark.parametrize("kind", MOUNTS)
def test_a_host_that_dies_before_its_answer_gets_the_message_again(kind: str) -> None:
    """The application acted, the answer never came: the engine cannot know, and sends again."""
    booked: list[bytes] = []
    with Simulation() as simulation:
        host = simulation.host("shop.example", **MOUNTS[kind](booked))
        host.crash_before_answer()
        send(simulation, host, {"n": 1})
        simulation.advance(1)
        assert (len(booked), host.is_up) == (1, False)
        simulation.advance(600)
        assert (len(booked), host.is_up) == (2, True)
        assert booked == [b'{"n":1}', b'{"n":1}']
        assert len({request.message_id for request in host.requests}) == 1
        assert [each.mishap for each in host.exchanges] == ["crash_before_answer", None]
        assert not simulation.loop.problems


def test_an_asgi_application_lives_from_startup_to_shutdown() -> None:
    """The lifespan is spoken, and after the answer nobody is there any more."""
    app = AsgiBooks([])
    with Simulation() as simulation:
        host = simulation.host("shop.example", asgi=app)
        send(simulation, host, 1)
        simulation.advance(5)
        host.stop()
        host.stop()
        assert not host.is_up
    assert app.messages == ["lifespan.startup", "http.disconnect", "lifespan.shutdown"]
