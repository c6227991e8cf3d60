"""Names and addresses: the DNS of a simulation."""

import socket
from collections.abc import Sequence

__all__ = ["OUTSIDE_NAME", "Names"]

OUTSIDE_NAME = "outside"
"""What the world outside of all hosts is called: where the tester's own connections come from."""
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
