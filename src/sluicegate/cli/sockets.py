"""The sockets that a server listens on, bound before anything else is started."""

import asyncio
import errno
import socket

from sluicegate.cli.failures import StartError
from sluicegate.engine.setting_rules import refuse

__all__ = ["bind_sockets"]


async def bind_sockets(host: str, port: int) -> list[socket.socket]:
    """Bind one socket for each address of `host`; they do not listen yet.

    With port 0 only the first address is bound, so that there is one port to tell.

    Raises:
        StartError: the port is in use or not permitted, or the host is not of this machine.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise StartError(_not_here(host)) from None
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    bound: list[socket.socket] = []
    try:
        for family, address in addresses if port else addresses[:1]:
            bound.append(_bind(family, address))
    except OSError as error:
        for each in bound:
            each.close()
        raise StartError(_reason(error, host, port)) from None
    return bound


def _bind(family: int, address: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Else a restart would wait for the last minute's connections to be forgotten.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def _reason(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return refuse("port", str(port), f"a port that is free; on {host} it is in use").message
        case errno.EACCES:
            return refuse("port", str(port), "a port that this user may listen on").message
        case errno.EADDRNOTAVAIL:
            return _not_here(host)
        case _:
            return f"cannot listen on {host} port {port}: {error.strerror}"


def _not_here(host: str) -> str:
    return refuse("host", repr(host), "an address or a name of this machine").message
