"""The connector: where a name becomes an address, an address is judged, and a socket connects.

aiohttp's own is used but for six things: the policy sees the very address that a socket is
opened for; TCP and TLS together have one time limit, however many addresses there are; a dead
address is tried once; a pooled connection that ended, or on which the receiver spoke unasked,
is not used; a connection bears only so many interim responses; and a recalled attempt stops
at the last moment, with nothing sent.
"""

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler

from sluicegate.engine.ports import Resolver
from sluicegate.http.outbound.aiohttp_protocol import OutboundProtocol
from sluicegate.http.outbound.guard import Guard
from sluicegate.http.outbound.progress import PROGRESS
from sluicegate.http.outbound.sockets import IDLE_S_MAX, in_order

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = [
    "AttemptRecalledError",
    "NoConnectionError",
    "OutboundConnector",
]


class AttemptRecalledError(Exception):
    """The request's `may_start` said no; nothing was sent."""


class NoConnectionError(aiohttp.ClientOSError):
    """No address could be connected to.

    Not a `ClientConnectorError`: on that, aiohttp would try all addresses but the first again.
    """


class _Names(AbstractResolver):
    """Gives aiohttp what our resolver finds, and notes when."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look up `host` for the current attempt."""
        progress = PROGRESS.get()
        progress.look_up_s = progress.now_s()
        addresses = await self._resolver.resolve(host)
        progress.looked_up_s = progress.now_s()
        if not addresses:
            raise OSError("name not resolved")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in in_order(addresses)
        ]

    async def close(self) -> None:
        """Leave the resolver to its owner."""


async def _is_fit(connection: "Connection") -> bool:
    """Return whether a pooled connection may be written to.

    Two turns of the loop let it see what has already arrived: most often the end of the
    connection, which would cost the message a retry; or bytes, which would pass for our answer.
    """
    try:
        for _ in range(2):
            await asyncio.sleep(0)
    except asyncio.CancelledError:
        connection.close()
        raise
    protocol = connection.protocol
    return protocol is not None and protocol.is_connected() and not protocol.should_close


class OutboundConnector(aiohttp.TCPConnector):
    """Connects attempts; each call runs in the context of one (`PROGRESS`).

    Args:
        guard: opens sockets to addresses that are allowed.
        resolver: looks up host names; its owner closes it.
        tls: for https.
        connect_timeout_s: for TCP and TLS together.
    """

    def __init__(
        self, guard: Guard, *, resolver: Resolver, tls: ssl.SSLContext, connect_timeout_s: float
    ) -> None:
        super().__init__(
            resolver=_Names(resolver),
            use_dns_cache=False,
            socket_factory=lambda addr_info: guard.open(addr_info, PROGRESS.get()),
            ssl=tls,
            limit=0,
            limit_per_host=0,
            keepalive_timeout=IDLE_S_MAX,
        )
        self._connect_timeout_s = connect_timeout_s

    async def connect(
        self,
        req: "ClientRequest",
        traces: list["Trace"],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> "Connection":
        """Return a connection that may be written to at once.

        Raises:
            AttemptRecalledError: the attempt must not start any more.
        """
        progress = PROGRESS.get()
        connection = await super().connect(req, traces, timeout)
        while progress.connecting_s is None and not await _is_fit(connection):
            connection.close()
            connection = await super().connect(req, traces, timeout)
        transport = progress.transport = connection.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        progress.address = str(peer[0]) if peer else None
        progress.ready_s = progress.now_s()
        if progress.may_start is not None and not progress.may_start():
            progress.transport = None  # it is the pool's: another attempt may use it
            connection.release()
            raise AttemptRecalledError
        return connection

    async def _wrap_create_connection(
        self,
        *args: Any,  # noqa: ANN401 - aiohttp's signature
        **kwargs: Any,  # noqa: ANN401 - same
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """Connect to the first address that answers, and do the handshake there.

        aiohttp calls this with all addresses and, if a handshake fails, again with the rest.
        The protocol is made when TCP stands: that is how the two phases are told apart.
        """
        progress = PROGRESS.get()
        progress.connecting_s = progress.now_s()
        if progress.connect_by_s is None:
            progress.connect_by_s = progress.connecting_s + self._connect_timeout_s
        elif progress.connecting_s >= progress.connect_by_s:
            raise TimeoutError
        progress.connected_s = None

        _, *rest = args  # the first makes aiohttp's own protocol

        def connected() -> OutboundProtocol:
            progress.connected_s = progress.now_s()
            return OutboundProtocol(loop=asyncio.get_running_loop())

        try:
            async with asyncio.timeout_at(progress.connect_by_s):
                return await super()._wrap_create_connection(connected, *rest, **kwargs)
        except aiohttp.ClientConnectorError as error:
            if progress.connected_s is None:
                raise NoConnectionError(error.errno, "no connection") from error
            raise
