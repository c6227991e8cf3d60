"""Where an actor's messages wait: two bounded lanes, and one scheduled drain while there is mail.

The mailbox keeps no task, no thread and no timer. A message put into an idle mailbox makes the
loop call the actor's drain once: soon if it is control, else when a `Line` has come to it, if there
is one. While such a drain is scheduled or running, a put only appends. `hasten` does not wait for
that call, which then finds nothing.
"""

import asyncio
import contextvars
import functools
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pykka
import pykka.messages

# Pykka's two private names without which no runtime can be written: what `ActorInbox.put` takes
# and what `ActorRef.stop` sends. They are imported here and nowhere else.
from pykka._envelope import Envelope

from sluicegate.actors.future import running_loop
from sluicegate.engine.errors import UnavailableError
from sluicegate.turns.pacer import Line

__all__ = ["Envelope", "Mailbox", "MailboxFullError", "StopFlag", "StopMessage"]

_IN_LINE, _SOON = 1, 2
"""When a scheduled drain comes: in its turn, or past all who wait for theirs."""

StopMessage = pykka.messages._ActorStop  # noqa: SLF001 - what `ActorRef.stop` sends has no public name


class MailboxFullError(UnavailableError):
    """The actor has as many messages waiting as it may; this one was not taken."""

    default_message = "too many requests for this endpoint are waiting, try again"


class StopFlag:
    """What Pykka needs of a `threading.Event`, in a tenth of its memory.

    Nobody waits for it: a stop is waited for through the future that `ActorRef.stop` returns.
    """

    __slots__ = ("_set",)

    def __init__(self) -> None:
        """Start unset."""
        self._set = False

    def is_set(self) -> bool:
        """Return whether the actor has stopped. Never blocks; any thread."""
        return self._set

    def set(self) -> None:
        """Say that the actor has stopped. Never blocks."""
        self._set = True


