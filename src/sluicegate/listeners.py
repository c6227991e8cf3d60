"""Those who listen to what happens in one engine: `Engine.on` and `Engine.events`.

Theory of operation
===================

Nobody who listens is ever waited for. Each has a queue of its own, of bounded length; to tell an
event is to put it there. While a queue is full its listener misses what comes, and is told how
much that was, in its place. What nobody listens to is not made at all: `wanted` is looked at
first, and is empty then.
"""

import asyncio
import contextlib
import inspect
import weakref
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Self, TypeAlias

from sluicegate.engine.events import Event, EventName, EventQueue, event_names
from sluicegate.engine.log import log
from sluicegate.engine.model import Arrivals
from sluicegate.engine.moments import from_ms
from sluicegate.engine.ports import Clock

__all__ = ["LISTENERS_END_S", "EventStream", "Listener", "Listeners", "Subscriber", "guarded"]

Listener: TypeAlias = Callable[[Event], object]
"""A function, or a coroutine function, that is called with each event."""

LISTENERS_END_S = 5.0
"""So long may listeners take for what they were told of, when the engine has closed."""

_CUT_END_S = 0.5
"""So long may one that is cut off take to end."""


class Subscriber:
    """One that is told of events until it is closed; how it waits for them is its own affair.

    An engine holds it weakly: who lets go of it has ended it.
    """

    def __init__(self, queue: EventQueue) -> None:
        """Begin with what `queue` holds."""
        self.queue = queue
        self.is_over = False

    def put(self, event: Event) -> None:
        """Keep an event, and let whoever waits look. Called on the engine's loop."""
        self.queue.put(event)
        self.wake()

    def wake(self) -> None:
        """Look again: there is an event, or there will be no more."""

    def close(self) -> None:
        """Want no further events; what waits can still be taken. Twice is fine."""
        self.is_over = True
        self.wake()


class EventStream(Subscriber):
    """Events as an asynchronous iterator, in the order in which they happened.

    It ends after the engine has closed, when everything was taken, or with `close`. Used on the
    engine's loop only; if several tasks take from it, each event goes to one of them.
    """

    def __init__(self, queue: EventQueue) -> None:
        """Begin with what `queue` holds."""
        super().__init__(queue)
        self._changed = asyncio.Event()

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> Event:
        """Wait for the next event and return it. A cancelled wait takes none."""
        while (event := self.queue.take()) is None:
            if self.is_over:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return event

    def wake(self) -> None:
        """Let whoever waits look again."""
        self._changed.set()


