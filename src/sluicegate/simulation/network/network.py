"""The network: names, addresses, connections, and what goes wrong with them."""

import asyncio
import contextvars
import errno
import random
import socket
from collections.abc import Callable
from typing import Any

from sluicegate.simulation.faults import CALM, Faults
from sluicegate.simulation.lives import LIFE, Life
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.network.sockets import Address, SimulatedServer, SimulatedSocket
from sluicegate.simulation.network.transport import SimulatedTransport

__all__ = ["Network"]

_KERNEL_GIVES_UP_S = 127.0
"""When Linux gives up connecting (tcp_syn_retries = 6)."""
_NAME_SERVER_HANGS_S = 20.0
_STALL_S = (1.0, 10.0)
_APART_S = 2e-9
"""Pieces of one stream arrive at least so far apart: in order, and in separate turns."""
_OUTSIDE = "outside"


class Network:
    """Carries bytes between hosts, with latency and faults drawn from the seed.

    Each host has a public IPv4 address, by its name. Streams keep their order; what the network
    loses, TCP sends again later; it breaks only by a reset or by silence.

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
        self._addresses: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._servers: dict[Address, SimulatedServer] = {}
        self._ends: dict[SimulatedTransport, None] = {}
        self._apart: dict[frozenset[str], list[tuple[SimulatedTransport, bytes | None]]] = {}
        self._watched: dict[Life, None] = {}
        self._ports = 40_000
        loop.network = self

    # -- names --------------------------------------------------------------------------------

    def address(self, name: str) -> str:
        """Return the address of the host called `name`; an address stands for itself."""
        if name.replace(".", "").isdigit():
            return name
        known = self._addresses.get(name)
        if known is None:
            number = len(self._addresses) + 1
            known = self._addresses[name] = f"44.0.{number >> 8}.{number & 255}"
            self._names[known] = name
        return known

    def look_up(self, name: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
        """Return what `socket.getaddrinfo` would.

        Raises:
            socket.gaierror: by a fault, or because no host has this name.
        """
        if name not in self._addresses or self._happens(self._faults_of(name).dns_failure):
            self.loop.trace.note("dns.failed", name)
            raise socket.gaierror(socket.EAI_NONAME, "name or service not known")
        address = (self._addresses[name], 0)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    def look_up_s(self) -> float:
        """Return how long the next look-up takes, in seconds."""
        hangs = self._happens(self.faults.dns_hang)
        return _NAME_SERVER_HANGS_S if hangs else self._latency_s(self.faults)

    # -- faults -------------------------------------------------------------------------------

    def set_faults(self, name: str, faults: Faults | None) -> None:
        """Let other things go wrong at one host; `None`: what goes wrong everywhere."""
        if faults is None:
            self._own_faults.pop(name, None)
        else:
            self._own_faults[name] = faults

    def partition(self, one: str, other: str) -> None:
        """Let nothing pass between two hosts, until `heal`. Streams wait, as TCP does."""
        self._apart.setdefault(frozenset({one, other}), [])
        self.loop.trace.note("network.parted", one, other)

    def heal(self) -> None:
        """End all partitions and all faults; what waited arrives."""
        self.faults = CALM
        self._own_faults.clear()
        apart, self._apart = self._apart, {}
        for held in apart.values():
            for sender, data in held:
                self._deliver(sender, data, self._latency_s(CALM))
        self.loop.trace.note("network.healed")

    def _faults_of(self, name: str | None) -> Faults:
        return self._own_faults.get(name or "", self.faults)

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate

    def _latency_s(self, faults: Faults) -> float:
        return self._random.uniform(*faults.latency_s)

    # -- what the loop asks for -----------------------------------------------------------------

    def listen(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str | None, port: int
    ) -> SimulatedServer:
        """Return a server at a port of the running host.

        Raises:
            OSError: the port is taken.
        """
        owner = LIFE.get()
        name = owner.name if owner is not None else _OUTSIDE
        del host  # whatever it binds to, it is reached by its name
        address = (self.address(name), port or self._next_port())
        if address in self._servers:
            raise OSError(errno.EADDRINUSE, "address already in use")
        server = self._servers[address] = SimulatedServer(self, address, factory, owner)
        if owner is not None:
            owner.on_crash.append(server.close)
            self._watch(owner)
        return server

    def unlisten(self, server: SimulatedServer) -> None:
        """Take no more connections for a server."""
        if self.is_listening(server):
            del self._servers[server.address]

    def is_listening(self, server: SimulatedServer) -> bool:
        """Return whether a server takes connections."""
        return self._servers.get(server.address) is server

    async def reach(self, address: Address) -> None:
        """Do the TCP handshake with whoever listens at an address.

        Raises:
            ConnectionRefusedError: nobody listens there, or by a fault.
            TimeoutError: nobody answered for 127 seconds.
        """
        there = self._names.get(address[0], address[0])
        faults = self._faults_of(there)
        await asyncio.sleep(2 * self._latency_s(faults))
        if self._is_apart(self._here(), there) or self._happens(faults.black_hole):
            self.loop.trace.note("connection.unanswered", there)
            await asyncio.sleep(_KERNEL_GIVES_UP_S)
            raise TimeoutError(errno.ETIMEDOUT, "connection timed out")
        if address not in self._servers or self._happens(faults.refuse):
            self.loop.trace.note("connection.refused", there)
            raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")

    def connect(
        self, factory: Callable[[], asyncio.BaseProtocol], address: Address, *, tls: bool
    ) -> tuple[SimulatedTransport, asyncio.BaseProtocol]:
        """Join both ends of a connection that was `reach`ed.

        Raises:
            ConnectionRefusedError: nobody listens there any more.
        """
        server = self._servers.get(address)
        if server is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")
        here = LIFE.get()
        local = (self.address(self._here()), self._next_port())
        protocol = factory()
        context = server.context.copy()
        there = context.run(server.factory)
        near = SimulatedTransport(
            self,
            protocol,
            life=here,
            context=contextvars.copy_context(),
            local=local,
            remote=address,
            tls=tls,
        )
        far = SimulatedTransport(
            self, there, life=server.life, context=context, local=address, remote=local, tls=tls
        )
        near.peer, far.peer = far, near
        self._ends[near] = self._ends[far] = None
        for life in (here, server.life):
            if life is not None:
                self._watch(life)
        self.loop.trace.note("connection.made", self._here(), self._name_of(far))
        context.run(there.connection_made, far)
        protocol.connection_made(near)
        return near, protocol

    def _next_port(self) -> int:
        self._ports += 1
        return 40_000 + (self._ports - 40_000) % 20_000

    def _here(self) -> str:
        life = LIFE.get()
        return life.name if life is not None else _OUTSIDE

    def _name_of(self, end: SimulatedTransport) -> str:
        return end.life.name if end.life is not None else _OUTSIDE

    # -- bytes on their way -----------------------------------------------------------------------

    def carry(self, sender: SimulatedTransport, data: bytes | None) -> None:
        """Send bytes to the other end; `None` is the end of the stream."""
        faults = self._faults_between(sender)
        if data is not None and self._happens(faults.reset):
            self.loop.trace.note("connection.reset", self._name_of(sender))
            self.reset(sender)
            return
        delay_s = self._latency_s(faults)
        if self._happens(faults.stall):
            delay_s += self._random.uniform(*_STALL_S)
        if data is not None and len(data) > 1 and self._happens(faults.split):
            cut = self._random.randrange(1, len(data))
            self._deliver(sender, data[:cut], delay_s)
            self._deliver(sender, data[cut:], delay_s + self._latency_s(faults))
        else:
            self._deliver(sender, data, delay_s)

    def _deliver(self, sender: SimulatedTransport, data: bytes | None, delay_s: float) -> None:
        receiver = sender.peer
        held = self._apart.get(frozenset({self._name_of(sender), self._name_of(receiver)}))
        if held is not None:
            held.append((sender, data))
            return
        when_s = max(self.loop.time() + delay_s, receiver.arrives_s + _APART_S)
        receiver.arrives_s = when_s
        self.loop.call_at(when_s, receiver.arrive, data, context=receiver.context)

    def reset(self, end: SimulatedTransport) -> None:
        """Break a connection for both ends, for the other one a little later."""
        soon, later = end, end.peer
        self.loop.call_soon(soon.lose, _reset(), context=soon.context)
        if not self._is_apart(self._name_of(soon), self._name_of(later)):
            delay_s = self._latency_s(self._faults_between(end))
            self.loop.call_later(delay_s, later.lose, _reset(), context=later.context)

    def forget(self, end: SimulatedTransport) -> None:
        """Drop an end that is lost."""
        self._ends.pop(end, None)

    def _faults_between(self, end: SimulatedTransport) -> Faults:
        for name in (self._name_of(end), self._name_of(end.peer)):
            if name in self._own_faults:
                return self._own_faults[name]
        return self.faults

    def _is_apart(self, one: str, other: str) -> bool:
        return frozenset({one, other}) in self._apart

    def _watch(self, life: Life) -> None:
        """See to it that a host's connections end with it."""
        if life not in self._watched:
            self._watched[life] = None
            life.on_crash.append(lambda: self.end_of(life))

    def end_of(self, life: Life) -> None:
        """Reset the connections of a host that crashed; of one without power nobody hears."""
        self._watched.pop(life, None)
        for end in [end for end in self._ends if end.life is life]:
            self._ends.pop(end)
            end.lost = True
            if not life.silent:
                # Behind what it has written: a kernel still sends that.
                peer = end.peer
                when_s = max(self.loop.time() + self._latency_s(CALM), peer.arrives_s + _APART_S)
                self.loop.call_at(when_s, peer.lose, _reset(), context=peer.context)

    # -- sockets ------------------------------------------------------------------------------

    def open_socket(self, _addr_info: object) -> SimulatedSocket:
        """Return a socket: the `socket_factory` of aiohttp's connector."""
        return SimulatedSocket()


def _reset() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "connection reset by peer")
