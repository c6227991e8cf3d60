"""TLS towards receivers: who is believed, and what is said when nobody is."""

import datetime as dt
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from sluicegate.engine.outcome import OutcomeKind
from sluicegate.engine.ports import Request
from sluicegate.engine.settings import Settings

if TYPE_CHECKING:
    from tests.conformance.sender.conftest import Link, MakeReceiver, MakeSender

NAMES = {"good.test": ("127.0.0.1",), "other.test": ("127.0.0.1",)}


def a_request(url: str) -> Request:
    """Return a small request."""
    return Request(url=url, headers=(), body=b"{}", timeout_s=5)


async def serve(link: "Link") -> None:
    """Answer request after request."""
    while True:
        await link.read_request()
        await link.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority of our own."""
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA, tmp_path: Path) -> Settings:
    """Return settings under which that authority is believed."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return Settings(tls_ca_file=str(path))


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server's context with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def test_a_certificate_of_a_trusted_authority_is_accepted(
    make_sender: "MakeSender",
    make_receiver: "MakeReceiver",
    authority: trustme.CA,
    trusting: Settings,
) -> None:
    """Authorities of `tls_ca_file` are believed; the handshake is measured; TLS is kept alive."""
    receiver = await make_receiver(serve, tls=context_of(authority.issue_cert("good.test")))
    sender = make_sender(settings=trusting, names=NAMES)
    url = receiver.url(host="good.test")
    first, second = await sender.post(a_request(url)), await sender.post(a_request(url))
    assert first.status == second.status == 200
    assert first.timings.tcp_connect_ms is not None
    assert first.timings.tls_handshake_ms is not None
    assert first.timings.tls_handshake_ms > 0
    assert first.resolved_ip == "127.0.0.1"
    assert second.timings.conn_reused
    assert second.timings.tls_handshake_ms is None


async def test_a_certificate_for_an_address_is_accepted(
    make_sender: "MakeSender",
    make_receiver: "MakeReceiver",
    authority: trustme.CA,
    trusting: Settings,
) -> None:
    """An address literal is held to the certificate's address."""
    receiver = await make_receiver(serve, tls=context_of(authority.issue_cert("127.0.0.1")))
    outcome = await make_sender(settings=trusting).post(a_request(receiver.url()))
    assert outcome.status == 200


async def test_a_certificate_for_another_host_is_refused(
    make_sender: "MakeSender",
    make_receiver: "MakeReceiver",
    authority: trustme.CA,
    trusting: Settings,
) -> None:
    """Host names are verified; nothing is sent."""
    receiver = await make_receiver(serve, tls=context_of(authority.issue_cert("good.test")))
    sender = make_sender(settings=trusting, names=NAMES)
    outcome = await sender.post(a_request(receiver.url(host="other.test")))
    assert outcome.kind is OutcomeKind.TLS_ERROR
    assert outcome.error is not None
    assert "ostname mismatch" in outcome.error


async def test_an_unknown_authority_is_refused(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", authority: trustme.CA
) -> None:
    """Without `tls_ca_file`, only the system's authorities are believed."""
    receiver = await make_receiver(serve, tls=context_of(authority.issue_cert("good.test")))
    outcome = await make_sender(names=NAMES).post(a_request(receiver.url(host="good.test")))
    assert outcome.kind is OutcomeKind.TLS_ERROR
    assert outcome.error is not None
    assert outcome.error.startswith("certificate not accepted: ")


async def test_an_expired_certificate_is_refused(
    make_sender: "MakeSender",
    make_receiver: "MakeReceiver",
    authority: trustme.CA,
    trusting: Settings,
) -> None:
    """However trusted its authority."""
    long_ago = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    certificate = authority.issue_cert("good.test", not_before=long_ago, not_after=long_ago)
    receiver = await make_receiver(serve, tls=context_of(certificate))
    sender = make_sender(settings=trusting, names=NAMES)
    outcome = await sender.post(a_request(receiver.url(host="good.test")))
    assert outcome.kind is OutcomeKind.TLS_ERROR
    assert outcome.error is not None
    assert "expired" in outcome.error


async def test_an_end_without_a_close_notify_is_an_end(
    make_sender: "MakeSender",
    make_receiver: "MakeReceiver",
    authority: trustme.CA,
    trusting: Settings,
) -> None:
    """Many receivers hang up like that: who said 2xx has the message."""

    async def behave(link: "Link") -> None:
        await link.read_request()
        await link.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        # What follows is no close of TLS: the transport is aborted.

    receiver = await make_receiver(behave, tls=context_of(authority.issue_cert("good.test")))
    sender = make_sender(settings=trusting, names=NAMES)
    outcome = await sender.post(a_request(receiver.url(host="good.test")))
    assert (outcome.status, outcome.body) == (200, b"all of it")
    assert outcome.timings.total_ms < 4000


async def test_old_tls_is_refused(
    make_sender: "MakeSender",
    make_receiver: "MakeReceiver",
    authority: trustme.CA,
    trusting: Settings,
) -> None:
    """TLS 1.2 is the oldest that is spoken (RFC 8996)."""
    context = context_of(authority.issue_cert("good.test"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    receiver = await make_receiver(serve, tls=context)
    sender = make_sender(settings=trusting, names=NAMES)
    outcome = await sender.post(a_request(receiver.url(host="good.test")))
    assert outcome.kind is OutcomeKind.TLS_ERROR


async def test_a_receiver_without_tls_is_a_tls_error(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """What answers a ClientHello in clear text is not spoken to."""

    async def behave(link: "Link") -> None:
        await link.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await link.gone()

    receiver = await make_receiver(behave)
    url = receiver.url().replace("http:", "https:")
    outcome = await make_sender().post(a_request(url))
    assert outcome.kind is OutcomeKind.TLS_ERROR
    assert receiver.connections == 1


async def test_hanging_up_in_the_handshake_is_a_tls_error(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """TCP stood, TLS did not: the outcome says which."""

    async def behave(link: "Link") -> None:
        link.reset()

    receiver = await make_receiver(behave)
    outcome = await make_sender().post(a_request(receiver.url().replace("http:", "https:")))
    assert outcome.kind is OutcomeKind.TLS_ERROR
    assert outcome.timings.tcp_connect_ms is not None