class Listeners:
    """Implements `sluicegate.engine.ports.Events`. Used on the engine's event loop only."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nobody."""
        self._wanted: AbstractSet[EventName] = frozenset()
        self._is_stale = False
        self._clock = clock
        self._subscribers: dict[int, weakref.ref[Subscriber]] = {}
        self._listening: dict[asyncio.Task[None], EventStream] = {}
        self._begun: list[tuple[EventStream, Listener]] = []
        self._is_started = False
        self._is_closed = False

    # -- who listens ------------------------------------------------------------------------

    def add(self, subscriber: Subscriber) -> None:
        """Tell a subscriber of events from now on; one of a closed engine is over at once."""
        if self._is_closed:
            subscriber.close()
            return
        number = id(subscriber)
        self._subscribers[number] = weakref.ref(subscriber, self._went)
        self._look()

    def stream(self, *names: str, room: int) -> EventStream:
        """Return a stream of events that begins now; see `Engine.events`."""
        stream = EventStream(EventQueue(event_names(names), room=room))
        self.add(stream)
        return stream

    def on(self, name: str, listener: Listener, *, room: int) -> Callable[[], None]:
        """Call `listener` with each event, one after another; see `Engine.on`."""
        stream = self.stream(name, room=room)
        if self._is_started and not self._is_closed:
            self._listen(stream, listener)
        elif not self._is_closed:
            self._begun.append((stream, listener))
        return stream.close

    def start(self) -> None:
        """Begin to call listeners: the engine is open, on the running loop."""
        self._is_started = True
        begun, self._begun = self._begun, []
        for stream, listener in begun:
            self._listen(stream, listener)

    async def close(self) -> None:
        """Tell nothing more, and give listeners `LISTENERS_END_S` for what they were told."""
        self._is_closed = True
        for reference in list(self._subscribers.values()):
            if (subscriber := reference()) is not None:
                subscriber.close()
        self._subscribers.clear()
        self._begun.clear()
        self._look()
        tasks = list(self._listening)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=LISTENERS_END_S)
            for task in late:
                task.cancel()
            if late:  # one that does not end then may itself wait for the engine to close
                await asyncio.wait(late, timeout=_CUT_END_S)

    def _listen(self, stream: EventStream, listener: Listener) -> None:
        task = asyncio.create_task(_call_with_each(stream, listener), name="sluicegate-listener")
        self._listening[task] = stream
        task.add_done_callback(self._listening.pop)

    def _went(self, _: weakref.ref[Subscriber]) -> None:
        """Look anew before the next event. Called on whichever thread let go of a subscriber."""
        self._is_stale = True

    def _look(self) -> None:
        """Forget who has ended, and see what is wanted now."""
        self._is_stale = False
        there = {
            number: reference
            for number, reference in self._subscribers.items()
            if (each := reference()) is not None and not each.is_over
        }
        self._subscribers = there
        names = (each.queue.names for ref in there.values() if (each := ref()) is not None)
        self._wanted = frozenset[EventName]().union(*names)

    # -- what happens -----------------------------------------------------------------------

    @property
    def wanted(self) -> AbstractSet[EventName]:
        """See `Events.wanted`."""
        if self._is_stale:
            self._look()
        return self._wanted

    def tell(self, event: Event) -> None:
        """See `Events.tell`."""
        for reference in self._subscribers.values():
            subscriber = reference()
            if subscriber is None or subscriber.is_over:
                self._is_stale = True
            elif event.name in subscriber.queue.names:
                subscriber.put(event)

    def accepted(self, accepted: Mapping[str, Arrivals]) -> None:
        """Tell of new messages."""
        if EventName.MESSAGE_ACCEPTED not in self.wanted:
            return
        for endpoint_id, arrivals in accepted.items():
            for message in arrivals.messages:
                self.tell(
                    Event(
                        name=EventName.MESSAGE_ACCEPTED,
                        at=from_ms(message.accepted_at_ms),
                        endpoint_id=endpoint_id,
                        message_id=message.id,
                    )
                )

    def storage_failed(self, error: BaseException) -> None:
        """Tell that nothing can be stored any more."""
        if EventName.STORAGE_FAILED in self.wanted:
            self.tell(
                Event(
                    name=EventName.STORAGE_FAILED,
                    at=from_ms(self._clock.wall_ms()),
                    error=str(error) or type(error).__name__,
                )
            )


async def _call_with_each(stream: EventStream, listener: Listener) -> None:
    this = asyncio.current_task()
    assert this is not None
    async for event in stream:
        with guarded(stream, event, listener) as is_for_it:
            answer = listener(event) if is_for_it else None
            if inspect.isawaitable(answer):
                try:
                    await answer
                except asyncio.CancelledError as error:
                    if this.cancelling():
                        raise
                    raise RuntimeError("what the listener waited for was cancelled") from error


@contextlib.contextmanager
def guarded(stream: Subscriber, event: Event, listener: Listener) -> Iterator[bool]:
    """Say whether a listener is to be called with an event, and log what it raises.

    A gap is no event that it asked for: it is logged instead.
    """
    name = getattr(listener, "__qualname__", type(listener).__name__)
    is_for_it = event.name in stream.queue.names
    if not is_for_it:
        log.warning("listener.lagged", events=event.count, listener=name)
    try:
        yield is_for_it
    except Exception as error:  # noqa: BLE001 - the host's own code: it may fail, not stop us
        log.error("listener.failed", event_name=event.name, listener=name, exc_info=error)
