"""Events for programs without an event loop."""

import threading
from collections.abc import Iterator

from sluicegate.engine.events import Event, EventQueue
from sluicegate.listeners import Listener, Subscriber, guarded

__all__ = ["SyncEventStream", "call_with_each"]


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


def call_with_each(stream: SyncEventStream, listener: Listener) -> None:
    """Call `listener` with each event until the stream ends; on a thread of its own."""
    for event in stream:
        with guarded(stream, event, listener) as is_for_it:
            if is_for_it:
                listener(event)
