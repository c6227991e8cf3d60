"""A server as its users run it: a process of its own, and a receiver with real TLS."""

import asyncio
import contextlib
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
import msgspec
import trustme
from aiohttp import web

API_KEY = "sg_test_" + "k" * 43
WAIT_S = 50.0


class ServerProcess:
    """`sluicegate serve` in a process of its own."""

    def __init__(self, directory: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.database = directory / "sluicegate.db"
        self.url = ""
        self.log: list[dict[str, Any]] = []
        self._environment = dict(environment or {})
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def start(self) -> None:
        """Start it and wait until it says where it listens."""
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("SLUICEGATE_")
        }
        environment |= {"SLUICEGATE_BOOTSTRAP_API_KEY": API_KEY} | self._environment
        self.log.clear()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sluicegate",
            "serve",
            "--port",
            "0",
            "--database",
            str(self.database),
            env=environment,
            cwd=self.directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reader = asyncio.create_task(self._read(self._process))
        started = await self.logged("server.started")
        self.url = f"http://127.0.0.1:{started['port']}"

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = {"text": line.decode(errors="replace")}
            async with self._changed:
                self.log.append(event if isinstance(event, dict) else {"text": str(event)})
                self._changed.notify_all()
        async with self._changed:
            self.log.append({"event": "process.ended"})
            self._changed.notify_all()

    async def logged(self, name: str) -> dict[str, Any]:
        """Wait for an event of the log and return it."""

        def find() -> dict[str, Any] | None:
            return next((event for event in self.log if event.get("event") == name), None)

        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(
                lambda: find() is not None or find_end(self.log) is not None
            )
        found = find()
        assert found is not None, f"the server ended without {name}: {self.log}"
        return found

    def stand_still(self) -> None:
        """Let it do nothing more until it goes on, or is ended."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """`kill -9`: no handler runs, nothing is flushed."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """SIGTERM: the graceful way; returns the exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
            self.go_on()
        async with asyncio.timeout(WAIT_S):
            code = await self._process.wait()
            assert self._reader is not None
            await self._reader
        return code

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process is not None and self._process.returncode is None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.running:
            await self.kill()


def find_end(log: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the line that says that the process has ended, if it has."""
    return next((event for event in log if event.get("event") == "process.ended"), None)


class Delivery(msgspec.Struct, frozen=True):
    """One request as a receiver saw it."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        """The id in `webhook-id`."""
        return self.headers["webhook-id"]


Handler = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


class Receiver:
    """An aiohttp server over TLS that keeps what it gets and answers as it is told."""

    def __init__(self, authority: trustme.CA) -> None:
        self.deliveries: list[Delivery] = []
        self.arrived = 0
        """Requests whose head has arrived, answered or not."""
        self.handler: Handler | None = None
        self.port = 0
        self._authority = authority
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    def url(self, path: str = "/hook") -> str:
        """Return the address of a path."""
        return f"https://localhost:{self.port}{path}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert("localhost").configure_cert(context)
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.arrived += 1
        body = await request.read()
        async with self._changed:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.deliveries.append(Delivery(request.path, headers, body))
            self._changed.notify_all()
        if self.handler is not None:
            return await self.handler(request, body)
        return web.Response(text="ok")

    async def wait_for(self, done: Callable[[], bool]) -> None:
        """Wait until `done` holds; it is looked at after each delivery."""
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(done)

    async def wait_for_count(self, count: int) -> None:
        """Wait for that many deliveries."""
        await self.wait_for(lambda: len(self.deliveries) >= count)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again until it holds: for what only the server's answers show."""
    async with asyncio.timeout(WAIT_S):
        while not await condition():  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def api(server: ServerProcess) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a bare HTTP client with the key: for what the official client cannot say."""
    headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(server.url, headers=headers) as session:
        yield session
