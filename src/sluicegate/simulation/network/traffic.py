"""Bytes on their way between two ends of a connection, and what their kernels do."""

import errno
import random
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING

from sluicegate.simulation.faults import CALM, Faults
from sluicegate.simulation.lives import OUTSIDE, Life
from sluicegate.simulation.network.names import OUTSIDE_NAME
from sluicegate.simulation.network.partitions import Partitions

if TYPE_CHECKING:
    from sluicegate.simulation.loop import SimulationLoop
    from sluicegate.simulation.network.transport import SimulatedTransport

__all__ = ["STALL_S", "Mark", "Traffic", "name_of", "reset_error"]

STALL_S = (1.0, 10.0)
"""How late a piece comes that was lost once: least and greatest, in seconds."""
_RESEND_S = (0.2, 3.0)
"""How long it takes until a kernel tries again to send what was not taken."""
_GIVES_UP_S = 924.0
"""When Linux gives up a connection whose other end takes nothing (tcp_retries2 = 15)."""
_APART_S = 2e-9
"""Pieces of one stream arrive at least so far apart: in separate turns."""


class Mark(Enum):
    """What travels in a stream beside bytes."""

    END = auto()
    """Nothing more comes (FIN)."""
    RESET = auto()
    """There is no such connection (RST)."""


