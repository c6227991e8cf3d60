"""Events for programs without an event loop."""

import threading
from collections.abc import Iterable, Iterator

from sluicegate.clock import SystemClock
from sluicegate.engine.events import Event, EventQueue
from sluicegate.listeners import LISTENERS_END_S, Listener, Subscriber, guarded

__all__ = ["SyncEventStream", "call_with_each", "end_listening"]


class SyncEventStream(Subscriber, Iterator[Event]):
    """Events as a blocking iterator, in the order in which they happened.

    It ends after the engine has closed, when everything was taken, or with `close`. Taken from on
    any thread; if several take from it, each event goes to one of them.
    """

    def __init__(self, queue: EventQueue) -> None:
        """Begin with what `queue` holds."""
        super().__init__(queue)
        self._changed = threading.Condition()

    def __next__(self) -> Event:
        """Wait for the next event and return it."""
        with self._changed:
            while (event := self.queue.take()) is None:
                if self.is_over:
                    raise StopIteration
                self._changed.wait()
            return event

    def put(self, event: Event) -> None:
        """Keep an event, and let whoever waits look."""
        with self._changed:
            super().put(event)

    def wake(self) -> None:
        """Let whoever waits look again."""
        with self._changed:  # it may be held by this thread: a condition's lock is re-entrant
            self._changed.notify_all()

    def leave_to_parent(self) -> None:
        """End, with nothing in it, in a child of a fork: what is told is told to the parent.

        Only the forking thread is there; another one may have had the lock.
        """
        self._changed = threading.Condition()
        self.queue = EventQueue(self.queue.names)
        self.is_over = True


def call_with_each(stream: SyncEventStream, listener: Listener) -> None:
    """Call `listener` with each event until the stream ends; on a thread of its own."""
    for event in stream:
        with guarded(stream, event, listener) as is_for_it:
            if is_for_it:
                listener(event)


def end_listening(threads: Iterable[threading.Thread], *, timeout_s: float | None) -> None:
    """Wait until listeners have heard what they were told, but for the one that calls this.

    Args:
        threads: theirs; their streams have ended.
        timeout_s: how long at most, if that is less than `LISTENERS_END_S`.
    """
    most_s = LISTENERS_END_S if timeout_s is None else min(timeout_s, LISTENERS_END_S)
    clock = SystemClock()
    until_ms = clock.steady_ms() + most_s * 1000
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(max(0.0, until_ms - clock.steady_ms()) / 1000)
