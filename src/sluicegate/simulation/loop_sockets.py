"""The part of the loop that is the network's: servers, connections, names."""

import asyncio
import socket
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluicegate.simulation.escapes import NoRealIO

if TYPE_CHECKING:
    from sluicegate.simulation.network import Network, SimulatedServer

__all__ = ["SimulatedSockets"]


class SimulatedSockets(NoRealIO):
    """Leads what asyncio asks of a loop for TCP into a simulated network.

    Attributes:
        network: whose sockets they are. It sets itself.
    """

    network: "Network"

    def __init__(self) -> None:
        """Know no sockets yet."""
        super().__init__()
        # Real sockets that are to be simulated ones: `aiohttp.ClientSession()` makes some.
        self._adopted: weakref.WeakKeyDictionary[socket.socket, tuple[str, int]] = (
            weakref.WeakKeyDictionary()
        )

    async def create_server(  # type: ignore[override] # asyncio's has a dozen more options
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        *,
        sock: object = None,
        start_serving: bool = True,
        **_: object,
    ) -> "SimulatedServer":
        """Listen at a port of the running host; see `Network.listen`.

        Raises:
            EscapeError: a socket is given: it would be real.
        """
        if sock is not None:
            raise self.escape("a simulation has no listening sockets: give a port")
        return self.network.listen(protocol_factory, host, port or 0, serve=start_serving)

    async def create_connection(  # type: ignore[override] # as above
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: object = None,
        sock: Any = None,  # noqa: ANN401 - a simulated socket, or a real one that is adopted
        **_: object,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect to a name and a port, or through a socket that `sock_connect` connected.

        Raises:
            OSError: as in the real world, down to `ssl.SSLError`.
            EscapeError: `sock` is connected to the real world.
        """
        if sock is not None:
            address = self._peer_of(sock)
            if isinstance(sock, socket.socket):
                sock.close()  # it was only a token of a connection
        else:
            found = await self.network.resolve(host or "localhost")
            address = (found[0], port or 0)
            await self.network.reach(address)
        return await self.network.connect(protocol_factory, address, tls=bool(ssl))

    async def sock_connect(self, sock: Any, address: Any) -> None:  # noqa: ANN401 - asyncio's signature
        """Do the TCP handshake of a socket. A real socket stays unconnected, and stands for it."""
        peer = (address[0], address[1])
        await self.network.reach(peer)
        if isinstance(sock, socket.socket):
            self._adopted[sock] = peer
        else:
            sock.peer = peer

    async def getaddrinfo(
        self,
        host: Any,  # noqa: ANN401 - asyncio's signature
        port: Any,  # noqa: ANN401 - same
        **_: object,
    ) -> list[tuple[Any, ...]]:
        """Look a name up, which takes its time.

        Raises:
            socket.gaierror: it does not resolve.
        """
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, (each, port or 0)) for each in await self.network.resolve(host)]

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:  # noqa: ANN401 - asyncio's signature
        """Return the name of the host at an address, or the address."""
        del flags
        return self.network.name(sockaddr[0]), str(sockaddr[1])

    def _peer_of(self, sock: Any) -> tuple[str, int]:  # noqa: ANN401 - as above
        if not isinstance(sock, socket.socket):
            peer: tuple[str, int] = sock.getpeername()
            return peer
        adopted = self._adopted.pop(sock, None)
        if adopted is None:
            raise self.escape("a real socket: connect by host and port, or by `sock_connect`")
        return adopted
