"""Connections: when they are used again, when they are closed, and what an attempt measures."""

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from sluicegate.clock import SystemClock
from sluicegate.engine.outcome import OutcomeKind, Timings
from sluicegate.engine.ports import Request

if TYPE_CHECKING:
    from tests.conformance.sender.conftest import Link, MakeReceiver, MakeSender

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def a_request(url: str, *, timeout_s: float = 30) -> Request:
    """Return a small request."""
    return Request(url=url, headers=(("X-A", "1"),), body=b"{}", timeout_s=timeout_s)


async def serve(link: "Link") -> None:
    """Answer request after request."""
    while True:
        await link.read_request()
        await link.send(OK)


async def test_a_connection_whose_response_was_read_is_used_again(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """And the outcome says so: no look-up, no connect, the same address."""
    receiver = await make_receiver(serve)
    sender = make_sender(names={"a.test": ("127.0.0.1",)})
    first = await sender.post(a_request(receiver.url(host="a.test")))
    second = await sender.post(a_request(receiver.url(host="a.test")))
    assert not first.timings.conn_reused
    assert second.timings.conn_reused
    assert second.timings.dns_ms is None
    assert second.timings.tcp_connect_ms is None
    assert second.resolved_ip == first.resolved_ip == "127.0.0.1"
    assert receiver.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n" + bytes(8388608),
        OK + b"HTTP/1.1 500 Unasked\r\nContent-Length: 0\r\n\r\n",
        OK + b"trailing garbage",
    ],
    ids=["close", "1.0", "too long", "two answers", "garbage"],
)
async def test_a_connection_that_cannot_be_trusted_is_not_used_again(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", answer: bytes
) -> None:
    """It must not hand one message's answer to the next."""

    async def behave(link: "Link") -> None:
        await link.read_request()
        await link.send(answer)
        await link.gone()

    receiver = await make_receiver(behave)
    sender = make_sender()
    for expected in (1, 2):
        outcome = await sender.post(a_request(receiver.url()))
        assert outcome.status == 200
        assert receiver.connections == expected
    assert not outcome.timings.conn_reused


