"""The client's protocol: the same heads and bodies, however the network cuts the bytes."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.http.outbound.aiohttp_protocol import OutboundProtocol

ANSWER = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\nX: y\n\n"
    b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 12\r\n\r\nhi\n\n\r\n\r\nyou!"
)


class Transport(asyncio.Transport):
    """Notes whether it was given up."""

    aborted = False

    def abort(self) -> None:
        """Note it."""
        self.aborted = True

    def close(self) -> None:
        """Note it."""
        self.aborted = True


def a_protocol() -> OutboundProtocol:
    """Return a protocol that expects a response."""
    protocol = OutboundProtocol(loop=asyncio.get_running_loop())
    protocol.connection_made(Transport())
    protocol.set_response_params()
    return protocol


@given(cuts=st.lists(st.integers(0, len(ANSWER)), max_size=12))
async def test_a_response_is_the_same_in_any_pieces(cuts: list[int]) -> None:
    """Interim heads, the head and the body are told apart wherever they are cut."""
    protocol = a_protocol()
    edges = [0, *sorted(cuts), len(ANSWER)]
    for begin, end in itertools.pairwise(edges):
        if begin < end:
            protocol.data_received(ANSWER[begin:end])
    heads = [await protocol.read() for _ in range(3)]
    assert [message.code for message, _ in heads] == [100, 103, 200]
    assert await heads[2][1].read() == b"hi\n\n\r\n\r\nyou!"
    assert protocol.exception() is None
    assert not protocol.should_close


@pytest.mark.parametrize("count", [16, 17, 5000])
async def test_interim_responses_have_an_end(count: int) -> None:
    """Sixteen may precede the answer; one more ends the connection."""
    protocol = a_protocol()
    transport = protocol.transport
    assert isinstance(transport, Transport)
    protocol.data_received(b"HTTP/1.1 100 \r\n\r\n" * count + b"HTTP/1.1 204 \r\n\r\n")
    assert (protocol.exception() is not None) == transport.aborted == (count > 16)
