"""The address policy: what a request may be sent to, held to second opinions."""

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.engine.addresses import SPECIAL_NETWORKS, AddressPolicy, Reach
from sluicegate.engine.errors import SettingError

PUBLIC = AddressPolicy(allow_internal=False, allowed_networks=())
DEV = AddressPolicy(allow_internal=True, allowed_networks=())

# Kept by hand, apart from the table: real receivers, and what attackers try.
ALLOWED = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "168.63.129.15",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2620:4f:8000::1",
    "2003::1",
    "3ffe:ffff::1",
    "3fff:1000::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2001:0:808:808::f7f7:f7f7",
]
INTERNAL = [
    "10.0.0.1",
    "10.255.255.255",
    "127.0.0.1",
    "127.1.2.3",
    "127.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:7f00:1",
    "::127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:a00:1::f7f7:f7f7",
    "2001:0:808:808::80ff:fffe",
    "::ffff:0:127.0.0.1",
]
NOWHERE = [
    "0.0.0.0",  # noqa: S104 - refused, not bound
    "0.0.0.1",
    "0.255.255.255",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::2",
    "100::1",
    "64:ff9b:1::1",
    "64:ff9b:1::8.8.8.8",
    "100:0:0:1::1",
    "2001:2::1",
    "2001:20::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "fe80::1",
    "fe80::1%eth0",
    "::ffff:169.254.169.254%eth0",
    "fe80::a9fe:a9fe",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::",
    "::ffff:0.0.0.0",
    "::ffff:224.0.0.1",
    "2001:0:a9fe:a9fe::f7f7:f7f7",
    "0:0:0:0:0:ffff:a9fe:a9fe",
    "4000::1",
    "200::1",
    "1234::1",
]
NO_ADDRESS = (
    *["localhost", "example.com", "127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "127.0.0.01"],
    *(
        "[::1]",
        "8.8.8.8:80",
        "8.8.8.8/32",
        "8.8.8.8%eth0",
        "",
        " 8.8.8.8",
        "8.8.8.8\n",
        "\uff18.8.8.8",
    ),
)


@pytest.mark.parametrize("address", ALLOWED)
def test_a_public_address_is_allowed(address: str) -> None:
    """Whatever the table does not hold may be delivered to."""
    assert PUBLIC.is_allowed(address)
    assert DEV.is_allowed(address)


@pytest.mark.parametrize("address", INTERNAL)
def test_an_internal_address_is_allowed_in_development_only(address: str) -> None:
    """Loopback and private networks, however they are embedded, are for developers."""
    assert not PUBLIC.is_allowed(address)
    assert DEV.is_allowed(address)


@pytest.mark.parametrize("address", [*NOWHERE, *NO_ADDRESS])
def test_some_addresses_are_refused_even_in_development(address: str) -> None:
    """Metadata, link-local, multicast, unspecified, broadcast, and what is no plain address."""
    assert not PUBLIC.is_allowed(address)
    assert not DEV.is_allowed(address)


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("10.1.0.0/16", "10.1.2.3"),
        ("10.1.0.0/16", "::ffff:10.1.2.3"),
        ("10.1.0.0/16", "64:ff9b::10.1.2.3"),
        ("127.0.0.1", "127.0.0.1"),
        ("169.254.169.254/32", "169.254.169.254"),
        ("fe80::/10", "fe80::1%eth0"),
        ("64:ff9b:1::/48", "64:ff9b:1::1"),
        ("2002::/16", "2002:7f00:1::"),
        ("::/0", "::1"),
    ],
)
def test_an_allowed_network_wins_over_refusal(network: str, address: str) -> None:
    """The operator knows the network: what is named is allowed, whatever the table says."""
    assert not PUBLIC.is_allowed(address)
    assert AddressPolicy(allow_internal=False, allowed_networks=[network]).is_allowed(address)


@pytest.mark.parametrize("address", ["10.2.0.1", "127.0.0.1", "::ffff:10.2.0.1", "fd00:ec2::254"])
def test_an_allowed_network_allows_nothing_beside_it(address: str) -> None:
    """One exception does not open the rest."""
    policy = AddressPolicy(allow_internal=False, allowed_networks=["10.1.0.0/16", "fd00::/32"])
    assert not policy.is_allowed(address)


def test_an_ipv6_network_does_not_allow_mapped_ipv4() -> None:
    """A connection to ::ffff:127.0.0.1 is IPv4: only an IPv4 network can allow it."""
    policy = AddressPolicy(allow_internal=False, allowed_networks=["::/0"])
    assert not policy.is_allowed("::ffff:127.0.0.1")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "intranet", "", "::/129"])
