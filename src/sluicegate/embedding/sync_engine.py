"""The engine for programs without an event loop. Public face: `SyncEngine`."""

import atexit
import contextlib
import inspect
import os
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from sluicegate.app import Engine, Mode, checked_mode, checked_settings
from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.embedding.blocking import BlockingCalls
from sluicegate.embedding.errors import CallTimeoutError
from sluicegate.engine.errors import InvalidRequestError, SettingError, UnavailableError
from sluicegate.engine.events import EVENTS_WAITING, EventName, EventQueue, event_names
from sluicegate.engine.settings import Settings
from sluicegate.forks import LOADING
from sluicegate.outbox.calls import OutboxCalls

if TYPE_CHECKING:
    from sluicegate.embedding.background import Background
    from sluicegate.embedding.sync_events import SyncEventStream
    from sluicegate.listeners import Listener

__all__ = ["SyncEngine"]

_T = TypeVar("_T")

_TIMEOUT_S_MAX = threading.TIMEOUT_MAX


class SyncEngine(BlockingCalls, OutboxCalls):
    """An `Engine` whose methods block, for Django, Flask, Celery, scripts: any thread, any number.

        engine = SyncEngine(Settings(database="webhooks.db"))
        endpoint = engine.create_endpoint("https://example.com/hook")
        engine.send(endpoint.id, {"event": "order.created"})

    Every method of `Engine` that asks something is here, by the same name and with the same
    arguments, results and errors. Each takes `timeout_s` besides, the seconds after which
    `CallTimeoutError` is raised; only `create_endpoint` and `update_endpoint`, where `timeout_s`
    is the endpoint's own field, always wait for the engine's. **A send that timed out may still be
    stored**: repeat it with the same `idempotency_key`, and it is stored once.

    *Life.* The first call, from whichever thread, opens the file and starts a daemon thread with
    an event loop, where everything else happens; `with SyncEngine(...) as engine:` opens at once.
    If opening fails, the call raises why, and the next call tries again. `close` gives attempts
    in flight `drain_s` to end. A program that ends without it is closed by `atexit`, in the same
    way and after its last thread; if it is killed, nothing that was accepted is lost.

    *Fork.* A child does not use what its parent opened: its first call opens the file anew. As
    one process owns a file, that raises `StorageLockedError` if the parent had it open. So
    open it in one process only; the workers of gunicorn or Celery take `mode="enqueue"`, which
    any number of processes may have.

    *Event loops.* A call from a thread whose event loop is running would block that loop, and
    raises `RuntimeError`: use `Engine` there.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        mode: Mode = "deliver",
        timeout_s: float = 30.0,
    ) -> None:
        """Take what it needs; nothing is opened or started.

        Args:
            settings: the defaults when not given.
            mode: whether the process owns the file and delivers, or only sends; see `Engine`.
            timeout_s: how long a call waits when it does not say, more than 0.

        Raises:
            SettingError: `timeout_s` is not a positive number, there is no such mode, or
                `settings` are no `Settings`.
        """
        self._mode: Mode = checked_mode(mode)
        self.settings = checked_settings(settings)
        with LOADING:
            from sluicegate.engine.message_rules import MessageRules  # noqa: PLC0415 - see `LOADING`

        self._message_rules = MessageRules(
            clock=SystemClock(), random=SystemRandom(), settings=self.settings
        )
        self._timeout_s = _checked(timeout_s)
        self._background: Background | None = None
        self._inherited: list[Background] = []
        self._streams: weakref.WeakSet[SyncEventStream] = weakref.WeakSet()
        self._listening: list[threading.Thread] = []
        self._closed = False
        self._lock = threading.Lock()
        _engines.add(self)

    def __enter__(self) -> Self:
        """Open the database and begin to deliver; may be left out.

        Raises:
            StorageLockedError, StorageVersionError, SettingError: as `Engine.__aenter__`.
            UnavailableError: it was closed.
        """
        self._call(_nothing, None)
        return self

    def __exit__(self, *_: object) -> None:
        """Drain, then close everything."""
        self.close()

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied, as for another process."""
        raise TypeError("a SyncEngine cannot be pickled or copied: give its Settings, and make one")

    @property
    def failed(self) -> bool:
        """Whether storage can no longer be trusted: end the process and start it anew."""
        background = self._background
        engine = None if background is None else background.engine
        return engine is not None and engine.failed.is_set()

    def on(
        self, event: EventName | str, listener: "Listener", *, room: int = EVENTS_WAITING
    ) -> Callable[[], None]:
        """Call `listener` with every event of a name, from now on; see `Engine.on`.

        Each listener is called on a daemon thread of its own, where it may block and may call
        this engine. Opens the file, if that was not done yet. When the engine closes, all of them
        together have 5 seconds for what they were told of. A child of a fork has no listeners.

        Args:
            event: one of `EventName`, such as `message.failed`.
            listener: a function that takes an `Event`; no coroutine function.
            room: how many events may wait for it, 1..100000.

        Returns:
            What ends it when it is called; what waits is still told.

        Raises:
            InvalidRequestError: there is no such event, `room` is out of range, or `listener` is
                a coroutine function.
        """
        if inspect.iscoroutinefunction(listener):
            message = "a SyncEngine calls functions; a coroutine function is one for Engine.on"
            raise InvalidRequestError(message, details={"field": "listener"})
        stream = self.events(event, room=room)
        from sluicegate.embedding.sync_events import call_with_each  # noqa: PLC0415 - loaded by then

        thread = threading.Thread(
            target=call_with_each, args=(stream, listener), name="sluicegate-listener", daemon=True
        )
        thread.start()
        with self._lock:
            self._listening = [*(each for each in self._listening if each.is_alive()), thread]
        return stream.close

    def events(self, *names: EventName | str, room: int = EVENTS_WAITING) -> "SyncEventStream":
        """Return events as they happen, from now on: `for event in engine.events():` blocks.

        What is missed and when it ends is as with `Engine.events`; in a child of a fork it ends at
        once. Opens the file, if that was not done yet.

        Args:
            *names: of `EventName`; none: all.
            room: how many events may wait, 1..100000.

        Raises:
            InvalidRequestError: there is no such event, or `room` is out of range.
        """
        with LOADING:
            from sluicegate.embedding.sync_events import SyncEventStream  # noqa: PLC0415 - see `LOADING`

        stream = SyncEventStream(EventQueue(event_names(names), room=room))

        async def subscribe(engine: Engine) -> None:
            engine.subscribe(stream)

        self._streams.add(stream)
        self._call(subscribe, None)
        return stream

    def close(self, *, timeout_s: float | None = None) -> None:
        """Start nothing more, give attempts in flight `drain_s` to end, close the file.

        Twice is fine, as is before the first call. Calls that others wait for raise
        `UnavailableError`, as do all later ones. Then listeners have 5 seconds (`timeout_s`, if
        that is less) for what they were told of.

        Args:
            timeout_s: how long to wait until it is closed, in seconds; when not given, for ever.

        Raises:
            CallTimeoutError: it was not closed in time; the closing goes on.
            SettingError: `timeout_s` is not a positive number; nothing was done.
            RuntimeError: an event loop runs on this thread.
        """
        _refuse_loop()
        wait_s = None if timeout_s is None else _checked(timeout_s)
        with self._lock:
            self._closed = True
            background, listening = self._background, self._listening
        if background is not None:
            if not background.stop(timeout_s=wait_s):
                raise CallTimeoutError("not closed in time; the closing goes on")
            atexit.unregister(self.close)
        if listening:
            from sluicegate.embedding.sync_events import end_listening  # noqa: PLC0415 - loaded by then

            end_listening(listening, timeout_s=wait_s)

    def _call(
        self, call: Callable[[Engine], Coroutine[Any, Any, _T]], timeout_s: float | None
    ) -> _T:
        _refuse_loop()
        wait_s = self._timeout_s if timeout_s is None else _checked(timeout_s)
        return self._opening().call(call, timeout_s=wait_s)

    def _opening(self) -> "Background":
        """Return the running engine; start it first if there is none."""
        with self._lock:
            if self._closed:
                raise UnavailableError("the engine is closed: make a new `SyncEngine`")
            if self._background is None or self._background.is_over:
                if self._background is None:
                    atexit.register(self.close)
                with LOADING:
                    from sluicegate.embedding.background import Background  # noqa: PLC0415 - see `LOADING`

                self._background = Background(lambda: Engine(self.settings, mode=self._mode))
            return self._background

    def _leave_to_parent(self) -> None:
        """Begin anew in a child; only the forking thread is there.

        What the parent opened is kept, untouched: to let go of it would close the parent's
        connections and empty the set of files that its event loop waits for.
        """
        if self._background is not None:
            self._inherited.append(self._background)
            self._background = None
            atexit.unregister(self.close)
        for stream in list(self._streams):
            stream.leave_to_parent()
        self._listening = []
        self._lock = threading.Lock()


def _checked(timeout_s: float) -> float:
    with contextlib.suppress(TypeError):  # no number
        if 0 < timeout_s <= _TIMEOUT_S_MAX:
            return timeout_s
    message = f"timeout_s must be more than 0 and at most {_TIMEOUT_S_MAX:.0f} seconds"
    raise SettingError(message, details={"setting": "timeout_s"})


def _refuse_loop() -> None:
    if "asyncio" not in sys.modules:
        return  # then there is none: it is loaded with the first engine
    import asyncio  # noqa: PLC0415 - loaded by then

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "a SyncEngine was called on a thread whose event loop is running, which it would block: "
        "use `async with Engine(...)` there, or `await asyncio.to_thread(engine.send, ...)`"
    )


async def _nothing(_: Engine) -> None:
    """Ask nothing: it is answered when the engine is open."""


_engines: "weakref.WeakSet[SyncEngine]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for engine in list(_engines):
        engine._leave_to_parent()  # noqa: SLF001 - this module's own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
