"""One engine on an event loop of its own, on a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any, NoReturn, TypeVar

from sluicegate.app import Engine
from sluicegate.embedding.errors import CallTimeoutError
from sluicegate.engine.errors import UnavailableError

__all__ = ["Background"]

_T = TypeVar("_T")


class Background:
    """Runs an engine until it is stopped, and carries calls over to it.

    The thread is a daemon, and so are those that the engine starts from it: threads inherit
    that. A process that just ends is therefore never kept by them.

    Calls are made from any thread; they are settled by the loop's own thread only, and every one
    of them is, whatever becomes of the loop.
    """

    def __init__(self, make: Callable[[], Engine]) -> None:
        """Start the thread; it makes and opens the engine."""
        self._make = make
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._opened: Future[Engine] = Future()
        self._asked: set[Future[Any]] = set()
        self._tasks: dict[Future[Any], asyncio.Task[Any]] = {}
        self._thread = threading.Thread(target=self._run, name="sluicegate-engine", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._loop.close()
            raise

    @property
    def is_over(self) -> bool:
        """Whether its loop has ended: the engine is closed, or could not be opened."""
        return self._loop.is_closed()

    @property
    def engine(self) -> Engine | None:
        """The engine, while it is open."""
        is_open = self._opened.done() and not self.is_over
        return self._opened.result() if is_open else None

    def call(
        self, call: Callable[[Engine], Coroutine[Any, Any, _T]], *, timeout_s: float | None
    ) -> _T:
        """Make a call on the loop, once the engine is open, and wait for its answer.

        Args:
            call: is called on the loop.
            timeout_s: how long to wait; then the call is cancelled. `None`: for ever.

        Raises:
            CallTimeoutError: no answer within `timeout_s`.
            UnavailableError: the engine was closed, before or meanwhile.
            Exception: whatever kept the engine from opening, or the call raises.
        """
        answer: Future[_T] = Future()
        self._asked.add(answer)
        try:
            if not self._post(self._begin, call, answer):
                self._refuse()
            return answer.result(timeout_s)
        except CancelledError:
            raise UnavailableError("the engine was closed before it answered") from None
        except TimeoutError:
            if answer.done():
                return answer.result()  # it came just now, or is a `TimeoutError` itself
            raise CallTimeoutError from None
        finally:
            self._asked.discard(answer)
            if not answer.done():
                self._post(self._give_up, answer)

    def stop(self, *, timeout_s: float | None) -> bool:
        """Drain and close the engine, and wait until that is done. Twice is fine.

        Returns:
            Whether it was done within `timeout_s`; else it goes on.
        """
        self._post(self._stopping.set)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _post(self, callback: Callable[..., None], *args: object) -> bool:
        """Have the loop call it; return whether there is a loop to do so."""
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:  # it is closed
            return False
        return True

    def _refuse(self) -> NoReturn:
        """Say why there is no engine (any more)."""
        self._thread.join()  # it is at its end
        self._opened.result()  # raises what kept it from opening
        raise UnavailableError("the engine is closed")

    # -- on the thread ----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._live())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for the engine
            if not self._opened.done():
                self._opened.set_exception(error)
        finally:
            # The loop is closed: nobody else will answer those who still wait.
            why = self._opened.exception()
            for answer in list(self._asked):
                if answer.done():
                    continue
                if why is not None:
                    answer.set_exception(why)
                else:
                    answer.cancel()

    async def _live(self) -> None:
        async with self._make() as engine:
            self._opened.set_result(engine)
            await self._stopping.wait()

    def _begin(
        self, call: Callable[[Engine], Coroutine[Any, Any, _T]], answer: "Future[_T]"
    ) -> None:
        """Make a call now, or when the engine is open."""
        if answer not in self._asked:
            return  # given up meanwhile
        if not self._opened.done():
            self._opened.add_done_callback(lambda _: self._begin(call, answer))
        elif (error := self._opened.exception()) is not None:
            answer.set_exception(error)
        else:
            task = self._loop.create_task(call(self._opened.result()))
            self._tasks[answer] = task
            task.add_done_callback(partial(self._settle, answer))

    def _settle(self, answer: "Future[_T]", task: "asyncio.Task[_T]") -> None:
        self._tasks.pop(answer, None)
        if task.cancelled():
            answer.cancel()
        elif (error := task.exception()) is not None:
            answer.set_exception(error)
        else:
            answer.set_result(task.result())

    def _give_up(self, answer: "Future[Any]") -> None:
        task = self._tasks.get(answer)
        if task is not None:
            task.cancel()
