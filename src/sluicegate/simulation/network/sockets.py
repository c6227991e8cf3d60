"""What stands for a socket and for a listening server."""

import asyncio
import contextvars
import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from sluicegate.simulation.lives import Life

if TYPE_CHECKING:
    from sluicegate.simulation.network.network import Network

__all__ = ["Address", "SimulatedServer", "SimulatedSocket"]

Address = tuple[str, int]


class SimulatedSocket:
    """A TCP socket as far as clients of asyncio look at one; it holds no descriptor."""

    family = socket.AF_INET
    type = socket.SOCK_STREAM
    proto = socket.IPPROTO_TCP

    def __init__(self, name: Address = ("0.0.0.0", 0), peer: Address | None = None) -> None:  # noqa: S104 - any address, of no real machine
        """Begin unconnected, or as one end of a connection."""
        self.name = name
        self.peer = peer

    def setblocking(self, _flag: bool) -> None:  # noqa: FBT001 - socket's signature
        """Take it: nothing blocks here."""

    def setsockopt(self, *_: object) -> None:
        """Take it: there is no kernel."""

    def getsockopt(self, *_: object) -> int:
        """Return that no option is set, and no error is pending."""
        return 0

    def bind(self, address: Address) -> None:
        """Take a local address."""
        self.name = address

    def recv(self, _size: int, _flags: int = 0) -> bytes:
        """Find nothing: what arrives is handed to the protocol at once, and never waits here.

        Raises:
            BlockingIOError: always.
        """
        raise BlockingIOError(errno.EAGAIN, "nothing has arrived")

    def close(self) -> None:
        """Hold nothing."""

    def fileno(self) -> int:
        """Return that there is no descriptor."""
        return -1

    def getsockname(self) -> Address:
        """Return the local address."""
        return self.name

    def getpeername(self) -> Address:
        """Return the other end's address.

        Raises:
            OSError: it is not connected.
        """
        if self.peer is None:
            raise OSError("not connected")
        return self.peer


class SimulatedServer(asyncio.AbstractServer):
    """A listening server: what `loop.create_server` and `asyncio.start_server` return.

    `wait_closed` waits for the connections too, as asyncio does since Python 3.12.
    """

    def __init__(
        self,
        network: "Network",
        address: Address,
        factory: "Callable[[], asyncio.BaseProtocol]",
        life: Life | None,
    ) -> None:
        """Be there at an address, not yet listening."""
        self._network = network
        self._clients: dict[asyncio.Transport, None] = {}
        self._over = network.loop.create_future()
        self._forever: asyncio.Future[None] | None = None
        self._closed = False
        self.address = address
        self.factory = factory
        self.life = life
        self.context = contextvars.copy_context()

    @property
    def sockets(self) -> tuple[SimulatedSocket, ...]:
        """What it listens on; nothing once it is closed."""
        return () if self._closed else (SimulatedSocket(self.address),)

    def joined(self, transport: asyncio.Transport) -> None:
        """Hear of a connection."""
        self._clients[transport] = None

    def left(self, transport: asyncio.Transport) -> None:
        """Hear of a connection's end."""
        self._clients.pop(transport, None)
        self._be_over()

    def close(self) -> None:
        """Listen no more; connections go on. Twice is fine."""
        self._closed = True
        self._network.unlisten(self)
        if self._forever is not None:
            self._forever.cancel()
        self._be_over()

    def _be_over(self) -> None:
        if self._closed and not self._clients and not self._over.done():
            self._over.set_result(None)

    def is_serving(self) -> bool:
        """Return whether connections are taken."""
        return self._network.is_listening(self)

    def get_loop(self) -> "asyncio.AbstractEventLoop":
        """Return the loop."""
        return self._network.loop

    def close_clients(self) -> None:
        """Close every connection."""
        for transport in tuple(self._clients):
            transport.close()

    def abort_clients(self) -> None:
        """Close every connection at once."""
        for transport in tuple(self._clients):
            transport.abort()

    async def start_serving(self) -> None:
        """Listen. Twice is fine.

        Raises:
            OSError: somebody else listens there.
        """
        self._network.serve(self)

    async def serve_forever(self) -> None:
        """Listen until this is cancelled, which closes it, or it is closed, which cancels this."""
        await self.start_serving()
        self._forever = self._network.loop.create_future()
        try:
            await self._forever
        finally:
            self.close()

    async def wait_closed(self) -> None:
        """Wait until it is closed and its connections are over."""
        await asyncio.shield(self._over)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        await self.wait_closed()
