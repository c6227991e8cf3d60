"""Receivers that misbehave: each comes to an outcome, in time, and the connection is closed."""

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluicegate.engine.outcome import OutcomeKind
from sluicegate.engine.ports import Request
from sluicegate.engine.settings import Settings

if TYPE_CHECKING:
    from tests.conformance.sender.conftest import Behaviour, Link, MakeReceiver, MakeSender

SECRET = "s3cr3t"


def a_request(url: str, *, timeout_s: float = 30, body: bytes = b"{}") -> Request:
    """Return a request with something in it that must not be told."""
    return Request(
        url=f"{url}?token={SECRET}", headers=(("X-A", SECRET),), body=body, timeout_s=timeout_s
    )


def after_request(*pieces: bytes) -> "Behaviour":
    """Return a behaviour that reads one request, sends something and hangs up."""

    async def behave(link: "Link") -> None:
        await link.read_request()
        await link.send(*pieces)

    return behave


async def hang(link: "Link") -> None:
    """Take everything, say nothing."""
    await link.gone()


async def drip_head(link: "Link") -> None:
    """Send a head that never ends, so slowly that no time limit per read would help."""
    await link.read_request()
    await link.send(b"HTTP/1.1 200 OK\r\n")
    hung_up = asyncio.create_task(link.gone())
    while not hung_up.done():
        await link.send(b"X-A: b\r\n")
        await asyncio.wait({hung_up}, timeout=0.02)


async def interim_for_ever(link: "Link") -> None:
    """Never come to the point."""
    await link.read_request()
    await link.send_until_gone(b"HTTP/1.1 102 Processing\r\n\r\n")


async def reset_at_once(link: "Link") -> None:
    """Reset before the request was read."""
    link.reset()


async def reset_in_head(link: "Link") -> None:
    """Reset in the middle of the head."""
    await link.read_request()
    await link.send(b"HTTP/1.1 200 OK\r\nX-A")
    link.reset()


CONNECTION = OutcomeKind.CONNECTION_ERROR


@pytest.mark.parametrize(
    ("behave", "kinds"),
    [
        pytest.param(hang, {OutcomeKind.TIMEOUT}, id="hang"),
        pytest.param(drip_head, {OutcomeKind.TIMEOUT}, id="drip"),
        pytest.param(interim_for_ever, {CONNECTION, OutcomeKind.TIMEOUT}, id="1xx"),
        pytest.param(reset_at_once, {CONNECTION}, id="reset at once"),
        pytest.param(reset_in_head, {CONNECTION}, id="reset in head"),
        pytest.param(after_request(), {CONNECTION}, id="close"),
        pytest.param(after_request(b"HTTP/1.1 200"), {CONNECTION}, id="close in head"),
        pytest.param(after_request(b"\x16\x03\x01\x00\xff garbage\n\n"), {CONNECTION}, id="junk"),
        pytest.param(after_request(b"SSH-2.0-OpenSSH_9\r\n"), {CONNECTION}, id="ssh"),
        pytest.param(after_request(b"HTTP/1.1 2000 OK\r\n\r\n"), {CONNECTION}, id="status"),
        pytest.param(after_request(b"HTTP/1.1 099 No\r\n\r\n"), None, id="status 099"),
        pytest.param(
            after_request(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), {CONNECTION}, id="-1"
        ),
        pytest.param(
            after_request(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            {CONNECTION},
            id="two lengths",
        ),
        pytest.param(
            after_request(b"HTTP/1.1 200 OK\r\nX-A: %b\r\n\r\n" % (b"v" * 100_000)),
            {CONNECTION},
            id="huge header",
        ),
        pytest.param(
            after_request(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100_000 + b"\r\n"),
            {CONNECTION},
            id="many headers",
        ),
        pytest.param(
            after_request(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
            None,
            id="upgrade",
        ),
    ],
)
async def test_a_hostile_receiver_comes_to_an_outcome(
    make_sender: "MakeSender",
    make_receiver: "MakeReceiver",
    behave: "Behaviour",
    kinds: set[OutcomeKind] | None,
) -> None:
    """No exception, one line of text without secrets, within the time limit, and hung up.

    A limit that must not be reached is long, and one that must be is short: either way a bug would
    take longer than a machine that stands still for some seconds.
    """
    receiver = await make_receiver(behave)
    ends_by_time = kinds is not None and OutcomeKind.TIMEOUT in kinds
    started_s = asyncio.get_running_loop().time()
    outcome = await make_sender().post(
        a_request(receiver.url(), timeout_s=0.3 if ends_by_time else 30)
    )
    assert asyncio.get_running_loop().time() - started_s < 9
    if kinds is not None:
        assert outcome.kind in kinds
    assert (outcome.status is not None) == (outcome.kind is OutcomeKind.ANSWERED)
    assert outcome.error
    assert "\n" not in outcome.error
    assert SECRET not in outcome.error
    assert receiver.connections == 1
    await asyncio.wait_for(receiver.idle(), 30)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n", b""),
        (b"Transfer-Encoding: chunked\r\n\r\n5;x=", b"x" * 1000),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: ", b"x" * 1000),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n" * 100),
        (b"X-A: ", b"x" * 1000),
        (b"", b"X-A: b\r\n" * 100),
        (b"", b"\r" * 1000),
        (b"Content-Length: ", b"0" * 1000),
    ],
    ids=["smuggling", "extension", "trailer", "trailers", "line", "lines", "CR", "length"],
)
async def test_an_endless_part_of_a_response_comes_to_an_outcome(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", head: bytes, piece: bytes
) -> None:
    """Whatever part it is, it ends with the time limit at the latest, and we hang up."""

    async def behave(link: "Link") -> None:
        await link.read_request()
        await link.send(b"HTTP/1.1 200 OK\r\n", head)
        while piece:
            await link.send(piece)
            await asyncio.sleep(0)

    receiver = await make_receiver(behave)
    outcome = await make_sender().post(a_request(receiver.url(), timeout_s=1))
    assert (outcome.status is not None) == (outcome.kind is OutcomeKind.ANSWERED)
    assert outcome.body == b""
    await asyncio.wait_for(receiver.idle(), 30)


