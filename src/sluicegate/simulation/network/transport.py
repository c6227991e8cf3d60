"""One end of a simulated TCP connection."""

import asyncio
import contextvars
from collections import deque
from typing import TYPE_CHECKING, Any

from sluicegate.simulation.lives import Life
from sluicegate.simulation.network.sockets import Address, SimulatedServer, SimulatedSocket
from sluicegate.simulation.network.traffic import Mark, name_of, reset_error

if TYPE_CHECKING:
    from sluicegate.simulation.loop import SimulationLoop
    from sluicegate.simulation.network.traffic import Traffic

__all__ = ["SimulatedTransport"]

_KERNEL_BYTES = 65_536
"""What may be on its way, or wait to be read at the other end: the kernels' buffers."""
_HIGH_WATER_BYTES = 65_536
"""What may wait to be sent before the writer is paused, unless a protocol says otherwise."""


class SimulatedTransport(asyncio.Transport):
    """What a protocol writes to; the network carries it to the other end, in order, later.

    Attributes:
        peer: the other end.
        life: whose it is; `None` for the world outside.
        host: the name of that.
        lost: whether the connection is over, for this end.
        pipe: what was sent to this end and has not arrived.
        arrives_s: when the last piece sent to this end arrives; a stream keeps its order.
        untaken_since_s: since when the other end has taken nothing of what was sent.
        silent_from_s: from when on nothing that this end sent arrives: its power was lost.
    """

    peer: "SimulatedTransport"

    def __init__(
        self,
        loop: "SimulationLoop",
        traffic: "Traffic",
        *,
        life: Life | None,
        context: contextvars.Context,
        local: Address,
        remote: Address,
        tls: bool,
        server: SimulatedServer | None = None,
    ) -> None:
        """Stand for one end; the network joins it to the other, and gives it a protocol."""
        super().__init__(
            {"peername": remote, "sockname": local, "socket": SimulatedSocket(local, remote)}
            | ({"sslcontext": object(), "ssl_object": object()} if tls else {})
        )
        self._loop = loop
        self._traffic = traffic
        self._tls = tls
        self._server = server
        self._protocol = asyncio.BaseProtocol()
        self._inbox: deque[bytes | Mark] = deque()
        self._reading = True
        self._buffer: deque[bytes] = deque()
        self._buffered_bytes = 0
        self._travelling_bytes = 0
        self._low, self._high = _HIGH_WATER_BYTES // 4, _HIGH_WATER_BYTES
        self._writing_paused = False
        self._closing = False
        self._end_wanted = self._end_sent = False
        self.life = life
        self.host = name_of(life)
        self.context = context
        self.lost = False
        self.pipe: deque[bytes | Mark] = deque()
        self.arrives_s = 0.0
        self.untaken_since_s: float | None = None
        self.silent_from_s: float | None = None

    # -- writing ------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; what is written to a closed connection is dropped.

        Raises:
            RuntimeError: the end of the stream was written already.
        """
        if self._end_wanted and not self._closing:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self.lost or self._closing or not data:
            return
        self._buffer.append(bytes(data))
        self._buffered_bytes += len(data)
        self._flush()
        if self._buffered_bytes > self._high and not self._writing_paused and not self.lost:
            self._writing_paused = True
            self._protocol.pause_writing()

    def write_eof(self) -> None:
        """Send the end of the stream, behind what was written."""
        if not self._end_wanted and not self.lost:
            self._end_wanted = True
            self._flush()

    def can_write_eof(self) -> bool:
        """Return whether an end can be sent by itself: not within TLS, as asyncio has it."""
        return not self._tls

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""
        return self._buffered_bytes

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return at how many waiting bytes the writer goes on, and is paused."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when the writer is paused and goes on, in bytes.

        Raises:
            ValueError: unless `high >= low >= 0`.
        """
        if high is None:
            high = _HIGH_WATER_BYTES if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._low, self._high = low, high

    def consumed(self, count: int) -> None:
        """Hear that the other end has read so many bytes: there is room for more."""
        self._travelling_bytes -= count
        if self.lost or not (self._buffer or self._writing_paused):
            return
        self._flush()
        if self._writing_paused and self._buffered_bytes <= self._low:
            self._writing_paused = False
            self._loop.call_soon(self._resume_writing, context=self.context)

    def _resume_writing(self) -> None:
        if not self.lost:
            self._protocol.resume_writing()

    def _flush(self) -> None:
        """Send what the kernels have room for; then the end, if it is wanted."""
        while self._buffer and self._travelling_bytes < _KERNEL_BYTES:
            room = _KERNEL_BYTES - self._travelling_bytes
            piece = self._buffer.popleft()
            if len(piece) > room:
                self._buffer.appendleft(piece[room:])
                piece = piece[:room]
            self._buffered_bytes -= len(piece)
            self._travelling_bytes += len(piece)
            self._traffic.carry(self, piece)
        if self._end_wanted and not self._buffer:
            if not self._end_sent:
                self._end_sent = True
                self._traffic.carry(self, Mark.END)
            if self._closing:
                self._loop.call_soon(self.lose, None, context=self.context)

    # -- closing ------------------------------------------------------------------------------

    def close(self) -> None:
        """Read no more; send what was written, then the end, and be gone."""
        if not self._closing and not self.lost:
            self._closing = self._end_wanted = True
            self._flush()

    def abort(self) -> None:
        """Be gone at once: what the kernel had not taken is dropped."""
        if not self.lost:
            self._closing = self._end_wanted = True
            self._buffer.clear()
            self._buffered_bytes = 0
            self._flush()

    def is_closing(self) -> bool:
        """Return whether it is closing or closed."""
        return self._closing or self.lost

    @property
    def has_unread(self) -> bool:
        """Whether bytes have arrived that the protocol did not take."""
        return any(isinstance(piece, bytes) for piece in self._inbox)

    def lose(self, error: Exception | None) -> None:
        """Tell the protocol that the connection is gone. Twice is fine."""
        if self.lost:
            return
        self.lost = self._closing = True
        if self.has_unread and error is None:
            self._traffic.refuse(self)  # a kernel resets what was closed unread
        self._inbox.clear()
        self._buffer.clear()
        self._traffic.forget(self)
        try:
            self._protocol.connection_lost(error)
        finally:
            if self._server is not None:
                self._server.left(self)

    # -- reading ------------------------------------------------------------------------------

    def is_reading(self) -> bool:
        """Return whether the protocol takes bytes."""
        return self._reading and not self.is_closing()

    def pause_reading(self) -> None:
        """Keep what arrives."""
        self._reading = False

    def resume_reading(self) -> None:
        """Hand on what was kept, soon."""
        if not self._reading:
            self._reading = True
            self._loop.call_soon(self._read, context=self.context)

    def arrive(self, piece: bytes | Mark) -> None:
        """Take a piece off the network. Runs in this end's context."""
        if piece is Mark.RESET:
            self.lose(reset_error())
            return
        self._inbox.append(piece)
        self._read()

    def _read(self) -> None:
        try:
            while self._reading and self._inbox and not self.is_closing():
                self._take(self._inbox.popleft())
        except Exception as error:  # noqa: BLE001 - a protocol's bug ends its connection only
            self._loop.call_exception_handler(
                {
                    "message": "a protocol failed to take what was received",
                    "exception": error,
                    "transport": self,
                    "protocol": self._protocol,
                }
            )
            self.abort()
            self.lose(error)

    def _take(self, piece: bytes | Mark) -> None:
        protocol = self._protocol
        if isinstance(piece, Mark):
            assert isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol)
            if not protocol.eof_received():
                self.close()
            return
        self.peer.consumed(len(piece))
        if isinstance(protocol, asyncio.Protocol):
            protocol.data_received(piece)
            return
        assert isinstance(protocol, asyncio.BufferedProtocol)
        while piece:
            space = memoryview(protocol.get_buffer(len(piece)))
            count = min(len(space), len(piece))
            space[:count] = piece[:count]
            protocol.buffer_updated(count)
            piece = piece[count:]

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand everything from now on to another protocol."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol."""
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's signature
        """Return what is known about the connection."""
        return super().get_extra_info(name, default)
