"""One end of a simulated TCP connection."""

import asyncio
import contextvars
from collections import deque
from typing import TYPE_CHECKING, Any

from sluicegate.simulation.lives import Life
from sluicegate.simulation.network.sockets import Address, SimulatedSocket

if TYPE_CHECKING:
    from sluicegate.simulation.network.network import Network

__all__ = ["SimulatedTransport"]

_HIGH_WATER_BYTES = 65_536
"""What may be on its way, or wait to be read, before the writer is paused."""


class SimulatedTransport(asyncio.Transport):
    """What a protocol writes to; the network carries it to the other end, in order, later.

    Attributes:
        peer: the other end.
        host: whose it is.
        arrives_s: when the last piece sent to this end arrives; a stream keeps its order.
        backlog_bytes: written at this end and not yet read at the other.
    """

    peer: "SimulatedTransport"

    def __init__(
        self,
        network: "Network",
        protocol: asyncio.BaseProtocol,
        *,
        life: Life | None,
        context: contextvars.Context,
        local: Address,
        remote: Address,
        tls: bool,
    ) -> None:
        """Stand for one end; the network joins it to the other."""
        extra = {
            "peername": remote,
            "sockname": local,
            "socket": SimulatedSocket(local, remote),
            "sslcontext": object() if tls else None,
            "ssl_object": object() if tls else None,
        }
        super().__init__({name: value for name, value in extra.items() if value is not None})
        self._network = network
        self._protocol = protocol
        self._inbox: deque[bytes | None] = deque()
        self._reading = True
        self._writing_paused = False
        self._closing = False
        self._eof_sent = False
        self.life = life
        self.context = context
        self.lost = False
        self.arrives_s = 0.0
        self.backlog_bytes = 0

    @property
    def address(self) -> Address:
        """Where this end is."""
        address: Address = self.get_extra_info("sockname")
        return address

    # -- writing ------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; what is written to a closed connection is dropped."""
        if self.lost or self._closing or self._eof_sent or not data:
            return
        self.backlog_bytes += len(data)
        self._network.carry(self, bytes(data))
        if self.backlog_bytes > _HIGH_WATER_BYTES and not self._writing_paused and not self.lost:
            self._writing_paused = True
            self._protocol.pause_writing()

    def write_eof(self) -> None:
        """Send the end of the stream."""
        if not self._eof_sent and not self.lost:
            self._eof_sent = True
            self._network.carry(self, None)

    def can_write_eof(self) -> bool:
        """Return that an end can be sent by itself."""
        return True

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the other end has not read."""
        return self.backlog_bytes

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Keep the limit that every stream here has."""

    def consumed(self, count: int) -> None:
        """Hear that the other end has read so many bytes."""
        self.backlog_bytes -= count
        if self._writing_paused and self.backlog_bytes <= _HIGH_WATER_BYTES // 4 and not self.lost:
            self._writing_paused = False
            self._network.loop.call_soon(self._protocol.resume_writing, context=self.context)

    # -- closing ------------------------------------------------------------------------------

    def close(self) -> None:
        """Send the end of the stream behind what was written, and be gone."""
        if not self._closing and not self.lost:
            self.write_eof()
            self._closing = True
            self._network.loop.call_soon(self.lose, None, context=self.context)

    def abort(self) -> None:
        """Reset the connection; what was not yet delivered is dropped."""
        if not self.lost:
            self._closing = True
            self._network.reset(self)

    def is_closing(self) -> bool:
        """Return whether it is closing or closed."""
        return self._closing or self.lost

    def lose(self, error: Exception | None) -> None:
        """Tell the protocol that the connection is gone. Twice is fine."""
        if not self.lost:
            self.lost = self._closing = True
            self._inbox.clear()
            self._network.forget(self)
            self._protocol.connection_lost(error)

    # -- reading ------------------------------------------------------------------------------

    def is_reading(self) -> bool:
        """Return whether the protocol takes bytes."""
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        """Keep what arrives."""
        self._reading = False

    def resume_reading(self) -> None:
        """Hand on what was kept, soon."""
        if not self._reading:
            self._reading = True
            self._network.loop.call_soon(self._read, context=self.context)

    def arrive(self, data: bytes | None) -> None:
        """Take a piece off the network; `None` is the end of the stream."""
        if not self.lost:
            self._inbox.append(data)
            self._read()

    def _read(self) -> None:
        while self._reading and self._inbox and not self.lost:
            data = self._inbox.popleft()
            protocol = self._protocol
            assert isinstance(protocol, asyncio.Protocol)
            if data is not None:
                self.peer.consumed(len(data))
                protocol.data_received(data)
            elif not protocol.eof_received():
                self.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand everything from now on to another protocol."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol."""
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's signature
        """Return what is known about the connection."""
        return super().get_extra_info(name, default)
