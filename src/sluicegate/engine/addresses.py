"""Which addresses a request may be sent to: the public internet, and what the operator allows.

The table is our own. `ipaddress.is_global` differs between Python versions and lets NAT64, 6to4
and multicast through on some of them. Each row stands in the IANA IPv4 or IPv6 Special-Purpose
Address Registry, or names its source. What is not in a row is refused unless it is IPv4 or
lies in 2000::/3, the only space that IANA has delegated for global unicast (RFC 4291 §2.4).

An IPv6 address that carries an IPv4 address is judged by the latter, for that is where the
packets end.
"""

from collections.abc import Sequence
from enum import Enum, auto
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from sluicegate.engine.errors import SettingError

__all__ = ["SPECIAL_NETWORKS", "AddressPolicy", "Reach"]


class Reach(Enum):
    """How far a special-purpose network reaches."""

    INTERNAL = auto()
    """This machine or this organisation: a developer may deliver to it."""
    NOWHERE = auto()
    """Nothing that a webhook may be sent to, not even by a developer."""


_IPv4 = IPv4Network
_IPv6 = IPv6Network

SPECIAL_NETWORKS: tuple[tuple[IPv4Network | IPv6Network, Reach, str], ...] = (
    # Metadata services come first: some lie inside networks that a developer may deliver to.
    (_IPv4("169.254.169.254/32"), Reach.NOWHERE, "metadata service of AWS, GCP, Azure and others"),
    (_IPv4("100.100.100.200/32"), Reach.NOWHERE, "metadata service of Alibaba Cloud"),
    (_IPv4("168.63.129.16/32"), Reach.NOWHERE, "platform service of Azure"),
    (_IPv6("fd00:ec2::254/128"), Reach.NOWHERE, "metadata service of AWS"),
    (_IPv6("fd20:ce::254/128"), Reach.NOWHERE, "metadata service of GCP"),
    # IANA IPv4 Special-Purpose Address Registry.
    (_IPv4("0.0.0.0/8"), Reach.NOWHERE, "this network, RFC 791 §3.2"),
    (_IPv4("10.0.0.0/8"), Reach.INTERNAL, "private use, RFC 1918"),
    (_IPv4("100.64.0.0/10"), Reach.INTERNAL, "shared address space, RFC 6598"),
    (_IPv4("127.0.0.0/8"), Reach.INTERNAL, "loopback, RFC 1122 §3.2.1.3"),
    (_IPv4("169.254.0.0/16"), Reach.NOWHERE, "link-local, RFC 3927"),
    (_IPv4("172.16.0.0/12"), Reach.INTERNAL, "private use, RFC 1918"),
    # Some addresses of this block are registered as global, but as anycast addresses of the
    # local network's own services (RFC 7723, RFC 8155): no webhook receiver is among them.
    (_IPv4("192.0.0.0/24"), Reach.NOWHERE, "IETF protocol assignments, RFC 6890 §2.1"),
    (_IPv4("192.0.2.0/24"), Reach.NOWHERE, "documentation, RFC 5737"),
    (_IPv4("192.88.99.0/24"), Reach.NOWHERE, "6to4 relay anycast, RFC 7526"),
    (_IPv4("192.168.0.0/16"), Reach.INTERNAL, "private use, RFC 1918"),
    (_IPv4("198.18.0.0/15"), Reach.NOWHERE, "benchmarking, RFC 2544"),
    (_IPv4("198.51.100.0/24"), Reach.NOWHERE, "documentation, RFC 5737"),
    (_IPv4("203.0.113.0/24"), Reach.NOWHERE, "documentation, RFC 5737"),
    (_IPv4("224.0.0.0/4"), Reach.NOWHERE, "multicast, RFC 5771"),
    (_IPv4("240.0.0.0/4"), Reach.NOWHERE, "reserved, RFC 1112 §4; broadcast, RFC 919 §7"),
    # IANA IPv6 Special-Purpose Address Registry.
    (_IPv6("::/128"), Reach.NOWHERE, "unspecified, RFC 4291 §2.5.2"),
    (_IPv6("::1/128"), Reach.INTERNAL, "loopback, RFC 4291 §2.5.3"),
    (_IPv6("64:ff9b:1::/48"), Reach.NOWHERE, "local-use NAT64, RFC 8215"),
    (_IPv6("100::/64"), Reach.NOWHERE, "discard-only, RFC 6666"),
    (_IPv6("100:0:0:1::/64"), Reach.NOWHERE, "dummy prefix, RFC 9780"),
    # Registered as global inside: anycast addresses, AMT, AS112, identifiers. None receives.
    (_IPv6("2001::/23"), Reach.NOWHERE, "IETF protocol assignments, RFC 2928"),
    (_IPv6("2001:db8::/32"), Reach.NOWHERE, "documentation, RFC 3849"),
    (_IPv6("3fff::/20"), Reach.NOWHERE, "documentation, RFC 9637"),
    (_IPv6("5f00::/16"), Reach.NOWHERE, "segment routing identifiers, RFC 9602"),
    (_IPv6("fc00::/7"), Reach.INTERNAL, "unique local, RFC 4193"),
    (_IPv6("fe80::/10"), Reach.NOWHERE, "link-local, RFC 4291 §2.5.6"),
    (_IPv6("fec0::/10"), Reach.NOWHERE, "site-local, RFC 3879"),
    (_IPv6("ff00::/8"), Reach.NOWHERE, "multicast, RFC 4291 §2.7"),
)
"""Each network, how far it reaches, and what it is; the first row that holds an address counts."""

