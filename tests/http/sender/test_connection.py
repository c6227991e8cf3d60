"""One connection of the lean sender, without the sender: what moments it may be used at."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from sluicegate.http.outbound.connection import Connection
from sluicegate.http.outbound.response_reader import ResponseReader

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Pair:
    """A connection and the socket at its other end."""

    def __init__(
        self, transport: asyncio.Transport, connection: Connection, receiver: socket.socket
    ) -> None:
        self.transport = transport
        self.connection = connection
        self.receiver = receiver


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """A connection that stands."""
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair()
    near.setblocking(False)  # noqa: FBT003 - socket's own
    reader = ResponseReader(read_bytes_max=100, keep_bytes_max=100, now_s=loop.time)
    transport, connection = await loop.create_connection(
        lambda: Connection(reader, loop=loop, now_s=loop.time, on_lost=lambda _: None), sock=near
    )
    connection.stands_on(near)
    with far:
        yield Pair(transport, connection, far)
        connection.abort()
        await asyncio.sleep(0)


async def test_what_was_asked_and_answered_may_be_asked_again(pair: Pair) -> None:
    """The ordinary case, of which the others here are not."""
    for _ in range(2):
        pair.connection.send(HEAD, b"")
        pair.receiver.sendall(OK)
        await pair.connection.over
        assert pair.connection.reader.status == 200
        assert pair.connection.reusable
        assert pair.connection.is_unheard()
        pair.connection.expect()


async def test_what_answered_before_it_was_asked_is_an_answer_and_the_last(pair: Pair) -> None:
    """It may answer once more when it has the request: that would be the next message's answer."""
    pair.receiver.sendall(OK)
    await pair.connection.over
    pair.connection.send(HEAD, b"")
    await pair.connection.over
    assert pair.connection.reader.status == 200
    assert not pair.connection.reusable


async def test_an_answer_to_what_was_never_sent_is_none(pair: Pair) -> None:
    """A receiver that says 200 and hangs up before it was asked has no message."""
    pair.receiver.sendall(OK)
    pair.receiver.shutdown(socket.SHUT_WR)
    for _ in range(10):  # let the end arrive
        await asyncio.sleep(0)
    assert not pair.connection.open
    pair.connection.send(HEAD, b"")
    await pair.connection.over
    assert pair.connection.reader.status is None
    assert not pair.connection.reusable


async def test_a_recalled_connection_is_kept_if_nothing_was_heard(pair: Pair) -> None:
    """It stands, and another message may need it."""
    assert pair.connection.lay_aside()
    pair.connection.expect()
    pair.receiver.sendall(OK[:5])
    while pair.connection.lay_aside():
        pair.connection.expect()
        await asyncio.sleep(0)
    assert not pair.connection.open


async def test_a_large_body_waits_where_it_is_and_is_not_copied(pair: Pair) -> None:
    """What a receiver does not take is not handed to the transport, which would keep it twice."""
    pair.connection.send(HEAD, bytes(8 * 2**20))
    for _ in range(100):
        await asyncio.sleep(0)
    assert 0 < pair.transport.get_write_buffer_size() <= 2**20
    assert pair.connection.sent_s is None


async def test_a_body_that_we_cut_off_is_not_told_as_whole(pair: Pair) -> None:
    """Where a body ends with its connection, it is the receiver's end of it that counts."""
    pair.connection.send(HEAD, b"")
    pair.receiver.sendall(b"HTTP/1.1 200 OK\r\n\r\nbegun")
    for _ in range(10):  # let it arrive
        await asyncio.sleep(0)
    assert pair.connection.reader.body == b"begun"
    pair.connection.abort()
    await pair.connection.over
    assert pair.connection.reader.status == 200
    assert pair.connection.reader.truncated
