"""What an endpoint has under way outside its actor: attempts, and writes not yet durable.

It outlives the actor. When an actor crashes, its successor takes the same object over: no
attempt is repeated because of our bug, no row is read while a write to it is under way, and the
rate limit counts what was sent before.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from pykka import ActorDeadError

from sluicegate.actors.ref import AsyncioActorRef
from sluicegate.engine.model import WaitingMessage
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.rate_limit import TokenBucket

__all__ = ["Flight", "Outstanding"]

_LOOK_AGAIN_S = 0.005


class Flight:
    """One attempt, from its start until its result is durable."""

    __slots__ = (
        "attempt_id",
        "attempt_no",
        "crash",
        "deleted",
        "finished_at_ms",
        "given_up",
        "message",
        "outcome",
        "posting",
        "recording",
        "request_headers",
        "settling",
        "started_at_ms",
        "task",
        "turn",
    )

    def __init__(self, message: WaitingMessage, *, attempt_id: str, started_at_ms: int) -> None:
        """Begin an attempt of `message`; moments are wall-clock milliseconds."""
        self.message = message
        self.attempt_id = attempt_id
        self.attempt_no = message.attempt_count + 1
        self.started_at_ms = started_at_ms
        self.finished_at_ms = started_at_ms
        self.request_headers: tuple[tuple[str, str], ...] = ()
        self.outcome: Outcome | None = None
        """What it came to; `None` while under way, or when nothing was sent."""
        self.crash: BaseException | None = None
        """A bug of ours that ended it."""
        self.deleted = False
        """The message was deleted meanwhile: nothing begins to be sent, and nothing is repeated."""
        self.given_up = False
        """Its payload is gone: the message was given up, and nothing was sent."""
        self.posting = False
        """The sender has it: whatever happens now, the receiver may have seen it."""
        self.turn: asyncio.Future[None] | None = None
        """Done once the sender has it, if others may have to wait for that."""
        self.settling = False
        """Its result is being written."""
        self.recording: asyncio.Future[bool] | None = None
        """Done when it is written, or could not be."""
        self.task: asyncio.Task[None] | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether its result is durable."""
        write = self.recording
        return (
            write is not None and write.done() and not write.cancelled() and not write.exception()
        )

    @property
    def ended(self) -> bool:
        """Whether nothing is on the wire any more."""
        return self.task is None or self.task.done()


class Outstanding:
    """The attempts and writes of one endpoint. Used on the event loop only."""

    __slots__ = ("_everywhere", "_writes", "actor", "bucket", "flights", "turn")

    def __init__(self, everywhere: dict[str, None], *, now_s: float) -> None:
        """Start with nothing under way.

        Args:
            everywhere: the engine's set of messages in flight, by id, kept up to date here.
            now_s: the monotonic clock.
        """
        self.bucket = TokenBucket(rate_per_s=0, burst=0, now_s=now_s)
        """The endpoint's rate limit."""
        self.flights: dict[int, Flight] = {}
        """By the message's `seq`, in the order of their starts."""
        self.actor: AsyncioActorRef[Any] | None = None
        """Who is told; `None` between a crash and the restart."""
        self.turn: asyncio.Future[None] | None = None
        """The turn of the last attempt that had to wait for its payload, or for such a one."""
        self._everywhere = everywhere
        self._writes: dict[asyncio.Future[Any], None] | None = None

    def add(self, flight: Flight) -> None:
        """Take note that an attempt starts."""
        self.flights[flight.message.seq] = flight
        self._everywhere[flight.message.id] = None

    def holds(self, flight: Flight) -> bool:
        """Return whether this very attempt is still to be settled."""
        return self.flights.get(flight.message.seq) is flight

    def remove(self, flight: Flight) -> None:
        """Take note that an attempt's result is durable (or that nothing was sent)."""
        if self.holds(flight):  # another attempt of the message may have begun
            del self.flights[flight.message.seq]
            if not self.flights:
                self.flights = {}  # an emptied one keeps its memory
            self._everywhere.pop(flight.message.id, None)

    def report(self, message: object) -> bool:
        """Tell the actor; `False` when there is none now. A successor looks at `flights` itself."""
        if self.actor is None:
            return False
        try:
            self.actor.report(message)
        except ActorDeadError:
            return False
        return True

    def hasten(self) -> None:
        """Let the actor handle what it was told in this very turn of the loop."""
        if self.actor is not None:
            self.actor.actor_inbox.hasten()

    def write(self, write: "Coroutine[Any, Any, None]") -> None:
        """Run a write as a task of its own. It must report its end; a task must never raise."""
        task = asyncio.ensure_future(write)
        self.begin_write(task)
        task.add_done_callback(self.end_write)

    def begin_write(self, write: "asyncio.Future[Any]") -> None:
        """Note a write that is under way, until `end_write` is told of its end."""
        if self._writes is None:
            self._writes = {}
        self._writes[write] = None

    def end_write(self, write: "asyncio.Future[Any]") -> None:
        """Note that a write has ended, one way or the other."""
        if self._writes is not None:
            self._writes.pop(write, None)
            if not self._writes:
                self._writes = None

    @property
    def writing(self) -> bool:
        """Whether a write is not yet known to be durable."""
        return bool(self._writes)

    @property
    def idle(self) -> bool:
        """Whether nothing at all is under way."""
        return not self.flights and not self._writes

    async def written(self) -> None:
        """Wait until every write that is under way has ended."""
        while self._writes:
            await asyncio.wait(list(self._writes))

    async def unsettled(self, message_ids: Sequence[str]) -> frozenset[str]:
        """Return which of some messages have an attempt whose result is not durable.

        Waits for results that are being written: readers may see one before its actor hears of
        it, and whoever has read that a message failed may replay it.
        """
        wanted = frozenset(message_ids)
        flights = [each for each in self.flights.values() if each.message.id in wanted]
        writes = [each.recording for each in flights if each.recording is not None]
        if writes:
            await asyncio.wait(writes)
        return frozenset(each.message.id for each in flights if not each.is_recorded)

    async def ended(self) -> bool:
        """Wait until every attempt has ended and every write with it.

        Returns:
            `False` when there is no actor that would see to the result of an attempt.
        """
        while not self.idle:
            ends: list[asyncio.Future[None]] = list(self._writes or ())
            ends += [f.task for f in self.flights.values() if f.task and not f.task.done()]
            if ends:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            elif self.actor is None or not self.actor.is_alive():
                return False
            else:
                await asyncio.sleep(_LOOK_AGAIN_S)  # its report is on the way to the actor
        return True

    def cut(self) -> list[asyncio.Future[None]]:
        """Cancel every attempt and every write that still waits; return what to wait for.

        A message whose attempt is cut stays as it is stored.
        """
        cut: list[asyncio.Future[None]] = list(self._writes or ())
        cut += [f.task for f in self.flights.values() if f.task and not f.task.done()]
        for each in cut:
            each.cancel()
        return cut