class Mailbox:
    """The two lanes of one actor. It is a `pykka.ActorInbox`.

    `put` may be called from any thread and never blocks. Everything else belongs to the loop.
    The control lane is emptied before the data lane. Messages of one lane are handled in the
    order in which they were put. Nothing overtakes a stop. The deques are made on demand: an
    idle mailbox has none.
    """

    __slots__ = (
        "_closed",
        "_context",
        "_control",
        "_control_types",
        "_data",
        "_drain",
        "_limit",
        "_line",
        "_lock",
        "_loop",
        "_scheduled",
        "_stopping",
        "draining",
    )

    def __init__(self, *, control_types: frozenset[type] = frozenset(), limit: int = 1000) -> None:
        """Make a mailbox that takes messages and hands them on from `open` on.

        Args:
            control_types: messages of exactly these types go into the control lane.
            limit: messages that may wait in each lane, at least 1.
        """
        self._control_types = control_types
        self._limit = limit
        self._control: deque[Envelope[Any]] | None = None
        self._data: deque[Envelope[Any]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: contextvars.Context | None = None
        self._drain: Callable[[], None] | None = None
        self._line: Line | None = None
        self._scheduled = 0
        self._stopping = False
        self._closed = False
        self.draining = False
        """A drain is running; kept by who drains."""
        # Re-entrant: a signal handler or a finalizer may send while this thread sends.
        self._lock = threading.RLock()

    def open(
        self,
        loop: asyncio.AbstractEventLoop,
        drain: Callable[[], None],
        *,
        line: Line | None = None,
        here: bool = False,
    ) -> None:
        """Schedule the first drain, and from now on one whenever mail comes. Any thread.

        Args:
            loop: where drains run, in a copy of the context of this call.
            drain: called with nothing; it must `get` until it has enough and then `rest`.
            line: where a drain waits while there is only data; it is that loop's.
            here: as for `put`.

        Raises:
            pykka.ActorDeadError: the loop is closed.
        """
        with self._lock:
            self._loop, self._drain, self._line = loop, drain, line
            self._context = contextvars.copy_context()
            self._schedule(here=here)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that handles the messages; `None` before `open`."""
        return self._loop

    @property
    def closed(self) -> bool:
        """Whether nothing put now would ever be handled."""
        return self._closed or (self._loop is not None and self._loop.is_closed())

    @property
    def context(self) -> contextvars.Context | None:
        """The context in which the actor runs: a copy of the one that it was started in."""
        return self._context

    def put(self, envelope: Envelope[Any], /, *, here: bool = False) -> None:
        """Add a message. Never blocks; any thread.

        A stop is always taken: what cannot be stopped because it is busy could not be stopped
        when it matters.

        Args:
            envelope: the message.
            here: this is known to be the loop's thread; else it is asked, which costs a call of
                the kernel (until Python 3.12).

        Raises:
            MailboxFullError: its lane is full.
            pykka.ActorDeadError: the mailbox, or its loop, is closed.
        """
        kind = type(envelope.message)
        with self._lock:
            if self.closed:
                msg = "the actor has stopped"
                raise pykka.ActorDeadError(msg)
            # What is sent after a stop must not be handled, so it must not overtake the stop.
            control = kind in self._control_types and not self._stopping
            lane = self._control if control else self._data
            if lane is None:
                lane = deque()
            elif len(lane) >= self._limit and kind is not StopMessage:
                raise MailboxFullError
            if self._drain is not None and self._scheduled < (_SOON if control else _IN_LINE):
                self._schedule(here=here, control=control)
            lane.append(envelope)
            self._stopping |= kind is StopMessage
            if control:
                self._control = lane
            else:
                self._data = lane

    def hasten(self) -> None:
        """Drain now what a drain is scheduled for: in a busy process a turn takes milliseconds.

        On the loop only, and for what somebody waits for. Does nothing from a handler of the same
        actor, which must end first.
        """
        if self._context is not None and self._drain is not None and not self.draining:
            self._context.run(self._drain)

    def get(self) -> Envelope[Any]:
        """Remove and return the next message, control before data. Never blocks.

        Raises:
            queue.Empty: there is none.
        """
        envelope = self.take()
        if envelope is None:
            raise queue.Empty
        return envelope

    def take(self) -> Envelope[Any] | None:
        """Remove and return the next message as `get` does; `None` when there is none."""
        lane = self._control or self._data
        return lane.popleft() if lane else None

    def empty(self) -> bool:
        """Return whether nothing waits. Never blocks."""
        return not self._control and not self._data

    def rest(self) -> None:
        """End a drain: schedule the next one if there is mail, else fall idle."""
        with self._lock:
            if self.empty():
                self._control = self._data = None
                self._scheduled = 0
            else:
                self._schedule(here=True, control=bool(self._control))

    def again(self) -> None:
        """Schedule another drain, mail or not, in place of `rest`. Does nothing once closed."""
        with self._lock:
            if not self.closed:
                self._schedule(here=True, control=True)

    def close(self) -> list[Envelope[Any]]:
        """Take nothing any more; return what waited, control before data."""
        with self._lock:
            left = [*(self._control or ()), *(self._data or ())]
            self._control = self._data = self._drain = self._context = None
            self._closed = True
        return left

    def _schedule(self, *, here: bool, control: bool = False) -> None:
        loop, drain, context = self._loop, self._drain, self._context
        if loop is None or drain is None or context is None:
            return
        if here or running_loop() is loop:
            if self._line is None or control:
                loop.call_soon(drain, context=context)
                self._scheduled = _SOON
            else:
                self._line.add(functools.partial(context.run, drain))
                self._scheduled = _IN_LINE
            return
        try:
            loop.call_soon_threadsafe(drain, context=context)
        except RuntimeError as exc:
            if not loop.is_closed():
                raise
            msg = "the actor's event loop is closed"
            raise pykka.ActorDeadError(msg) from exc
        self._scheduled = _SOON