async def test_a_receiver_that_answers_and_resets_while_the_request_is_sent_is_an_outcome(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """Whether its answer is seen is the kernels' affair; that nothing hangs is ours."""

    async def behave(link: "Link") -> None:
        await link.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        link.reset()

    receiver = await make_receiver(behave)
    outcome = await make_sender().post(a_request(receiver.url(), body=bytes(32 * 2**20)))
    assert outcome.kind in {OutcomeKind.ANSWERED, OutcomeKind.CONNECTION_ERROR}
    assert outcome.timings.total_ms < 20_000  # of the 30 s that it may take


async def test_a_receiver_that_half_closes_before_it_answers_is_a_connection_error(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """It said that it says no more."""

    async def behave(link: "Link") -> None:
        await link.read_request()
        link.half_close()
        await link.gone()

    receiver = await make_receiver(behave)
    outcome = await make_sender().post(a_request(receiver.url()))
    assert outcome.kind is OutcomeKind.CONNECTION_ERROR
    await asyncio.wait_for(receiver.idle(), 30)


async def test_a_receiver_that_takes_nothing_holds_nothing(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """The time limit also ends a write that never ends, and drops what was not sent."""
    released = asyncio.Event()

    async def behave(link: "Link") -> None:
        link.pause()
        await released.wait()
        assert len(await link.gone()) < 16 * 2**20

    receiver = await make_receiver(behave)
    outcome = await make_sender().post(
        a_request(receiver.url(), timeout_s=0.3, body=bytes(32 * 2**20))
    )
    assert outcome.kind is OutcomeKind.TIMEOUT
    released.set()


async def test_an_answer_before_the_end_of_the_request_counts(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """413 after the head alone is an answer; the connection is not used again."""

    async def behave(link: "Link") -> None:
        link.pause()
        await link.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await hung_up.wait()

    hung_up = asyncio.Event()
    receiver = await make_receiver(behave)
    sender = make_sender()
    for expected in (1, 2):
        outcome = await sender.post(a_request(receiver.url(), body=bytes(32 * 2**20)))
        assert outcome.status == 413
        assert not outcome.timings.conn_reused
        assert receiver.connections == expected
    hung_up.set()


async def test_a_refused_connection_is_a_connection_error(make_sender: "MakeSender") -> None:
    """Nobody listens there."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        outcome = await make_sender().post(a_request(f"http://127.0.0.1:{port}/"))
    assert outcome.kind is OutcomeKind.CONNECTION_ERROR
    assert outcome.error == "connection refused"
    assert outcome.timings.total_ms > 0


async def test_a_connection_that_does_not_stand_in_time_is_a_timeout(
    make_sender: "MakeSender",
) -> None:
    """`connect_timeout_s` bounds TCP and TLS, whatever the attempt's own limit."""
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts TCP, and never speaks
        port = server.getsockname()[1]
        sender = make_sender(settings=Settings(connect_timeout_s=0.2))
        outcome = await sender.post(a_request(f"https://127.0.0.1:{port}/", timeout_s=30))
    assert outcome.kind is OutcomeKind.TIMEOUT
    assert outcome.timings.tcp_connect_ms is not None
    assert 100 < outcome.timings.total_ms < 9000  # less than by default


async def test_an_address_that_is_dead_is_given_up_for_the_next(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """One of a name's addresses is enough."""
    receiver = await make_receiver(after_request(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    sender = make_sender(names={"two.test": ("127.0.0.2", "127.0.0.1")})
    outcome = await sender.post(a_request(receiver.url(host="two.test")))
    assert outcome.status == 200
    assert outcome.resolved_ip == "127.0.0.1"


async def test_a_name_that_does_not_resolve_is_a_dns_error(make_sender: "MakeSender") -> None:
    """Retryable: names come back."""
    outcome = await make_sender().post(a_request("http://nowhere.test/"))
    assert outcome.kind is OutcomeKind.DNS_ERROR
    assert outcome.timings.dns_ms is not None
    assert outcome.timings.tcp_connect_ms is None


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:99999/", "http://[::1/", "ftp://127.0.0.1/", "http:///x", "nonsense"]
)
async def test_a_url_that_cannot_be_sent_to_is_an_outcome(
    make_sender: "MakeSender", url: str
) -> None:
    """URLs are checked when an endpoint is made; one that slips through crashes nothing."""
    outcome = await make_sender().post(a_request(url))
    assert outcome.kind in {OutcomeKind.CONNECTION_ERROR, OutcomeKind.BLOCKED}


@pytest.mark.parametrize("headers", [(("X-A", "1\r\nX-B: 2"),), (("X-A: 1\r\nX-B", "2"),)])
async def test_a_header_cannot_break_out(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", headers: tuple[tuple[str, str], ...]
) -> None:
    """Headers are checked when a message is accepted; one that slips through is not sent."""
    got: list[bytes] = []

    async def behave(link: "Link") -> None:
        got.append(await link.gone())

    receiver = await make_receiver(behave)
    outcome = await make_sender().post(
        Request(url=receiver.url(), headers=headers, body=b"", timeout_s=5)
    )
    assert outcome.kind is OutcomeKind.CONNECTION_ERROR
    await receiver.idle()
    assert not any(b"X-B" in each for each in got)


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"HTTP/1.1 200 OK\r\n",
                b"HTTP/1.0 500 \r\n",
                b"HTTP/1.1 100 Continue\r\n\r\n",
                b"HTTP/1.1 204 No Content\r\n",
                b"Content-Length: 5\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"Connection: keep-alive\r\n",
                b"Content-Encoding: gzip\r\n",
                b"Set-Cookie: a=b; Max-Age=\xff\r\n",
                b"\r\n",
                b"5\r\nhello\r\n",
                b"0\r\n\r\n",
                b"ffffffffffffffff\r\n",
            ]
        ),
        st.binary(max_size=20),
    ),
    max_size=12,
)


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # one sender, one receiver for all examples: that is how they live
@given(pieces=PIECES)
async def test_nothing_that_a_receiver_sends_raises(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", pieces: list[bytes]
) -> None:
    """Whatever comes back is an outcome."""
    receiver = await make_receiver(after_request(*pieces))
    outcome = await make_sender().post(a_request(receiver.url(), timeout_s=5))
    assert outcome.kind in {OutcomeKind.ANSWERED, OutcomeKind.CONNECTION_ERROR}
