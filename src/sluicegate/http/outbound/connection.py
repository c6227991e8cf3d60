"""One connection to a receiver: a request goes out, a response comes in, again and again.

An asyncio protocol and nothing above it: no stream, no task, no timer of its own. Whoever posts
waits for one future, which is done when the response is over, when it cannot come any more, or
when the time is.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from sluicegate.http.outbound.response_reader import ResponseReader
from sluicegate.http.outbound.sockets import is_silent

__all__ = ["Connection"]

_PIECE_BYTES = 256 * 1024
"""Larger bodies are written in pieces, a turn of the loop for each, so that others get theirs."""


class Connection(asyncio.Protocol):
    """The client's side of a connection. Lives on one loop; see `asyncio.Protocol`.

    It expects a response from the moment that it stands: a receiver may answer before it is asked,
    and who is refused at once (413, 503) often is. Between two requests it expects nothing: then
    whatever comes ends it.

    Args:
        reader: reads the responses.
        loop: the loop that it lives on.
        now_s: tells the moments, in seconds.
        on_lost: called once, when it is gone.

    Attributes:
        reader: as given.
        over: done when the current response is over, one way or the other.
        sent_s: when the last byte of the current request was handed to the transport.
        expired: whether the time was over first.
        error: what ended the connection, if it was no orderly end.
        address: the receiver's.
        idle_until_s: how long it may wait for its next request.
    """

    __slots__ = (
        "_expecting",
        "_heard_early",
        "_loop",
        "_now_s",
        "_on_lost",
        "_paused",
        "_socket",
        "_transport",
        "_unsent",
        "address",
        "error",
        "expired",
        "idle_until_s",
        "over",
        "reader",
        "sent_s",
    )

    def __init__(
        self,
        reader: ResponseReader,
        *,
        loop: asyncio.AbstractEventLoop,
        now_s: Callable[[], float],
        on_lost: Callable[["Connection"], None],
    ) -> None:
        self.reader = reader
        self._loop = loop
        self._now_s = now_s
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._paused = False
        self.error: Exception | None = None
        self.address: str | None = None
        self.idle_until_s = 0.0
        self._begin()

    def _begin(self) -> None:
        self.over: asyncio.Future[None] = self._loop.create_future()
        self.sent_s: float | None = None
        self.expired = False
        self._unsent: memoryview | None = None
        self._expecting = True
        self._heard_early = False

    # -- for whoever posts ----------------------------------------------------------------------

    def stands_on(self, used: socket.socket) -> None:
        """Hear on which socket it stands."""
        self._socket = used

    def expect(self) -> None:
        """Begin with the next request, on a connection that was put aside."""
        self.reader.begin()
        self._begin()

    def lay_aside(self) -> bool:
        """Expect nothing; return whether it may be kept, for it stands and nothing came."""
        heard, self._expecting = self._heard_early, False
        if heard:
            self.abort()
        return self.open

    def send(self, head: bytes, body: bytes) -> None:
        """Send a request; if it is large, what the receiver does not take yet goes out later.

        On a connection that has ended nothing is sent, and no answer that came before is one.
        """
        if self._transport is None or self._transport.is_closing():
            self.reader.begin()
            self._be_over()
            return
        if len(body) <= _PIECE_BYTES:
            self._transport.write(head + body)
            self.sent_s = self._now_s()
        else:
            self._transport.write(head)
            self._unsent = memoryview(body)
            self._send_piece()

    def _send_piece(self) -> None:
        unsent, transport = self._unsent, self._transport
        if unsent is None or self._paused or transport is None or not self._expecting:
            return
        transport.write(unsent[:_PIECE_BYTES])
        unsent = unsent[_PIECE_BYTES:]
        if unsent:
            self._unsent = unsent
            if not self._paused:
                self._loop.call_soon(self._send_piece)
        else:
            self._unsent = None
            self.sent_s = self._now_s()

    def expire(self) -> None:
        """Hear that the time is over."""
        if self._expecting:
            self.expired = True
            self._be_over()

    @property
    def reusable(self) -> bool:
        """Whether another request may follow the one that is over."""
        transport = self._transport
        return (
            self.reader.reusable
            and not self._heard_early
            and transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        )

    @property
    def open(self) -> bool:
        """Whether nothing is known to have ended it."""
        return self._transport is not None and not self._transport.is_closing()

    def is_unheard(self) -> bool:
        """Return whether nothing has arrived that is not yet read: no bytes, and no end.

        What has arrived on an idle connection is most often its end, which would cost the message
        a retry; or bytes that would pass for our answer. The kernel knows, without a turn of the
        loop. Within TLS they may be nothing to us (a session ticket, though that comes before the
        first response): then it costs a handshake.
        """
        return self._socket is not None and is_silent(self._socket)

    def abort(self) -> None:
        """Give it up at once.

        Closing would hold what was not yet sent, and the socket, for as long as the receiver takes
        nothing.
        """
        if self._transport is not None:
            self._transport.abort()

    # -- what the transport calls ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's only looks like one
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else None

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if not self._expecting:
            self._heard_early = True
            self.abort()
            return
        if self.sent_s is None:
            self._heard_early = True  # what was not asked may be answered again when it is
        if self.reader.feed(data):
            self._be_over()

    def eof_received(self) -> None:
        """Hear that the receiver sends no more. Nothing is sent to one who would not answer."""
        if self._expecting:
            self.reader.end()
            self._be_over()
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear that it is gone."""
        self._transport = self._socket = None
        self.error = exc
        if self._expecting:  # it broke, or we gave it up: the receiver's own end was heard before
            self._be_over()
        self.reader.release()
        self._on_lost(self)

    def pause_writing(self) -> None:
        """Hear that the receiver takes no more for now."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._paused = False
        self._send_piece()

    def _be_over(self) -> None:
        self._expecting = False
        if not self.over.done():
            self.over.set_result(None)
