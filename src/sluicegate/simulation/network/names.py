"""Names and addresses: the DNS of a simulation."""

import re
import socket
from collections.abc import Sequence

__all__ = ["OUTSIDE_NAME", "Names", "check_host_name"]

OUTSIDE_NAME = "outside"
"""What the world outside of all hosts is called: where the tester's own connections come from."""
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.(?!\Z)|\Z))+")
"""RFC 1123 §2.1, in lower case, as a URL's host is compared."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1", "::"})  # noqa: S104 - names, of no real machine


class Names:
    """Each host has one public IPv4 address, given in the order in which hosts are first named.

    A name can also lead to the addresses of other hosts (`publish`).
    """

    def __init__(self) -> None:
        """Know nobody."""
        self._addresses: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._published: dict[str, tuple[str, ...]] = {}

    def address(self, name: str) -> str:
        """Return the address of a host, which gets one if it has none; an address is itself."""
        if name.replace(".", "").isdigit():
            return name
        known = self._addresses.get(name)
        if known is None:
            number = len(self._addresses) + 1
            known = self._addresses[name] = f"44.0.{number >> 8}.{number & 255}"
            self._names[known] = name
        return known

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of the hosts that have an address, in the order in which they got it."""
        return tuple(self._addresses)

    def name(self, address: str) -> str:
        """Return the name of the host at an address; the address if nobody is there."""
        return self._names.get(address, address)

    def publish(self, name: str, hosts: Sequence[str]) -> None:
        """Let a name lead to these hosts from now on, in this order; nowhere if there is none."""
        self._published[name] = tuple(self.address(each) for each in hosts)

    def look_up(self, name: str, *, here: str) -> tuple[str, ...]:
        """Return the addresses of a name, as the host `here` sees them.

        Raises:
            socket.gaierror: there is no such name.
        """
        if name in _LOOPBACK:
            return (self.address(here),)
        if name.replace(".", "").isdigit():
            return (name,)
        found = self._published.get(name)
        if found is None and name in self._addresses:
            found = (self._addresses[name],)
        if not found:
            raise unknown_name()
        return found

    def stale(self, name: str) -> str:
        """Return an address that a name had once, and where nobody is now."""
        return self.address(name).replace("44.0.", "44.128.", 1)


def unknown_name() -> socket.gaierror:
    """Return what a look-up raises that finds nothing."""
    return socket.gaierror(socket.EAI_NONAME, "name or service not known")


def check_host_name(name: str) -> None:
    """Refuse what no host can be called.

    Raises:
        ValueError: it is no host name in lower case, an address, or stands for something else.
    """
    if _HOST_NAME.fullmatch(name) is None:
        raise ValueError(
            f"{name!r} is no host name: letters in lower case, digits, hyphens; dots between"
        )
    if name.replace(".", "").isdigit():
        raise ValueError(f"{name!r} is an address: give a host name, the host gets an address")
    if name == OUTSIDE_NAME or name in _LOOPBACK:
        raise ValueError(f"no host can be called {name!r}: it is what others call something else")
