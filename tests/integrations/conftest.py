"""A receiver on loopback, an endpoint for it in the file that the documents' lines open."""

import asyncio
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

from sluicegate import Engine, Settings


class Receiver:
    """Answers every POST with 200 and keeps its body."""

    def __init__(self) -> None:
        self.bodies: Queue[bytes] = Queue()
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                bodies.put(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook"

    def next_body(self) -> bytes:
        """Wait for the next delivery."""
        return self.bodies.get(timeout=30)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that runs."""
    receiver = Receiver()
    thread = Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of the documents, whose file is in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    return Settings(database="webhooks.db", dev=True)


@pytest.fixture
def endpoint_id(settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> str:
    """An endpoint for the receiver, named by the environment as the documents have it."""

    async def create() -> str:
        async with Engine(settings) as engine:
            return (await engine.create_endpoint(receiver.url)).endpoint.id

    endpoint_id = asyncio.run(create())
    monkeypatch.setenv("ENDPOINT", endpoint_id)
    return endpoint_id
