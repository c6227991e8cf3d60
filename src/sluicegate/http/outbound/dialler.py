"""The dialler: where a name becomes an address, an address is judged, and a socket connects.

The policy sees the very address that a socket is opened for; TCP and TLS together have one time
limit, however many addresses there are; and a dead address is tried once.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from ipaddress import ip_address

import aiohappyeyeballs

from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.outcome import OutcomeKind
from sluicegate.engine.ports import Resolver
from sluicegate.http.outbound import failures
from sluicegate.http.outbound.connection import Connection
from sluicegate.http.outbound.guard import Guard
from sluicegate.http.outbound.progress import Progress
from sluicegate.http.outbound.resolver import canonical_address
from sluicegate.http.outbound.sockets import SHORTAGES, AddrInfo, in_order
from sluicegate.http.outbound.target import Target
from sluicegate.http.outbound.tls import check_name, tls_fault

__all__ = ["Dialler", "NotConnectedError"]

_NEXT_ADDRESS_AFTER_S = 0.25
"""When the next address is tried beside one that does not answer (RFC 8305 §5)."""


class NotConnectedError(Exception):
    """No connection stands.

    Attributes:
        kind: what the attempt came to.
    """

    def __init__(self, kind: OutcomeKind, text: str) -> None:
        """Say what the attempt came to, and in one line why."""
        super().__init__(text)
        self.kind = kind


class Dialler:
    """Makes connections.

    Args:
        guard: opens sockets to addresses that are allowed.
        resolver: looks up host names; its owner closes it.
        tls: for https.
        connect_timeout_s: for TCP and TLS together.
    """

    def __init__(
        self, guard: Guard, *, resolver: Resolver, tls: ssl.SSLContext, connect_timeout_s: float
    ) -> None:
        self._guard = guard
        self._resolver = resolver
        self._tls = tls
        self._connect_timeout_s = connect_timeout_s

    async def dial(
        self, target: Target, progress: Progress, make: Callable[[], Connection]
    ) -> Connection:
        """Return a new connection to `target`, and leave in `progress` how it came to be.

        Cancelled, it leaves nothing open.

        Args:
            target: where to.
            progress: the attempt's.
            make: makes the connection's protocol.

        Raises:
            NotConnectedError: no address could be connected to.
            UnavailableError: this machine lacks the means for a connection.
            ValueError: no certificate can name the host.
        """
        if target.secure:
            check_name(target.certified_name)
        waiting = await self._addresses(target, progress)
        started_s = progress.connecting_s = progress.now_s()
        try:
            async with asyncio.timeout_at(started_s + self._connect_timeout_s):
                while True:
                    try:
                        return await self._connect(target, waiting, progress, make)
                    except OSError:
                        # After a handshake that failed those that were not tried are left.
                        if progress.connected_s is None or not waiting:
                            raise
        except OSError as error:
            raise self._failure(error, progress) from error

    async def _addresses(self, target: Target, progress: Progress) -> list[AddrInfo]:
        found: tuple[str, ...]
        if _is_address(target.host):
            found = (target.host,)
        elif canonical_address(target.host) is not None:
            raise NotConnectedError(OutcomeKind.BLOCKED, failures.BAD_HOST)
        else:
            progress.look_up_s = progress.now_s()
            found = await self._resolver.resolve(target.host)
            progress.looked_up_s = progress.now_s()
        if not found:
            raise NotConnectedError(OutcomeKind.DNS_ERROR, failures.NOT_RESOLVED)
        return [_addr_info(each, target.port) for each in in_order(found)]

    async def _connect(
        self,
        target: Target,
        waiting: list[AddrInfo],
        progress: Progress,
        make: Callable[[], Connection],
    ) -> Connection:
        """Connect to the first address that answers, and do the handshake there.

        What need not be tried again leaves `waiting`.
        """

        def open_allowed(addr_info: AddrInfo) -> socket.socket:
            tried.append(addr_info)
            return self._guard.open(addr_info, progress)

        tried: list[AddrInfo] = []
        progress.connecting_s, progress.connected_s = progress.now_s(), None
        loop = asyncio.get_running_loop()
        used = await aiohappyeyeballs.start_connection(
            waiting,
            happy_eyeballs_delay=_NEXT_ADDRESS_AFTER_S,
            loop=loop,
            socket_factory=open_allowed,
        )
        progress.connected_s = progress.now_s()
        waiting[:] = [each for each in waiting if each not in tried]
        transport, connection = await loop.create_connection(
            make,
            sock=used,
            ssl=self._tls if target.secure else None,
            server_hostname=target.certified_name if target.secure else None,
        )
        progress.transport = transport
        progress.ready_s = progress.now_s()
        connection.stands_on(used)
        return connection

    def _failure(self, error: OSError, progress: Progress) -> Exception:
        """Return what to raise for what happened while connecting."""
        if error.errno in SHORTAGES or progress.fell_short:
            return UnavailableError(failures.SHORTAGE)
        kind, text = OutcomeKind.CONNECTION_ERROR, failures.FAILED
        if progress.refused is not None and not progress.dialled:
            kind, text = OutcomeKind.BLOCKED, failures.refused(progress.refused)
        elif isinstance(error, TimeoutError) and error.errno is None:
            kind, text = OutcomeKind.TIMEOUT, failures.NOT_CONNECTED_IN_TIME
        elif (what := tls_fault(error)) is not None:
            kind, text = OutcomeKind.TLS_ERROR, what
        elif progress.in_handshake:
            kind, text = OutcomeKind.TLS_ERROR, failures.CLOSED_IN_HANDSHAKE
        elif error.errno is not None:
            text = os.strerror(error.errno).lower()
        return NotConnectedError(kind, text)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _addr_info(address: str, port: int) -> AddrInfo:
    stream = socket.SOCK_STREAM, socket.IPPROTO_TCP, ""
    if ":" in address:
        return (socket.AF_INET6, *stream, (address, port, 0, 0))
    return (socket.AF_INET, *stream, (address, port))