_GLOBAL_UNICAST = _IPv6("2000::/3")

# Where an IPv4 address stands in an IPv6 address: how many bits lie to the right of it.
_EMBEDDINGS: tuple[tuple[IPv6Network, int], ...] = (
    (_IPv6("::ffff:0:0:0/96"), 0),  # IPv4-translated, RFC 2765 §2.1
    (_IPv6("64:ff9b::/96"), 0),  # NAT64, RFC 6052 §2.1
    (_IPv6("2002::/16"), 80),  # 6to4, RFC 3056 §2
    (_IPv6("::/96"), 0),  # IPv4-compatible, RFC 4291 §2.5.5.1
)
_TEREDO = _IPv6("2001::/32")
_UINT32 = 0xFFFFFFFF


class AddressPolicy:
    """Says whether a request may be sent to an address. Immutable; safe from any thread.

    Args:
        allow_internal: let loopback, private, shared and unique local addresses through, for
            development. Metadata services, link-local, multicast and the like stay refused.
        allowed_networks: networks in CIDR notation, or single addresses, that are allowed
            whatever the table says.

    Raises:
        SettingError: an entry of `allowed_networks` is no network, or has host bits set.
    """

    def __init__(self, *, allow_internal: bool, allowed_networks: Sequence[str]) -> None:
        self._allow_internal = allow_internal
        self._allowed_networks = tuple(_network(text) for text in allowed_networks)

    def is_allowed(self, address: str) -> bool:
        """Return whether a request may be sent to `address`.

        Args:
            address: an IPv4 address as a dotted quad, or an IPv6 address, with a scope id or
                without. Anything else (a name, another spelling of an address) is refused.
        """
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            # On the wire this *is* IPv4 (RFC 4291 §2.5.5.2): no IPv6 network may allow it.
            parsed = parsed.ipv4_mapped
        return self._allows(parsed)

    def _allows(self, address: IPv4Address | IPv6Address) -> bool:
        if any(address in network for network in self._allowed_networks):
            return True
        if isinstance(address, IPv6Address):
            embedded = _embedded(address)
            if embedded:
                return all(self._allows(each) for each in embedded)
        for network, reach, _ in SPECIAL_NETWORKS:
            if address in network:
                return reach is Reach.INTERNAL and self._allow_internal
        return isinstance(address, IPv4Address) or address in _GLOBAL_UNICAST


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise SettingError(
            f"allowed_networks: {text!r} is not a network: {error}",
            details={"setting": "allowed_networks", "value": text},
        ) from None


def _embedded(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses that a packet to `address` would be carried to."""
    number = int(address)
    if number <= 1:  # unspecified and loopback are no IPv4-compatible addresses
        return ()
    if address in _TEREDO:  # RFC 4380 §4: the server, and the client with its bits inverted
        return (
            IPv4Address(number >> 64 & _UINT32),
            IPv4Address(~number & _UINT32),
        )
    for network, shift in _EMBEDDINGS:
        if address in network:
            return (IPv4Address(number >> shift & _UINT32),)
    return ()