async def test_an_answer_that_nobody_asked_for_is_not_taken(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """A receiver that speaks on an idle connection would answer the next message unread."""
    spoken = asyncio.Event()

    async def behave(link: "Link") -> None:
        await link.read_request()
        await link.send(OK)
        if receiver.connections == 1:
            await first_answered.wait()
            await link.send(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
            spoken.set()
        await link.gone()

    first_answered = asyncio.Event()
    receiver = await make_receiver(behave)
    sender = make_sender()
    assert (await sender.post(a_request(receiver.url()))).status == 200
    first_answered.set()
    await spoken.wait()
    for _ in range(10):  # let the bytes arrive, which loopback does within a turn or two
        await asyncio.sleep(0)
    second = await sender.post(a_request(receiver.url()))
    assert second.status == 200
    assert not second.timings.conn_reused


@pytest.mark.parametrize("unasked", [b"", OK])
async def test_what_the_kernel_knows_of_an_idle_connection_is_asked(
    make_sender: "MakeSender", unasked: bytes
) -> None:
    """An end, or bytes, that the loop had no time to read: it costs no message a retry."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as links:
        server.settimeout(0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        async def accept() -> socket.socket:
            link, _ = await loop.sock_accept(server)
            await loop.sock_recv(link, 65536)
            await loop.sock_sendall(link, OK)
            return link

        sender = make_sender()
        for _ in range(2):
            accepting = asyncio.create_task(accept())
            outcome = await sender.post(a_request(url))
            link = links.enter_context(await accepting)
            if unasked:
                link.send(unasked)
            else:
                link.close()
            # From here to the next post the loop has no turn.
    assert outcome.status == 200
    assert not outcome.timings.conn_reused


async def test_a_request_is_not_repeated_when_a_reused_connection_breaks(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """The receiver may have acted: one post is one request, and the outcome tells."""
    requests: list[bytes] = []

    async def behave(link: "Link") -> None:
        requests.append((await link.read_request())[1])
        await link.send(OK)
        requests.append((await link.read_request())[1])
        link.close()

    receiver = await make_receiver(behave)
    sender = make_sender()
    assert (await sender.post(a_request(receiver.url()))).status == 200
    outcome = await sender.post(a_request(receiver.url()))
    await receiver.idle()
    assert outcome.timings.conn_reused
    assert outcome.kind is OutcomeKind.CONNECTION_ERROR
    assert len(requests) == 2
    assert receiver.connections == 1


async def test_a_connection_that_was_closed_while_idle_is_not_used(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """A new one is made; the message is delivered, once."""
    requests: list[bytes] = []

    async def behave(link: "Link") -> None:
        requests.append((await link.read_request())[1])
        await link.send(OK)

    receiver = await make_receiver(behave)
    sender = make_sender()
    for expected in (1, 2):
        outcome = await sender.post(a_request(receiver.url()))
        assert outcome.status == 200
        await receiver.idle()
        for _ in range(10):  # let the FIN arrive
            await asyncio.sleep(0)
        assert len(requests) == receiver.connections == expected


async def test_cancelling_hangs_up(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """The receiver sees the connection close; the next post gets another."""
    asked = asyncio.Event()

    async def behave(link: "Link") -> None:
        await link.read_request()
        asked.set()
        if receiver.connections > 1:
            await link.send(OK)
        await link.gone()

    receiver = await make_receiver(behave)
    sender = make_sender()
    attempt = asyncio.create_task(sender.post(a_request(receiver.url(), timeout_s=60)))
    await asked.wait()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    await asyncio.wait_for(receiver.idle(), 30)
    assert (await sender.post(a_request(receiver.url()))).status == 200


async def test_many_requests_run_at_once(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """The sender sets no bound of its own: one that hangs delays nobody."""
    arrived, everybody = 0, asyncio.Event()

    async def behave(link: "Link") -> None:
        nonlocal arrived
        await link.read_request()
        arrived += 1
        if arrived == 150:
            everybody.set()
        await everybody.wait()
        await link.send(OK)

    receiver = await make_receiver(behave)
    sender = make_sender()
    outcomes = await asyncio.gather(
        *(sender.post(a_request(receiver.url(), timeout_s=30)) for _ in range(150))
    )
    assert {each.status for each in outcomes} == {200}


async def test_each_phase_is_measured(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """A slow receiver shows in the time to its head, a slow body in the transfer."""

    async def behave(link: "Link") -> None:
        await link.read_request()
        await wait(0.1)
        await link.send(OK[:-1])
        await wait(0.2)
        await link.send(OK[-1:])

    async def wait(duration_s: float) -> None:
        """Wait a little, often: if the machine stands still, the sender has its turn after it."""
        for _ in range(20):
            await asyncio.wait({asyncio.ensure_future(never.wait())}, timeout=duration_s / 19)

    never = asyncio.Event()
    receiver = await make_receiver(behave)
    sender = make_sender(names={"a.test": ("127.0.0.1",)})
    clock = SystemClock()
    asked_s = clock.monotonic_s()
    timings = (await sender.post(a_request(receiver.url(host="a.test")))).timings
    taken_ms = (clock.monotonic_s() - asked_s) * 1000
    never.set()
    assert timings.dns_ms is not None
    assert timings.tcp_connect_ms is not None
    assert timings.tls_handshake_ms is None
    assert timings.ttfb_ms is not None
    assert timings.transfer_ms is not None
    assert 90 < timings.ttfb_ms < taken_ms - 190
    assert 190 < timings.transfer_ms < taken_ms - 90
    phases = (timings.dns_ms, timings.tcp_connect_ms, timings.ttfb_ms, timings.transfer_ms)
    assert all(each >= 0 for each in phases)
    assert sum(phases) <= timings.total_ms + 1
    assert sum(phases) > timings.total_ms * 0.8
    assert timings != Timings()


async def test_a_closed_sender_posts_nothing(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """Using it after its end is a mistake of ours, not an outcome. Closing twice is fine."""
    receiver = await make_receiver(serve)
    sender = make_sender()
    await sender.post(a_request(receiver.url()))
    await sender.close()
    await sender.close()
    await asyncio.wait_for(receiver.idle(), 30)
    with pytest.raises(RuntimeError, match="closed"):
        await sender.post(a_request(receiver.url()))


async def test_closing_ends_what_is_in_flight(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """A post that hangs comes to an outcome when its connection is taken away."""
    asked = asyncio.Event()

    async def behave(link: "Link") -> None:
        await link.read_request()
        asked.set()
        await link.gone()

    receiver = await make_receiver(behave)
    sender = make_sender()
    attempt = asyncio.create_task(sender.post(a_request(receiver.url(), timeout_s=60)))
    await asked.wait()
    await sender.close()
    outcome = await asyncio.wait_for(attempt, 30)
    assert outcome.kind is OutcomeKind.CONNECTION_ERROR
