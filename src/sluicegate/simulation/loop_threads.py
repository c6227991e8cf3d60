"""The part of the loop that is about threads: there are none, and none may call in."""

import asyncio
import contextvars
import random
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

from sluicegate.simulation.errors import EscapeError
from sluicegate.simulation.loop_sockets import SimulatedSockets

__all__ = ["InlineThreads"]

_T = TypeVar("_T")

_EXECUTOR_S_MAX = 0.002


class InlineThreads(SimulatedSockets):
    """Does inline what asyncio would do in threads.

    Attributes:
        problems: what nobody handled, or what may have been swallowed.
    """

    _thread_id: int | None  # asyncio's: whose thread runs it

    def __init__(self, chance: random.Random) -> None:
        """Belong to the thread that makes it.

        Args:
            chance: draws how long work in an executor takes.
        """
        super().__init__()
        self._owner = threading.get_ident()
        self._random = chance
        self.problems: list[dict[str, Any]] = []

    def call_soon_threadsafe(  # type: ignore[override] # same
        self,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - asyncio's signature
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Call `callback` soon; from this loop's own thread only.

        Raises:
            EscapeError: another thread called, whose moments no seed can repeat.
        """
        if threading.get_ident() != (self._thread_id or self._owner):
            error = EscapeError(
                "a thread called into the simulation: run its work inline, or with"
                " `loop.run_in_executor`, which does"
            )
            # The thread may swallow it. No line in the trace: its moment is nobody's to repeat.
            self.problems.append({"message": "a thread called", "exception": error})
            raise error
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override] # as above
        self,
        executor: Executor | None,
        func: Callable[..., _T],
        *args: Any,  # noqa: ANN401 - asyncio's signature
    ) -> "asyncio.Future[_T]":
        """Run `func` inline, at a moment up to 2 ms from now. No thread is used.

        As on a thread of its own, no loop is running for it.
        """
        del executor
        future: asyncio.Future[_T] = self.create_future()

        def work() -> None:
            if future.cancelled():
                return
            asyncio._set_running_loop(None)  # noqa: SLF001 - meant for those who make loops
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - it is the asker's
                future.set_exception(error)
            else:
                future.set_result(result)
            finally:
                asyncio._set_running_loop(self)  # noqa: SLF001 - as above

        self.call_later(self._random.uniform(0, _EXECUTOR_S_MAX), work)
        return future
