"""The sockets that attempts connect with, and the addresses that they connect to."""

import ctypes
import errno
import socket
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest

__all__ = [
    "ADDRESSES_MAX",
    "IDLE_S_MAX",
    "SHORTAGES",
    "AddrInfo",
    "SocketFactory",
    "in_order",
    "is_silent",
    "open_socket",
]

AddrInfo = tuple[
    int | socket.AddressFamily,
    int | socket.SocketKind,
    int,
    str,
    tuple[str, int] | tuple[str, int, int, int],
]
"""What a socket is opened for: family, kind, protocol, no name, address; as of `getaddrinfo`."""

SocketFactory = Callable[[AddrInfo], socket.socket]
"""Opens sockets; a simulated network brings its own."""

SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What this machine has run out of. No receiver can cause these, so none may pay for them."""
ADDRESSES_MAX = 4
"""How many addresses of a name are tried in one attempt."""
IDLE_S_MAX = 4.0
"""How long an idle connection is kept. Node.js and Apache drop theirs after 5 s; who keeps it
longer sends into a closing connection, and a POST must not be repeated then (RFC 9110 §9.2.2).
What a receiver says of it (`Keep-Alive: timeout=…`) is not asked."""
_UNACKNOWLEDGED_MS_MAX = 150_000
"""When the kernel gives up a socket whose peer takes nothing: longer than any attempt, and the
end of those that were closed with bytes unsent, which it would else keep as long as the peer
likes (RFC 5482)."""


# `socket.recv` lets another thread have the interpreter for the moment that this takes; to get it
# back cost a fifteenth of all CPU of a message. `PyDLL` keeps it.
_recv = ctypes.PyDLL(None, use_errno=True).recv
_recv.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_recv.restype = ctypes.c_ssize_t
_BYTE = ctypes.create_string_buffer(1)
_BYTE_AT = ctypes.addressof(_BYTE)
_LOOK = socket.MSG_PEEK | socket.MSG_DONTWAIT
_NOTHING_YET = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR})


def is_silent(used: socket.socket) -> bool:
    """Return whether nothing has arrived on a connected socket: no bytes, no end, no error.

    Never blocks. What has arrived stays there.
    """
    descriptor = used.fileno()
    if descriptor >= 0:
        return _recv(descriptor, _BYTE_AT, 1, _LOOK) < 0 and ctypes.get_errno() in _NOTHING_YET
    try:  # it is closed, or of a network without descriptors
        used.recv(1, socket.MSG_PEEK)
    except (BlockingIOError, InterruptedError):
        return True
    except OSError:
        return False
    return False


def open_socket(addr_info: AddrInfo) -> socket.socket:
    """Open a TCP socket that does not outlive a peer who takes nothing."""
    family, kind, protocol, _, _ = addr_info
    opened = socket.socket(family=family, type=kind, proto=protocol)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS_MAX)
    return opened


def in_order(addresses: Sequence[str]) -> list[str]:
    """Return the addresses to try, not too many, both families among the first (RFC 8305 §4)."""
    first = [each for each in addresses if (":" in each) == (":" in addresses[0])]
    other = [each for each in addresses if (":" in each) != (":" in addresses[0])]
    pairs = chain.from_iterable(zip_longest(first, other))
    return [each for each in pairs if each is not None][:ADDRESSES_MAX]
