"""Threads for calls that may hang: few, started when needed, and nobody ever waits for them."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

__all__ = ["AbandonableThreads", "Threads"]


class Threads(Protocol):
    """What runs calls that may hang, off the loop. See `AbandonableThreads`."""

    def submit(self, call: Callable[[], None], /) -> None:
        """Run `call` as soon as it can be run. Does not block."""
        ...

    def withdraw(self, call: Callable[[], None], /) -> bool:
        """Take back a call that was not begun; return whether it was not."""
        ...

    def close(self) -> None:
        """Drop what was not begun. Never waits."""
        ...


class AbandonableThreads:
    """A bounded pool of daemon threads, for calls that have no time limit of their own.

    `concurrent.futures` joins its threads at interpreter exit, so that one hanging call keeps
    the process alive; these are left behind. No thread is started before the first call.

    Args:
        threads_max: at most so many calls run at once; further ones wait in order.
        name: what the threads are called, for debuggers.
    """

    def __init__(self, *, threads_max: int, name: str) -> None:
        self._threads_max = threads_max
        self._name = name
        self._changed = threading.Condition()
        self._waiting: deque[Callable[[], None]] = deque()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def submit(self, call: Callable[[], None]) -> None:
        """Run `call` on a thread as soon as one is free. Does not block; safe from any thread.

        An exception of `call` goes to `threading.excepthook` and ends its thread, not the pool.
        After `close` nothing is run.
        """
        with self._changed:
            if self._closed:
                return
            self._waiting.append(call)
            if self._idle >= len(self._waiting) or self._threads >= self._threads_max:
                self._changed.notify()
                return
            self._threads += 1
            number = self._threads
        threading.Thread(target=self._run, name=f"{self._name}-{number}", daemon=True).start()

    def withdraw(self, call: Callable[[], None]) -> bool:
        """Take back a call that waits for a thread; return whether it was still waiting."""
        with self._changed:
            try:
                self._waiting.remove(call)
            except ValueError:
                return False
            return True

    def close(self) -> None:
        """Drop what waits and let free threads end. Never waits for a call that runs."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while (call := self._next()) is not None:
                call()
        finally:
            with self._changed:
                self._threads -= 1

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._idle += 1
            try:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                return self._waiting.popleft() if self._waiting else None
            finally:
                self._idle -= 1