def test_a_malformed_allowed_network_stops_the_start(text: str) -> None:
    """A typing error must not open or close a network silently."""
    with pytest.raises(SettingError, match="allowed_networks"):
        AddressPolicy(allow_internal=False, allowed_networks=["10.0.0.0/8", text])


# What carries an IPv4 address is judged by it; the table's rows do not show the verdict.
EMBEDDING = [IPv6Network(n) for n in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "2001::/32")]


def row_of(address: IPv4Address | IPv6Address) -> Reach | None:
    """Return what the table says, by a plain scan of our own."""
    for network, reach, _ in SPECIAL_NETWORKS:
        if address in network:
            return reach
    return None


@pytest.mark.parametrize("row", SPECIAL_NETWORKS, ids=lambda row: str(row[0]))
def test_a_network_is_refused_from_its_first_to_its_last_address(
    row: tuple[IPv4Network | IPv6Network, Reach, str],
) -> None:
    """The edges belong to a network, its neighbours are judged for themselves."""
    network = row[0]
    for address in (network[0], network[-1]):
        assert not PUBLIC.is_allowed(str(address))
    for number in (int(network[0]) - 1, int(network[-1]) + 1):
        if not 0 <= number < 2**network.max_prefixlen:
            continue
        neighbour = type(network[0])(number)
        if any(neighbour in each for each in EMBEDDING if each.version == network.version):
            continue
        delegated = neighbour.version == 4 or neighbour in IPv6Network("2000::/3")
        assert PUBLIC.is_allowed(str(neighbour)) == (row_of(neighbour) is None and delegated)


@given(
    row=st.sampled_from([row for row in SPECIAL_NETWORKS if row[0] not in EMBEDDING]),
    data=st.data(),
)
def test_every_address_of_a_network_is_refused(
    row: tuple[IPv4Network | IPv6Network, Reach, str], data: st.DataObject
) -> None:
    """Not only the edges; Teredo, inside 2001::/23, is judged by what it carries."""
    network = row[0]
    offset = data.draw(st.integers(0, network.num_addresses - 1))
    address = network[offset]
    if address not in IPv6Network("2001::/32"):
        assert not PUBLIC.is_allowed(str(address))
        assert DEV.is_allowed(str(address)) == (row_of(address) is Reach.INTERNAL)


@given(st.ip_addresses(v=4))
def test_ipv4_is_judged_as_the_standard_library_does(address: IPv4Address) -> None:
    """A second opinion, where it is right on every version: multicast and few others differ."""
    ours = PUBLIC.is_allowed(str(address))
    theirs = address.is_global and not address.is_multicast
    stricter = ("192.88.99.0/24", "168.63.129.16/32", "192.0.0.0/24")
    if not any(address in IPv4Network(each) for each in stricter):
        assert ours == theirs


@given(st.ip_addresses(v=6, network="2000::/3"))
def test_ipv6_is_judged_as_the_standard_library_does(address: IPv6Address) -> None:
    """A second opinion on global unicast, but for what the standard library learnt late."""
    differing = ("2001::/23", "2002::/16", "3fff::/20")
    if not any(address in IPv6Network(each) for each in differing):
        assert PUBLIC.is_allowed(str(address)) == address.is_global


@given(st.ip_addresses(v=4), st.booleans())
def test_an_embedded_address_decides(address: IPv4Address, dev: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
    """Mapped, NAT64, 6to4 and Teredo reach what the address in them reaches."""
    policy = DEV if dev else PUBLIC
    number, verdict = int(address), policy.is_allowed(str(address))
    mapped = IPv6Address((0xFFFF << 32) | number)
    nat64 = IPv6Address((0x64FF9B << 96) | number)
    to6 = IPv6Address((0x2002 << 112) | (number << 80) | 1)
    server = IPv6Address((0x20010000 << 96) | (number << 64) | (~0x08080808 & 0xFFFFFFFF))
    client = IPv6Address((0x20010000 << 96) | (0x08080808 << 64) | (~number & 0xFFFFFFFF))
    for embedding in (mapped, nat64, to6, server, client):
        assert policy.is_allowed(str(embedding)) == verdict, embedding
        assert policy.is_allowed(embedding.exploded) == verdict, embedding


def test_every_row_names_its_source() -> None:
    """A row is an RFC's or a named provider's, or it does not stand."""
    for network, _, source in SPECIAL_NETWORKS:
        assert "RFC" in source or "service of" in source, network
        assert ipaddress.ip_network(str(network)) == network
