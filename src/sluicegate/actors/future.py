"""Pykka's `Future` for programs in which some callers block and others must never.

A plain thread calls `get`, a coroutine uses `await`; both may hold the same future, and any
thread may complete it. What is derived from a future (`map`, `join`, ...) is pushed: completing
the source completes the derivative, so nobody has to block on the way.
"""

import asyncio
import contextlib
import functools
import queue
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Any, TypeAlias, TypeVar, cast

import pykka

from sluicegate.engine.log import log

__all__ = ["AnswerLostError", "AsyncioFuture", "running_loop"]

T = TypeVar("T")
J = TypeVar("J")
M = TypeVar("M")
R = TypeVar("R")

_ExcInfo: TypeAlias = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]

_LOOK_S = 0.5
"""How often a blocked `get` looks whether the loop that owes the value still exists."""


class AnswerLostError(pykka.ActorDeadError):
    """The actor took the message and died before it answered.

    What was asked for may have been done. A plain `ActorDeadError` says that it was not: the
    message was never handled, so sending it again (to a new actor) is safe.
    """


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that is running in this thread, or `None`. Never blocks."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class AsyncioFuture(pykka.Future[T]):
    """A value that is there now or later, for threads and coroutines alike.

    Every method may be called from any thread. `get` is the only one that can block, and it
    refuses to where it would block an event loop. Cancelling a task that awaits the future does
    not touch the future itself.

    A *get hook* (see `pykka.Future.set_get_hook`) is run by the first `get` in the thread that
    calls it. A hook may block, so where nobody may (an `await` or a callback wants the value) it
    is run in a thread of its own.
    """

    def __init__(self, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Make a future without a value.

        Args:
            loop: the loop that is to complete it. A thread blocked in `get` then learns that the
                loop was closed, where it would otherwise wait for ever.
        """
        super().__init__()
        self._loop = loop
        # Re-entrant: a signal handler may use the future that it interrupted.
        self._lock = threading.RLock()
        self._done = False
        self._value: T | None = None
        self._exception: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._callbacks: list[Callable[[AsyncioFuture[T]], object]] = []
        self._hook_lock: threading.Lock | None = None

    def __repr__(self) -> str:
        """Say whether the value is there."""
        return f"<AsyncioFuture {'done' if self._done else 'pending'}>"

    # -- completing -----------------------------------------------------------------------

    def set(self, value: T | None = None) -> None:
        """Set the value and run the callbacks, in this thread.

        Raises:
            queue.Full: there is a value, an exception or a get hook (as in Pykka).
        """
        self._complete(value, None, None)

    def set_exception(self, exc_info: _ExcInfo | None = None) -> None:
        """Set an exception, which every reader will raise, and run the callbacks, in this thread.

        Args:
            exc_info: as from `sys.exc_info`, which is used when nothing is given.

        Raises:
            queue.Full: there is a value, an exception or a get hook (as in Pykka).
            ValueError: nothing was given and no exception is being handled.
        """
        kind, exception, traceback = sys.exc_info() if exc_info is None else exc_info
        if exception is None:
            if kind is None:
                msg = "set_exception() needs an exception"
                raise ValueError(msg)
            exception = kind()
        self._complete(None, exception, traceback)

    def set_get_hook(self, func: Callable[[float | None], T]) -> None:
        """Let `func(timeout)` supply the value, when it is first wanted.

        As in Pykka an exception that `func` raises in `get` is not kept: the next `get` tries
        again. Told to an `await` or a callback, it is kept.

        Raises:
            queue.Full: there is a value or an exception.
        """
        with self._lock:
            if self._done:
                raise queue.Full
            super().set_get_hook(func)
            self._hook_lock = threading.Lock()
            wanted = bool(self._callbacks)
        if wanted:
            self._run_hook_aside()

    def _complete(
        self,
        value: T | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
        *,
        by_hook: bool = False,
    ) -> None:
        with self._lock:
            if self._done or (self._get_hook is not None and not by_hook):
                raise queue.Full
            self._value, self._exception, self._traceback = value, exception, traceback
            self._done = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self._call(callback)

    def _call(self, callback: "Callable[[AsyncioFuture[T]], object]") -> None:
        try:
            callback(self)
        except Exception:  # noqa: BLE001 - the other listeners still need the value
            log.error("future.callback_failed", exc_info=True)

    # -- reading --------------------------------------------------------------------------

    def done(self) -> bool:
        """Return whether there is a value or an exception. Never blocks."""
        return self._done

    def pushes(self) -> bool:
        """Return whether the value comes, or has come, by itself; else a get hook must fetch it."""
        return self._done or self._get_hook is None

    def exception(self) -> BaseException | None:
        """Return the exception, or `None` when there is none (yet). Never blocks."""
        return self._exception

    def result(self) -> T:
        """Return the value, or raise the exception. Never blocks.

        Raises:
            asyncio.InvalidStateError: there is neither.
        """
        if not self._done:
            msg = "the future has no value yet"
            raise asyncio.InvalidStateError(msg)
        if self._exception is not None:
            # Each reader starts from the original traceback; else they would pile up.
            raise self._exception.with_traceback(self._traceback)
        return cast("T", self._value)

    def get(self, *, timeout: float | None = None) -> T:
        """Return the value, or raise the exception; block this thread until it is there.

        Args:
            timeout: seconds to wait at most; `None` waits for ever.

        Raises:
            pykka.Timeout: it is not there in time.
            AnswerLostError: the loop that owes it was closed.
            RuntimeError: it is not there, and an event loop runs in this thread: use `await`.
        """
        if not self._done:
            if running_loop() is not None:
                msg = "get() would block the running event loop: await the future instead"
                raise RuntimeError(msg)
            if self._get_hook is not None:
                self._run_hook(timeout)
            else:
                self._block(timeout)
        return self.result()

    def _block(self, timeout: float | None) -> None:
        finished = threading.Event()

        def finish(_future: "AsyncioFuture[T]") -> None:
            finished.set()

        self.add_done_callback(finish)
        try:
            if self._loop is None:
                self._expect(timeout, in_time=finished.wait(timeout))
            else:
                self._block_on(self._loop, finished, timeout)
        finally:
            self.remove_done_callback(finish)

    def _block_on(
        self, loop: asyncio.AbstractEventLoop, finished: threading.Event, timeout: float | None
    ) -> None:
        left_s = timeout
        while True:
            turn_s = _LOOK_S if left_s is None else max(0.0, min(_LOOK_S, left_s))
            # Closed is looked at first: a value set just before the close then still counts.
            closed = loop.is_closed()
            if finished.wait(turn_s):
                return
            if closed:
                msg = "the event loop was closed before the answer"
                raise AnswerLostError(msg)
            if left_s is not None:
                left_s -= turn_s
                self._expect(timeout, in_time=left_s > 0)

    @staticmethod
    def _expect(timeout: float | None, *, in_time: bool) -> None:
        if not in_time:
            msg = f"{timeout} seconds"
            raise pykka.Timeout(msg)

    def _run_hook(self, timeout: float | None) -> None:
        hook, lock = self._get_hook, self._hook_lock
        if hook is None or lock is None:
            msg = "no get hook is set"
            raise RuntimeError(msg)
        # Two readers must not run the hook twice.
        got = lock.acquire(timeout=-1 if timeout is None else max(0.0, timeout))
        self._expect(timeout, in_time=got)
        try:
            if not self._done:
                self._complete(hook(timeout), None, None, by_hook=True)
        finally:
            lock.release()

    def _run_hook_aside(self) -> None:
        def run() -> None:
            try:
                self._run_hook(None)
            except BaseException as exc:  # noqa: BLE001 - raised again where the value is read
                with contextlib.suppress(queue.Full):
                    self._complete(None, exc, exc.__traceback__, by_hook=True)

        threading.Thread(target=run, name="sluicegate-get-hook", daemon=True).start()

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the value on whichever loop runs the awaiting task; never blocks the loop."""
        if not self._done:
            waiter = asyncio.get_running_loop().create_future()
            wake = functools.partial(_wake, waiter)
            self.add_done_callback(wake)
            try:
                yield from waiter.__await__()
            finally:
                self.remove_done_callback(wake)
        return self.result()

    # Pykka's `__iter__` is its blocking `__await__`; it has to be replaced as well.
    __iter__ = __await__

    def add_done_callback(self, callback: "Callable[[AsyncioFuture[T]], object]") -> None:
        """Call `callback(self)` once there is a value: now, or in the thread that sets it.

        Callbacks run in the order in which they were added. One that raises is logged.
        """
        with self._lock:
            if not self._done:
                self._callbacks.append(callback)
                if self._get_hook is not None and len(self._callbacks) == 1:
                    self._run_hook_aside()
                return
        self._call(callback)

    def remove_done_callback(self, callback: "Callable[[AsyncioFuture[T]], object]") -> None:
        """Forget `callback`, if it was added and not called yet."""
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

    # -- deriving -------------------------------------------------------------------------

    def map(self, func: Callable[[T], M]) -> "pykka.Future[M]":
        """Return a future for `func(value)`; `func` runs in the thread that completes this one."""
        # What comes only when it is wanted has to be pulled, as Pykka does.
        return self._derive(func) if self.pushes() else super().map(func)

    def filter(
        self: "AsyncioFuture[Iterable[J]]", func: Callable[[J], bool]
    ) -> "pykka.Future[Iterable[J]]":
        """Return a future for the list of the value's items for which `func(item)` is true."""
        return self.map(lambda items: list(filter(func, items)))

    def reduce(
        self: "AsyncioFuture[Iterable[J]]", func: Callable[[R, J], R], *args: R
    ) -> "pykka.Future[R]":
        """Return a future for `functools.reduce(func, value, *args)`."""
        return self.map(lambda items: functools.reduce(func, items, *args))

    def join(
        self: "AsyncioFuture[Any]", *futures: pykka.Future[Any]
    ) -> "pykka.Future[Iterable[Any]]":
        """Return a future for the list of the values of this future and of `futures`.

        If some fail, the first of them in the order of the list decides.
        """
        sources = [self, *futures]
        pushed = [f for f in sources if isinstance(f, AsyncioFuture) and f.pushes()]
        if len(pushed) < len(sources):
            # Not all of them can push, so the values are pulled, as Pykka does.
            return super().join(*futures)
        return _join(pushed)

    def _derive(self, func: Callable[[T], M]) -> "AsyncioFuture[M]":
        derived = AsyncioFuture[M](loop=self._loop)

        def pass_on(source: "AsyncioFuture[T]") -> None:
            try:
                value = func(source.result())
            except BaseException as exc:  # noqa: BLE001 - raised again where the value is read
                derived.set_exception((type(exc), exc, exc.__traceback__))
            else:
                derived.set(value)

        self.add_done_callback(pass_on)
        return derived


def _join(sources: list[AsyncioFuture[Any]]) -> AsyncioFuture[Iterable[Any]]:
    joined = AsyncioFuture[Iterable[Any]](loop=sources[0]._loop)  # noqa: SLF001 - same module
    lock = threading.Lock()
    missing = len(sources)

    def count_down(_source: AsyncioFuture[Any]) -> None:
        nonlocal missing
        with lock:
            missing -= 1
            if missing:
                return
        try:
            values = [source.result() for source in sources]
        except BaseException as exc:  # noqa: BLE001 - raised again where the value is read
            joined.set_exception((type(exc), exc, exc.__traceback__))
        else:
            joined.set(values)

    for source in sources:
        source.add_done_callback(count_down)
    return joined


def _wake(waiter: asyncio.Future[None], _source: object) -> None:
    """Wake a task that awaits, from whatever thread the value came."""
    loop = waiter.get_loop()
    if running_loop() is loop:
        _release(waiter)
    elif not loop.is_closed():
        loop.call_soon_threadsafe(_release, waiter)


def _release(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
