"""FastAPI and Starlette, themselves: the README's lines, and what hosts do beside them."""

import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.client import HTTPConnection as Client
from pathlib import Path
from threading import Thread
from typing import Annotated

import pytest
import uvicorn
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from sluicegate import Engine, Settings
from sluicegate.engine.errors import StorageLockedError
from sluicegate.integrations.starlette import engine_of, lifespan

from .conftest import Receiver
from .documented import block, lines_of, run_as_module

BODY = b'{"event":"order.created"}'


@contextmanager
def served(app: ASGIApp) -> Iterator[Client]:
    """Run an application in uvicorn, on a thread; yield a client of it."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="on", ws="none", log_config=None)
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    client = Client("127.0.0.1", listening.getsockname()[1], timeout=20)
    try:
        yield client
    finally:
        client.close()
        server.should_exit = True
        thread.join()
        listening.close()


def ask(client: Client, method: str, path: str) -> bytes:
    """Return the body of an answer that is 200."""
    client.request(method, path)
    answer = client.getresponse()
    assert answer.status == 200
    return answer.read()


@pytest.mark.usefixtures("endpoint_id")
def test_fewer_than_ten_lines_send_from_fastapi(tmp_path: Path, receiver: Receiver) -> None:
    """They deliver; stopped and started again, the same application delivers again."""
    code = block("README.md", "FastAPI, Starlette")
    assert lines_of(code) < 10
    app = run_as_module(code, tmp_path)["app"]
    assert isinstance(app, FastAPI)
    for _ in range(2):
        with served(app) as client:
            ask(client, "POST", "/orders")
            assert receiver.next_body() == BODY
    assert receiver.bodies.empty()


def test_the_engine_is_a_dependency_of_fastapi(
    settings: Settings, endpoint_id: str, receiver: Receiver
) -> None:
    """By annotation, without the request."""
    app = FastAPI(lifespan=lifespan(settings))

    @app.post("/orders")
    async def order(engine: Annotated[Engine, Depends(engine_of)]) -> str:
        return (await engine.send(endpoint_id, {"event": "order.created"})).message_id

    with served(app) as client:
        ask(client, "POST", "/orders")
        assert receiver.next_body() == BODY


def test_a_lifespan_of_the_hosts_own_goes_around(settings: Settings, endpoint_id: str) -> None:
    """Its state is beside the engine's, which is open until the host's own code has ended.

    A mounted application has the engine, too.
    """
    ends: list[str] = []

    @asynccontextmanager
    async def own(app: Starlette) -> AsyncIterator[dict[str, object]]:
        async with lifespan(settings)(app) as state:
            yield {**state, "name": "shop"}
            ends.append((await state["sluicegate"].get_endpoint(endpoint_id)).id)

    async def show(request: Request) -> JSONResponse:
        endpoint = await engine_of(request).get_endpoint(endpoint_id)
        return JSONResponse([request.state.name, endpoint.id])

    inner = Starlette(routes=[Route("/show", show)])
    app = Starlette(routes=[Mount("/inner", inner)], lifespan=own)
    with served(app) as client:
        assert json.loads(ask(client, "GET", "/inner/show")) == ["shop", endpoint_id]
        assert ends == []
    assert ends == [endpoint_id]


async def test_a_second_owner_of_the_file_does_not_start(settings: Settings) -> None:
    """As a second worker of the server would: it says so instead of delivering twice."""
    app = Starlette()
    async with lifespan(settings)(app):
        with pytest.raises(StorageLockedError):
            async with lifespan(settings)(app):
                pass


def test_an_application_without_the_lifespan_is_told_so() -> None:
    """With what is missing."""
    with pytest.raises(RuntimeError, match=r"lifespan=lifespan\(Settings"):
        engine_of(HTTPConnection({"type": "http", "app": Starlette()}))
