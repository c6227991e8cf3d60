"""What the conformance suite of `engine.ports.Sender` runs on: senders, and receivers of raw bytes.

To run another implementation under the suite, add how it is built to `SENDERS`.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol

import pytest
import uvloop

from sluicegate.clock import SystemClock
from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request, Resolver
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.aiohttp_sender import AiohttpSender
from sluicegate.http.outbound.lean_sender import LeanSender


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run everything on each loop: their transports differ in what they promise, and in more."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave aiohttp's sender to asyncio's loop: it is the second opinion, and nobody's default."""
    left = [item for item in items if "uvloop-aiohttp" in item.name]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if "uvloop-aiohttp" not in item.name]


class SenderUnderTest(Protocol):
    """A sender that can be closed."""

    async def post(self, request: Request) -> Outcome:
        """Post a request."""

    async def close(self) -> None:
        """Close every connection."""


def _aiohttp(settings: Settings, policy: AddressPolicy, resolver: Resolver) -> SenderUnderTest:
    return AiohttpSender(settings, policy=policy, resolver=resolver, clock=SystemClock())


def _lean(settings: Settings, policy: AddressPolicy, resolver: Resolver) -> SenderUnderTest:
    return LeanSender(settings, policy=policy, resolver=resolver, clock=SystemClock())


SENDERS: dict[str, Callable[[Settings, AddressPolicy, Resolver], SenderUnderTest]] = {
    "aiohttp": _aiohttp,
    "lean": _lean,
}
DEV = AddressPolicy(allow_internal=True, allowed_networks=())


class Names:
    """A resolver that knows what it was told; address literals stand for themselves."""

    def __init__(self, known: Mapping[str, tuple[str, ...]]) -> None:
        self._known = known

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Return the addresses of `host`."""
        return self._known.get(host.lower(), ())


class MakeSender(Protocol):
    """Builds a sender that is closed when the test ends."""

    def __call__(
        self,
        *,
        settings: Settings = ...,
        policy: AddressPolicy = ...,
        names: Mapping[str, tuple[str, ...]] = ...,
    ) -> SenderUnderTest:
        """Build it; in development mode and without names unless told otherwise."""


@pytest.fixture(params=SENDERS)
async def make_sender(request: pytest.FixtureRequest) -> AsyncIterator[MakeSender]:
    """Build senders of the implementation under test."""
    made: list[SenderUnderTest] = []

    def make(
        *,
        settings: Settings | None = None,
        policy: AddressPolicy = DEV,
        names: Mapping[str, tuple[str, ...]] | None = None,
    ) -> SenderUnderTest:
        made.append(SENDERS[request.param](settings or Settings(), policy, Names(names or {})))
        return made[-1]

    yield make
    for sender in made:
        await sender.close()


class Link:
    """One connection, seen from the receiver's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read_request(self) -> tuple[bytes, bytes]:
        """Return the head and the body of the next request, as they came."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        lengths = [
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ]
        return head, await self._reader.readexactly(sum(lengths))

    async def read_some(self) -> bytes:
        """Return what comes first, whatever it is."""
        return await self._reader.read(65536)

    async def send(self, *pieces: bytes) -> None:
        """Send bytes as they are."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def send_until_gone(self, piece: bytes) -> None:
        """Send a piece again and again until the sender hangs up."""
        with contextlib.suppress(OSError):
            while True:
                await self.send(piece)

    async def gone(self) -> bytes:
        """Wait until the sender hangs up; return what it sent until then."""
        got = b""
        with contextlib.suppress(OSError):
            while piece := await self._reader.read(65536):
                got += piece
        return got

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    def half_close(self) -> None:
        """Send no more, and go on reading."""
        self._writer.write_eof()

    def reset(self) -> None:
        """Hang up with a TCP reset."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def pause(self) -> None:
        """Take nothing more from the sender."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]


Behaviour = Callable[[Link], Awaitable[None]]


class Receiver:
    """A server that does with each connection what a test says."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._scheme = "http"
        self.port = 0
        self.connections = 0
        self.errors: list[BaseException] = []

    async def start(self, address: str, tls: ssl.SSLContext | None = None) -> None:
        """Listen at an address of loopback."""
        self._server = await asyncio.start_server(
            self._accept, address, 0, ssl=tls, limit=4 * 2**20
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._scheme = "https" if tls is not None else "http"

    def url(self, path: str = "/hook", *, host: str = "127.0.0.1") -> str:
        """Return a URL of this receiver."""
        return f"{self._scheme}://{host}:{self.port}{path}"

    async def idle(self) -> None:
        """Wait until every connection's behaviour has ended."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def stop(self) -> None:
        """Hang up on everybody."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert not self.errors

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._behave(Link(reader, writer))
        except (asyncio.IncompleteReadError, OSError):
            pass  # the sender hung up
        except Exception as error:  # noqa: BLE001 - shown when the test ends
            self.errors.append(error)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()


class MakeReceiver(Protocol):
    """Starts a receiver that is stopped when the test ends."""

    async def __call__(
        self, behave: Behaviour, *, tls: ssl.SSLContext | None = None, address: str = ...
    ) -> Receiver:
        """Start it, on IPv4 unless told otherwise."""


@pytest.fixture
async def make_receiver() -> AsyncIterator[MakeReceiver]:
    """Start receivers."""
    made: list[Receiver] = []

    async def make(
        behave: Behaviour, *, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1"
    ) -> Receiver:
        receiver = Receiver(behave)
        await receiver.start(address, tls)
        made.append(receiver)
        return receiver

    yield make
    for receiver in made:
        await receiver.stop()
