"""The network: names, addresses, connections, and what goes wrong with them."""

import asyncio
import contextvars
import errno
import random
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import aiohttp

from sluicegate.simulation.faults import CALM, Faults
from sluicegate.simulation.lives import LIFE, OUTSIDE
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.network.names import Names, unknown_name
from sluicegate.simulation.network.partitions import Partitions
from sluicegate.simulation.network.sockets import Address, SimulatedServer, SimulatedSocket
from sluicegate.simulation.network.traffic import Traffic, name_of
from sluicegate.simulation.network.transport import SimulatedTransport

__all__ = ["Network"]

_CONNECT_AGAIN_S = (1, 2, 4, 8, 16, 32, 64)
"""Linux asks again after so long, then gives up: 127 seconds in all (tcp_syn_retries = 6)."""
_NAME_SERVER_HANGS_S = 20.0


class Network:
    """Carries bytes between hosts, with latency and faults drawn from the seed.

    Each host has a public IPv4 address, by its name. Streams keep their order; what the network
    loses, TCP sends again later; a stream breaks only by a reset, or by a quarter of an hour of
    silence. TLS is a flag of a connection: a handshake takes a round trip and may fail, and no
    byte is encrypted.

    What runs on the loop uses it through asyncio (streams, servers, transports) and aiohttp.

    Attributes:
        loop: the loop whose sockets it is.
        faults: what goes wrong, where no other is set for a host.
    """

    def __init__(self, loop: SimulationLoop, seed: int | str) -> None:
        """Connect nothing yet; `loop` gets its sockets from here."""
        self.loop = loop
        self.faults = CALM
        self._own_faults: dict[str, Faults] = {}
        self._random = random.Random(f"{seed}:network")
        self._names = Names()
        self._servers: dict[Address, SimulatedServer] = {}
        self._partitions = Partitions()
        self._traffic = Traffic(loop, self._random, self._partitions, self.faults_between)
        self._ports = 0
        loop.network = self

    # -- names --------------------------------------------------------------------------------

    def address(self, name: str) -> str:
        """Return the address of the host called `name`; an address stands for itself."""
        return self._names.address(name)

    def name(self, address: str) -> str:
        """Return the name of the host at an address; the address if nobody is there."""
        return self._names.name(address)

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names of the hosts that have an address, in the order in which they got it."""
        return self._names.hosts

    def publish(self, name: str, hosts: Sequence[str]) -> None:
        """Let a name lead to these hosts from now on, in this order; to none: it is unknown."""
        self._names.publish(name, hosts)
        self.loop.trace.note("dns.published", name, *hosts)

    def look_up(self, name: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
        """Return what `socket.getaddrinfo` would. Takes no time; see `look_up_s`.

        Raises:
            socket.gaierror: by a fault, or because no host has this name.
        """
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, (address, 0)) for address in self._found(name)]

    def look_up_s(self) -> float:
        """Return how long the next look-up takes, in seconds."""
        hangs = self._happens(self.faults.dns_hang)
        return _NAME_SERVER_HANGS_S if hangs else self._traffic.latency_s(self.faults)

    async def resolve(self, name: str) -> tuple[str, ...]:
        """Look a name up, which takes its time; return its addresses.

        Raises:
            socket.gaierror: by a fault, or because no host has this name.
        """
        await asyncio.sleep(self.look_up_s())
        return self._found(name)

    def _found(self, name: str) -> tuple[str, ...]:
        faults = self.faults_of(name)
        try:
            if self._happens(faults.dns_failure):
                raise unknown_name()
            found = self._names.look_up(name, here=_here())
        except socket.gaierror:
            self.loop.trace.note("dns.failed", name)
            raise
        if self._happens(faults.dns_flap):
            self.loop.trace.note("dns.flapped", name)
            return (self._names.stale(name),)
        return found

    # -- faults -------------------------------------------------------------------------------

    def set_faults(self, name: str, faults: Faults | None) -> None:
        """Let other things go wrong at one host; `None`: what goes wrong everywhere."""
        if faults is None:
            self._own_faults.pop(name, None)
        else:
            self._own_faults[name] = faults

    def faults_of(self, name: str) -> Faults:
        """Return what goes wrong at a host."""
        return self._own_faults.get(name, self.faults)

    def faults_between(self, one: str, other: str) -> Faults:
        """Return what goes wrong between two hosts: what is set for one of them, if anything."""
        if not self._own_faults:
            return self.faults
        return self._own_faults.get(one) or self._own_faults.get(other, self.faults)

    def partition(
        self, one: str, other: str | None = None, *, seconds: float | None = None
    ) -> None:
        """Let nothing pass between two hosts; streams wait, as TCP does.

        Args:
            one: a host's name.
            other: another's; `None`: everybody's.
            seconds: for how long; `None`: until `join` or `heal`.
        """
        number = self._partitions.part(one, other)
        self.loop.trace.note("network.parted", one, other or "everybody")
        if seconds is not None:
            end = partial(self.join, one, other, number=number)
            self.loop.call_later(seconds, end, context=OUTSIDE.copy())

    def join(self, one: str, other: str | None = None, *, number: int | None = None) -> None:
        """End a partition that was made with the same names; what waited arrives.

        Args:
            one: as in `partition`.
            other: same.
            number: only if it is that one (of those made so far, from 1), and not a later one.
        """
        waited = self._partitions.join(one, other, number=number)
        if waited is not None:
            self.loop.trace.note("network.joined", one, other or "everybody")
            for go_on in waited:
                go_on()

    def heal(self) -> None:
        """End all partitions and all faults; what waited arrives."""
        self.faults = CALM
        self._own_faults.clear()
        for go_on in self._partitions.clear():
            go_on()
        self.loop.trace.note("network.healed")

    def is_reachable(self, name: str, *, here: str | None = None) -> bool:
        """Return whether packets reach a host: no partition is between, and it has power."""
        apart = self._partitions.is_apart(_here() if here is None else here, name)
        return not apart and not self._traffic.is_off(name)

    def when_joined(self, one: str, other: str, go_on: Callable[[], None]) -> bool:
        """Call `go_on` when two hosts are joined again; return `False` if they are not apart."""
        if not self._partitions.is_apart(one, other):
            return False
        self._partitions.hold(one, other, go_on)
        return True

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate

    # -- servers ------------------------------------------------------------------------------

    def listen(
        self,
        factory: Callable[[], asyncio.BaseProtocol],
        host: str | None,
        port: int,
        *,
        serve: bool = True,
    ) -> SimulatedServer:
        """Return a server at a port of the running host.

        Args:
            factory: makes a protocol for each connection.
            host: not looked at: whatever is bound to, it is reached by the host's name.
            port: 0 for any.
            serve: whether it takes connections at once.

        Raises:
            OSError: the port is taken.
        """
        del host
        owner = LIFE.get()
        address = (self.address(name_of(owner)), port or self._next_port())
        server = SimulatedServer(self, address, factory, owner)
        if serve:
            self.serve(server)
        return server

    def serve(self, server: SimulatedServer) -> None:
        """Let a server take connections. Twice is fine.

        Raises:
            OSError: the port is taken.
        """
        if self.is_listening(server):
            return
        if server.address in self._servers:
            raise OSError(errno.EADDRINUSE, "address already in use")
        self._servers[server.address] = server
        if server.life is not None:
            server.life.on_crash.append(server.close)
            self._traffic.watch(server.life)

    def unlisten(self, server: SimulatedServer) -> None:
        """Take no more connections for a server."""
        if self.is_listening(server):
            del self._servers[server.address]

    def is_listening(self, server: SimulatedServer) -> bool:
        """Return whether a server takes connections."""
        return self._servers.get(server.address) is server

    # -- connections --------------------------------------------------------------------------

    async def reach(self, address: Address) -> None:
        """Do the TCP handshake with whoever listens at an address.

        Raises:
            ConnectionRefusedError: nobody listens there, or by a fault.
            TimeoutError: nobody answered for 127 seconds.
        """
        there = self.name(address[0])
        faults = self.faults_between(_here(), there)
        await asyncio.sleep(2 * self._traffic.latency_s(faults))
        lost = self._happens(faults.black_hole)
        if lost or not self.is_reachable(there):
            self.loop.trace.note("connection.unanswered", there)
            for wait_s in _CONNECT_AGAIN_S:
                await asyncio.sleep(wait_s)
                if not lost and self.is_reachable(there):
                    break
            else:
                raise TimeoutError(errno.ETIMEDOUT, "connection timed out")
        if address not in self._servers or self._happens(faults.refuse):
            self.loop.trace.note("connection.refused", there)
            raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")

    async def connect(
        self, factory: Callable[[], asyncio.BaseProtocol], address: Address, *, tls: bool
    ) -> tuple[SimulatedTransport, asyncio.BaseProtocol]:
        """Join both ends of a connection that was `reach`ed.

        Raises:
            ConnectionRefusedError: nobody listens there any more.
            ssl.SSLCertVerificationError: the certificate is not accepted, by a fault.
        """
        protocol = factory()
        life = LIFE.get()
        if tls:
            await self.trust(address[0])
        server = self._servers.get(address)
        if server is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")
        local = (self.address(name_of(life)), self._next_port())
        near = SimulatedTransport(
            self.loop,
            self._traffic,
            life=life,
            context=contextvars.copy_context(),
            local=local,
            remote=address,
            tls=tls,
        )
        far = SimulatedTransport(
            self.loop,
            self._traffic,
            life=server.life,
            context=server.context.copy(),
            local=address,
            remote=local,
            tls=tls,
            server=server,
        )
        self._traffic.join(near, far)
        self.loop.trace.note("connection.made", near.host, far.host)
        self.loop.call_soon(_accept, server, far, context=far.context)
        near.set_protocol(protocol)
        protocol.connection_made(near)
        return near, protocol

    async def trust(self, address: str) -> None:
        """Do the TLS handshake with a host that was `reach`ed.

        Raises:
            ssl.SSLCertVerificationError: the certificate is not accepted, by a fault.
        """
        there = self.name(address)
        faults = self.faults_between(_here(), there)
        await asyncio.sleep(2 * self._traffic.latency_s(faults))
        if self._happens(faults.tls_failure):
            self.loop.trace.note("connection.untrusted", there)
            raise _untrusted()

    def _next_port(self) -> int:
        """Return a port that was not given for long."""
        self._ports += 1
        return 40_000 + self._ports % 20_000

    # -- for users ----------------------------------------------------------------------------

    def open_socket(self, _addr_info: object) -> SimulatedSocket:
        """Return a socket: the `socket_factory` of aiohttp's connector."""
        return SimulatedSocket()

    def client_session(self, **options: Any) -> aiohttp.ClientSession:  # noqa: ANN401 - aiohttp's
        """Return aiohttp's client, on this network. Call it, and use it, on the loop.

        A plain `aiohttp.ClientSession()` works too; each of its connections takes a descriptor
        for a moment.

        Args:
            options: aiohttp's, but for `connector`.
        """
        connector = aiohttp.TCPConnector(
            resolver=aiohttp.ThreadedResolver(),
            use_dns_cache=False,
            socket_factory=self.open_socket,  # type: ignore[arg-type] # as far as it is used
        )
        return aiohttp.ClientSession(connector=connector, **options)


def _here() -> str:
    return name_of(LIFE.get())


def _accept(server: SimulatedServer, end: SimulatedTransport) -> None:
    """Begin at the server's side. Runs in its context."""
    protocol = server.factory()
    end.set_protocol(protocol)
    server.joined(end)
    protocol.connection_made(end)


def _untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = 20
    error.verify_message = "unable to get local issuer certificate"
    return error
