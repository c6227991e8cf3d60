"""What stands for a socket and for a listening server."""

import contextvars
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from sluicegate.simulation.lives import Life

if TYPE_CHECKING:
    import asyncio

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

    def bind(self, address: Address) -> None:
        """Take a local address."""
        self.name = address

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


class SimulatedServer:
    """A listening server: what `loop.create_server` returns."""

    def __init__(
        self,
        network: "Network",
        address: Address,
        factory: "Callable[[], asyncio.BaseProtocol]",
        life: Life | None,
    ) -> None:
        """Listen at an address of `host`."""
        self._network = network
        self.address = address
        self.factory = factory
        self.life = life
        self.context = contextvars.copy_context()
        self.sockets = (SimulatedSocket(address),)

    def close(self) -> None:
        """Listen no more; connections go on. Twice is fine."""
        self._network.unlisten(self)

    def is_serving(self) -> bool:
        """Return whether connections are taken."""
        return self._network.is_listening(self)

    def get_loop(self) -> "asyncio.AbstractEventLoop":
        """Return the loop."""
        return self._network.loop

    def close_clients(self) -> None:
        """Leave the connections to their protocols."""

    def abort_clients(self) -> None:
        """Leave the connections to their protocols."""

    async def start_serving(self) -> None:
        """Serve already."""

    async def wait_closed(self) -> None:
        """Be closed already."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
