"""Both senders: what their sockets show, and what the conformance suite cannot see."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluicegate.clock import SystemClock
from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.errors import SettingError, UnavailableError
from sluicegate.engine.outcome import OutcomeKind
from sluicegate.engine.ports import AddressUse, NoTelemetry, Request
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.aiohttp_sender import AiohttpSender
from sluicegate.http.outbound.lean_sender import LeanSender
from sluicegate.http.outbound.resolver import PooledResolver
from sluicegate.http.outbound.sockets import open_socket

if TYPE_CHECKING:
    from aiohttp.connector import AddrInfoType

Sender = AiohttpSender | LeanSender
BOTH = [AiohttpSender, LeanSender]
DEV = AddressPolicy(allow_internal=True, allowed_networks=())


class Sockets:
    """Opens sockets as the sender does, and keeps them to be looked at."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, socket.socket]] = []
        self.lacking: int | None = None
        """The error number of what the machine has run out of."""
        self.opened_max = 0
        """So many may be opened all the same."""

    def open(self, addr_info: "AddrInfoType") -> socket.socket:
        """Open one."""
        if self.lacking is not None and len(self.opened) >= self.opened_max:
            raise OSError(self.lacking, os.strerror(self.lacking))
        self.opened.append((str(addr_info[4][0]), open_socket(addr_info)))
        return self.opened[-1][1]


@pytest.fixture
def sockets() -> Sockets:
    """Return what opens this test's sockets."""
    return Sockets()


@pytest.fixture(params=BOTH)
async def sender(request: pytest.FixtureRequest, sockets: Sockets) -> AsyncIterator[Sender]:
    """Return a sender that resolves `dead.test` to three addresses where nobody listens."""
    clock = SystemClock()

    def getaddrinfo(*_: object, **__: object) -> list[object]:
        return [(None, None, 0, "", (f"127.0.0.{n}", 0)) for n in range(2, 9)]

    resolver = PooledResolver(Settings(), clock=clock, getaddrinfo=getaddrinfo)
    made: Sender = request.param(
        Settings(),
        policy=DEV,
        resolver=resolver,
        clock=clock,
        socket_factory=sockets.open,
    )
    yield made
    await made.close()
    await resolver.close()


def a_request(url: str, *, body: bytes = b"{}", timeout_s: float = 5) -> Request:
    """Return a request."""
    return Request(url=url, headers=(), body=body, timeout_s=timeout_s)


async def test_a_dead_address_is_tried_once(sender: Sender, sockets: Sockets) -> None:
    """And at most four of a name's addresses: a name must not make us scan a network."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        outcome = await sender.post(a_request(f"http://dead.test:{port}/"))
    assert outcome.kind is OutcomeKind.CONNECTION_ERROR
    assert sorted(address for address, _ in sockets.opened) == [f"127.0.0.{n}" for n in range(2, 6)]
    assert all(each.fileno() == -1 for _, each in sockets.opened)


@pytest.mark.parametrize("size", [2**20, 32 * 2**20])
async def test_a_receiver_that_takes_nothing_holds_no_socket(
    sender: Sender, sockets: Sockets, size: int
) -> None:
    """Closing would wait until it takes what is unsent, for as long as it likes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        port = server.getsockname()[1]
        request = a_request(f"http://127.0.0.1:{port}/", body=bytes(size), timeout_s=0.2)
        outcome = await sender.post(request)
        for _ in range(3):
            await asyncio.sleep(0)
        assert outcome.kind is OutcomeKind.TIMEOUT
        assert [each.fileno() for _, each in sockets.opened] == [-1]


def test_a_socket_has_an_end_whoever_keeps_it() -> None:
    """Also one that was closed with bytes unsent is given up by the kernel (RFC 5482)."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)  # not on every system
    with open_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))) as opened:
        limit_ms = opened.getsockopt(socket.IPPROTO_TCP, option) if option else 150_000
    assert 120_000 < limit_ms < 600_000


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_useless_file_of_authorities_stops_the_start(
    tmp_path: Path, content: str | None, make: type[Sender]
) -> None:
    """Missing, empty or malformed: better no start than no trust."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    clock, settings = SystemClock(), Settings(tls_ca_file=str(path))
    resolver = PooledResolver(settings, clock=clock)
    with pytest.raises(SettingError, match="tls_ca_file"):
        make(settings, policy=DEV, resolver=resolver, clock=clock)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_what_this_machine_lacks_is_no_outcome_of_the_receivers(
    sender: Sender, sockets: Sockets, number: int
) -> None:
    """Nothing was sent, so it was no attempt: the receiver must not pay for our shortage."""
    sockets.lacking = number
    with pytest.raises(UnavailableError):
        await sender.post(a_request("http://127.0.0.1:9/"))


async def test_a_shortage_counts_also_beside_an_address_that_refuses(
    sender: Sender, sockets: Sockets
) -> None:
    """The address that could not be tried might have taken the message."""
    sockets.lacking, sockets.opened_max = errno.EMFILE, 1
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(UnavailableError):
            await sender.post(a_request(f"http://dead.test:{port}/"))
    assert len(sockets.opened) == 1


@pytest.mark.parametrize("sender", [LeanSender], indirect=True)
async def test_idle_connections_make_room_when_sockets_run_out(
    sender: Sender, sockets: Sockets
) -> None:
    """They may be many times as many as there are posts, each kept for the sake of speed alone."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(behave, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        outcome = await sender.post(a_request(f"http://127.0.0.1:{port}/"))
        assert outcome.status == 200
        assert sockets.opened[0][1].fileno() != -1
        sockets.lacking = errno.EMFILE
        with pytest.raises(UnavailableError):
            await sender.post(a_request("http://127.0.0.1:9/"))
        for _ in range(3):
            await asyncio.sleep(0)
        assert sockets.opened[0][1].fileno() == -1


@pytest.mark.parametrize("sender", [LeanSender], indirect=True)
@pytest.mark.parametrize("host", ["a..test", ".test", "a" * 64 + ".test"])
async def test_nothing_is_opened_for_a_host_that_no_certificate_can_name(
    sender: Sender, sockets: Sockets, host: str
) -> None:
    """The loop would find out in the handshake, and leave the socket to the garbage collector."""
    outcome = await sender.post(a_request(f"https://{host}:9/"))
    assert outcome.kind is OutcomeKind.CONNECTION_ERROR
    assert sockets.opened == []


class Refusals(NoTelemetry):
    """Keeps what was refused."""

    def __init__(self) -> None:
        self.seen: list[AddressUse] = []

    def address_refused(self, use: AddressUse) -> None:
        """Keep it."""
        self.seen.append(use)


@pytest.mark.parametrize("make", BOTH)
async def test_a_refused_address_is_told_to_whoever_watches(make: type[Sender]) -> None:
    """A name that came to lead inside is not only that endpoint's trouble."""
    clock, refusals = SystemClock(), Refusals()
    resolver = PooledResolver(Settings(), clock=clock)
    policy = AddressPolicy(allow_internal=False, allowed_networks=())
    made = make(Settings(), policy=policy, resolver=resolver, clock=clock, telemetry=refusals)
    try:
        outcome = await made.post(a_request("https://127.0.0.1:9/"))
        assert outcome.kind is OutcomeKind.BLOCKED
        assert refusals.seen == [AddressUse.CONNECT]
    finally:
        await made.close()
        await resolver.close()