class Traffic:
    """Carries the pieces of streams, in order, and plays the kernel of hosts that died.

    A process that ends leaves its kernel behind, which sends what was written and closes. A host
    without power says nothing; who writes to it hears, once it is up again, that it knows of no
    connection, or gives up after a quarter of an hour; who only waits for it never learns.
    """

    def __init__(
        self,
        loop: "SimulationLoop",
        chance: random.Random,
        partitions: Partitions,
        faults_between: Callable[[str, str], Faults],
    ) -> None:
        """Carry nothing yet."""
        self._loop = loop
        self._random = chance
        self._partitions = partitions
        self._faults_between = faults_between
        self._ends: dict[SimulatedTransport, None] = {}
        self._watched: dict[Life, None] = {}
        self._off: dict[str, dict[SimulatedTransport, None]] = {}
        """Hosts without power, and the other ends of those who write to them."""
        self._context = OUTSIDE.copy()

    def join(self, one: "SimulatedTransport", other: "SimulatedTransport") -> None:
        """Make two ends those of one connection."""
        one.peer, other.peer = other, one
        for end in (one, other):
            self._ends[end] = None
            if end.life is not None:
                self.watch(end.life)

    def forget(self, end: "SimulatedTransport") -> None:
        """Drop an end that is lost."""
        self._ends.pop(end, None)

    def is_off(self, name: str) -> bool:
        """Return whether a host lost its power and is not seen up again."""
        return name in self._off

    # -- pieces of a stream -----------------------------------------------------------------------

    def carry(self, sender: "SimulatedTransport", piece: bytes | Mark) -> None:
        """Send bytes, or a mark, to the other end."""
        faults = self._faults_between(sender.host, sender.peer.host)
        delay_s = self.latency_s(faults)
        if isinstance(piece, bytes):
            if self._happens(faults.reset):
                self._loop.trace.note("connection.reset", sender.host)
                self._loop.call_soon(sender.lose, reset_error(), context=sender.context)
                piece = Mark.RESET
            if self._happens(faults.stall):
                self._loop.trace.note("connection.stalled", sender.host)
                delay_s += self._random.uniform(*STALL_S)
        if isinstance(piece, bytes) and len(piece) > 1 and self._happens(faults.split):
            cut = self._random.randrange(1, len(piece))
            self._send(sender, piece[:cut], delay_s)
            self._send(sender, piece[cut:], delay_s + self.latency_s(faults))
        else:
            self._send(sender, piece, delay_s)

    def refuse(self, end: "SimulatedTransport") -> None:
        """Answer for an end that is gone: its peer wrote to nobody."""
        faults = self._faults_between(end.host, end.peer.host)
        self._send(end, Mark.RESET, self.latency_s(faults))

    def _send(self, sender: "SimulatedTransport", piece: bytes | Mark, delay_s: float) -> None:
        sender.peer.pipe.append(piece)
        self._come(sender.peer, delay_s)

    def _come(self, receiver: "SimulatedTransport", delay_s: float) -> None:
        """Let the next piece of the pipe arrive: whichever is its first then."""
        when_s = max(self._loop.time() + delay_s, receiver.arrives_s + _APART_S)
        receiver.arrives_s = when_s
        self._loop.call_at(when_s, self._arrive, receiver, context=self._context)

    def _arrive(self, receiver: "SimulatedTransport") -> None:
        sender = receiver.peer
        if self._partitions.is_apart(sender.host, receiver.host):
            if receiver.pipe[0] is Mark.RESET:
                receiver.pipe.popleft()  # nobody sends it again
                return
            self._partitions.hold(sender.host, receiver.host, partial(self._come_again, receiver))
            self._begin_to_give_up(sender)
            return
        piece = receiver.pipe.popleft()
        silent_s = sender.silent_from_s
        if silent_s is not None and self._loop.time() > silent_s and piece is not Mark.RESET:
            return  # it was lost on the way, and who would send it again has no power
        if receiver.host in self._off:
            self._off[receiver.host][sender] = None
            self._begin_to_give_up(sender)
            return
        sender.untaken_since_s = None
        if not receiver.lost:
            receiver.context.run(receiver.arrive, piece)
        elif isinstance(piece, bytes):
            self.refuse(receiver)

    def _come_again(self, receiver: "SimulatedTransport") -> None:
        self._come(receiver, self.latency_s(CALM))

    def _begin_to_give_up(self, sender: "SimulatedTransport") -> None:
        if sender.untaken_since_s is None and not sender.lost:
            sender.untaken_since_s = self._loop.time()
            self._loop.call_later(_GIVES_UP_S, self._give_up, sender, context=sender.context)

    def _give_up(self, sender: "SimulatedTransport") -> None:
        since_s = sender.untaken_since_s
        if since_s is not None and self._loop.time() - since_s >= _GIVES_UP_S - 1:
            self._loop.trace.note("connection.given_up", sender.host)
            sender.lose(TimeoutError(errno.ETIMEDOUT, "connection timed out"))

    # -- hosts that die -------------------------------------------------------------------------

    def watch(self, life: Life) -> None:
        """See to it that a host's connections end with it, and that it counts as up."""
        if life in self._watched:
            return
        self._watched[life] = None
        life.on_crash.append(lambda: self._end(life))
        for end in self._off.pop(life.name, ()):
            if not end.lost:
                delay_s = self._random.uniform(*_RESEND_S)
                self._send(end.peer, Mark.RESET, delay_s)

    def _end(self, life: Life) -> None:
        self._watched.pop(life, None)
        if life.silent:
            self._off[life.name] = {}
        for end in [end for end in self._ends if end.life is life]:
            self._ends.pop(end)
            end.lost = True
            if life.silent:
                faults = self._faults_between(end.host, end.peer.host)
                end.silent_from_s = self._loop.time() + faults.latency_s[1]
            else:
                self._send(end, Mark.RESET if end.has_unread else Mark.END, self.latency_s(CALM))

    # -- chance ---------------------------------------------------------------------------------

    def latency_s(self, faults: Faults) -> float:
        """Return how long the next packet travels."""
        least, greatest = faults.latency_s
        return least + (greatest - least) * self._random.random()

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate


def reset_error() -> ConnectionResetError:
    """Return what a kernel says of a connection that was reset."""
    return ConnectionResetError(errno.ECONNRESET, "connection reset by peer")


def name_of(life: Life | None) -> str:
    """Return the name of a life's host on the network."""
    return life.name if life is not None else OUTSIDE_NAME
