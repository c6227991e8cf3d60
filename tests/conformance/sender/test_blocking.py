"""Addresses that are not allowed: nothing is sent there, by whatever name or spelling."""

from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.outcome import OutcomeKind
from sluicegate.engine.ports import Request

if TYPE_CHECKING:
    from tests.conformance.sender.conftest import Link, MakeReceiver, MakeSender

PUBLIC = AddressPolicy(allow_internal=False, allowed_networks=())

LOOPBACK = [
    *("127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "017700000001"),
    *("0x7f000001", "0x7f.1", "0x7F.0x0.0x0.0x1", "0177.0.0.1", "127.0.0.01", "0"),
    "0.0.0.0",  # noqa: S104 - connected to, not bound
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    *("[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]"),
    *("\uff11\uff12\uff17.0.0.1", "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460", "127\u30020.0.1"),
]


def a_request(url: str) -> Request:
    """Return a small request."""
    return Request(url=url, headers=(), body=b"{}", timeout_s=5)


async def serve(link: "Link") -> None:
    """Answer one request."""
    await link.read_request()
    await link.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("host", LOOPBACK)
async def test_no_spelling_of_an_internal_address_gets_through(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", host: str
) -> None:
    """The receiver listens, and hears nothing."""
    receiver = await make_receiver(serve)
    canonical = {"0x7f.1": ("127.0.0.1",), "0x7f000001": ("127.0.0.1",)}  # as a resolver would
    sender = make_sender(policy=PUBLIC, names={**canonical, "0x7f.0x0.0x0.0x1": ("127.0.0.1",)})
    outcome = await sender.post(a_request(receiver.url(host=host)))
    assert outcome.kind is OutcomeKind.BLOCKED
    assert outcome.error is not None
    assert outcome.resolved_ip is None
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254"]
)
async def test_a_name_that_leads_inside_is_blocked(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", address: str
) -> None:
    """What counts is the address at the moment of connecting, not what the name was before."""
    receiver = await make_receiver(serve)
    sender = make_sender(policy=PUBLIC, names={"rebound.test": (address,)})
    outcome = await sender.post(a_request(receiver.url(host="rebound.test")))
    assert outcome.kind is OutcomeKind.BLOCKED
    assert receiver.connections == 0


async def test_only_the_allowed_address_of_a_name_is_connected_to(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """A name with an internal address among others is delivered to the others."""
    receiver = await make_receiver(serve)
    policy = AddressPolicy(allow_internal=False, allowed_networks=["127.0.0.1/32"])
    sender = make_sender(policy=policy, names={"mixed.test": ("127.0.0.2", "127.0.0.1")})
    outcome = await sender.post(a_request(receiver.url(host="mixed.test")))
    assert outcome.status == 200
    assert outcome.resolved_ip == "127.0.0.1"


async def test_a_name_that_moved_inside_is_blocked_on_its_next_connection(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """A name that answers otherwise the second time gains nothing."""
    receiver = await make_receiver(serve)
    names = {"moving.test": ("127.0.0.1",)}
    policy = AddressPolicy(allow_internal=False, allowed_networks=["127.0.0.1/32"])
    sender = make_sender(policy=policy, names=names)
    assert (await sender.post(a_request(receiver.url(host="moving.test")))).status == 200
    await receiver.idle()
    names["moving.test"] = ("127.0.0.2",)
    outcome = await sender.post(a_request(receiver.url(host="moving.test")))
    assert outcome.kind is OutcomeKind.BLOCKED
    assert receiver.connections == 1
