"""The event loop of a simulation: its own time, no threads, no real I/O.

Time stands still while anything is ready to run, and jumps to the next timer when nothing is. It
leans on how `asyncio.BaseEventLoop` runs one turn (`_run_once`): a selector that is asked to wait,
a heap of timers, a queue of handles; `tests/simulation/test_loop.py` holds that on every Python
version supported.

asyncio leaves some orders open, which are fixed here, or the same seed would not give the same
run: timers that are due at the same moment run in the order in which they were set; tasks and
futures hash by the order in which they were made, so that sets of them have one order.
"""

import asyncio
import contextvars
import gc
import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sluicegate.simulation.bounds import check_seconds
from sluicegate.simulation.errors import (
    DeadlockError,
    LifeEndedError,
    StandstillError,
    UnhandledError,
)
from sluicegate.simulation.graveyard import Graveyard, muted
from sluicegate.simulation.lives import OUTSIDE, Life, is_dead
from sluicegate.simulation.loop_threads import InlineThreads
from sluicegate.simulation.numbered import NumberedFuture, NumberedTask, NumberedTimer
from sluicegate.simulation.trace import Trace
from sluicegate.simulation.waiting import describe_ready, describe_waiting

__all__ = ["STANDSTILL_STEPS", "SimulationLoop"]

_T = TypeVar("_T")

_CLEAN_EVERY_STEPS = 100_000
"""The garbage collector runs finalizers at moments of its own choosing: it is told when."""
_RESOLUTION_S = 1e-9
STANDSTILL_STEPS = 1_000_000
"""Far more than a hundred thousand endpoints need that have something to do at one moment."""


class _Selector:
    """Passes the time of its loop instead of waiting."""

    def __init__(self, loop: "SimulationLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> tuple[()]:
        self._loop._pass_time(timeout)  # noqa: SLF001 - one thing in two classes
        return ()

    def close(self) -> None:
        """Hold nothing."""


class SimulationLoop(InlineThreads):
    """An event loop with a virtual clock, for one thread, with hosts that can crash.

    What a test may rely on: `time()` is the virtual time in seconds, from 0; waiting takes no
    real time; everything else is asyncio. `sluicegate.simulation.network` adds the sockets.

    Attributes:
        trace: what happened.
        steps: callbacks and timers scheduled so far: how much was done.
        problems: what nobody handled, as `call_exception_handler` was told of it; see `check`.
        standstill_steps: so many callbacks may be scheduled while time stands still; then the
            run ends with `StandstillError`.
    """

    # What `asyncio.BaseEventLoop` keeps, and typeshed does not tell of.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, seed: int | str = 0) -> None:
        """Begin at second 0.

        Args:
            seed: draws how long work in an executor takes.
        """
        super().__init__(random.Random(f"{seed}:loop"))
        self._now_s = 0.0
        self._selector = _Selector(self)
        self._clock_resolution = _RESOLUTION_S
        self._numbers = itertools.count(1)
        self._cleaned_at = 0
        self._graveyard = Graveyard()
        self._eager = False
        self._moved_at = 0  # of `steps`, when time passed last
        self.steps = 0
        self.standstill_steps = STANDSTILL_STEPS
        self.trace = Trace(self.time)
        self.set_exception_handler(_note_problem)

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now_s

    # -- running ------------------------------------------------------------------------------

    def run(self, coro: Coroutine[Any, Any, _T], *, life: Life | None = None) -> _T:
        """Run a coroutine to its end, in the world outside or in a `life`; return its result.

        Raises:
            DeadlockError: it waits for what can never happen.
            StandstillError: something runs on and on, and waits for nothing.
            LifeEndedError: `life` ended before it.
        """
        if life is not None:
            coro = self.within(life, coro)
        return self.run_until_complete(self.create_task(coro, context=OUTSIDE.copy()))

    async def within(self, life: Life, coro: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in a life, from another one or from outside, and return its result.

        If the caller is cancelled, so is the coroutine.

        Raises:
            LifeEndedError: the life ended first, or had ended before: what the coroutine did
                until then stands.
        """
        if life.dead:
            coro.close()
            raise LifeEndedError(f"{life} has ended")
        died: asyncio.Future[None] = self.create_future()

        def die() -> None:
            if not died.done():
                died.set_result(None)

        life.on_crash.append(die)
        work = self.spawn(life, coro)
        either: list[asyncio.Future[Any]] = [work, died]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            work.cancel()
            raise
        finally:
            life.on_crash.remove(die)
        if not work.done():
            raise LifeEndedError(f"{life} has ended")
        return work.result()

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due meanwhile.

        Raises:
            ValueError: `seconds` is not from 0 to 100 years.
        """
        self.advance_to(self._now_s + check_seconds("seconds", seconds))

    def advance_to(self, moment_s: float) -> None:
        """Let time pass until `moment_s` on the virtual clock; at once if that has passed.

        Raises:
            ValueError: `moment_s` is infinite or no number.
        """
        if not math.isfinite(moment_s):
            raise ValueError(f"moment_s: {moment_s!r} is not allowed: a moment that comes")
        timer = self.call_at(moment_s, self.stop, context=OUTSIDE.copy())
        try:
            self.run_forever()
        finally:
            timer.cancel()

    def _pass_time(self, timeout: float | None) -> None:
        if self.steps - self._cleaned_at > _CLEAN_EVERY_STEPS:
            self._cleaned_at = self.steps
            gc.collect()
        if self.steps - self._moved_at > self.standstill_steps:
            raise self._standstill()
        upcoming_s = self._scheduled[0].when() if self._scheduled else math.inf
        if timeout is None or (timeout > 0 and upcoming_s == math.inf):
            raise DeadlockError(
                f"at {self._now_s:.6f} s nothing is ready and no timer is set"
                + describe_waiting(asyncio.all_tasks(self))
            )
        if timeout > 0:
            # The moment itself, not a sum: floats would drift.
            if upcoming_s > self._now_s:
                self._now_s, self._moved_at = upcoming_s, self.steps
            # A float has no room for nanoseconds after some months: asyncio, which looks for
            # what is due before now plus the resolution, would find nothing, for ever.
            self._clock_resolution = max(_RESOLUTION_S, math.ulp(self._now_s))

    def _standstill(self) -> StandstillError:
        return StandstillError(
            f"{self.steps - self._moved_at} callbacks were scheduled while the time stood at"
            f" {self._now_s:.6f} s: something runs on and on without waiting for anything. What ran"
            " last and is to run again:" + describe_ready(self._ready)
        )

    def check(self) -> None:
        """Complain of what nobody handled so far.

        Raises:
            UnhandledError: with every exception of `problems`, each noted with what was said.
        """
        if not self.problems:
            return
        errors: list[Exception] = []
        for problem in self.problems:
            error = problem.get("exception")
            if not isinstance(error, Exception):
                error = RuntimeError(f"{problem['message']}: {error!r}")
            elif problem["message"] not in getattr(error, "__notes__", ()):
                error.add_note(problem["message"])
            errors.append(error)
        raise UnhandledError("nobody handled these in the simulation", errors)

    # -- what asyncio asks of a loop ------------------------------------------------------------

    def _process_events(self, _events: object) -> None:
        """Have none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""

    def create_future(self) -> "asyncio.Future[Any]":
        """Return a future of this loop."""
        return NumberedFuture(loop=self, numbers=self._numbers)

    def create_task(  # type: ignore[override] # typeshed's has one signature for each version
        self,
        coro: Coroutine[Any, Any, _T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **options: Any,  # noqa: ANN401 - asyncio's
    ) -> "asyncio.Task[_T]":
        """Run a coroutine as a task; eagerly, if that is asked for (Python 3.12)."""
        if self.is_closed():
            coro.close()  # else it would complain, whenever it is collected, of never having run
            raise RuntimeError("Event loop is closed")
        if self._eager:
            options.setdefault("eager_start", True)
        task = NumberedTask(
            coro, loop=self, numbers=self._numbers, name=name, context=context, options=options
        )
        if task.life is not None and task.life.dead:
            self._lay_out(task)
        return task

    def set_task_factory(self, factory: Any) -> None:  # noqa: ANN401 - asyncio's signature
        """Take `asyncio.eager_task_factory` (Python 3.12), or `None`.

        Raises:
            EscapeError: any other: its tasks would not be numbered.
        """
        eager = getattr(asyncio, "eager_task_factory", None)
        if factory is not None and factory is not eager:
            raise self.escape("a simulation makes its tasks itself: they have numbers")
        self._eager = factory is not None

    def _call_soon(
        self,
        callback: Callable[..., object],
        args: tuple[object, ...],
        context: contextvars.Context | None,
    ) -> asyncio.Handle:
        handle: asyncio.Handle = super()._call_soon(callback, args, context)  # type: ignore[misc]
        self.steps += 1
        if is_dead(handle):
            self._drop(self._ready.pop())
        return handle

    def call_at(  # type: ignore[override] # typeshed's types the arguments
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - asyncio's signature
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call `callback` at a moment of the virtual clock, unless its host dies before.

        Raises:
            ValueError: `when` is no number, and no order of timers would be right any more.
        """
        if when != when:  # noqa: PLR0124 - the quickest way to ask whether it is a number
            raise ValueError("when: nan is not allowed: a moment of the virtual clock")
        self._check_closed()  # type: ignore[attr-defined] # asyncio's
        self.steps += 1
        timer = NumberedTimer(when, callback, args, self, context)
        timer.number = next(self._numbers)
        if is_dead(timer):
            self._drop(timer)
            return timer
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001 - what asyncio's own does
        return timer

    def call_later(  # type: ignore[override] # same
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - asyncio's signature
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call `callback` after a delay in virtual seconds."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    # -- crashes --------------------------------------------------------------------------------

    def spawn(self, life: Life, coro: Coroutine[Any, Any, _T]) -> "asyncio.Task[_T]":
        """Run a coroutine as a task that lives and dies with `life`."""
        return self.create_task(coro, context=life.context.copy())

    def crash(self, life: Life) -> None:
        """End a host at this moment: nothing of it runs any more, not even a `finally`."""
        if life.dead:
            return
        life.dead = True
        self._graveyard.add(life)
        self.trace.note("host.crashed", life)
        # Cancelled where they are: asyncio has counted those that are ready.
        for handle in (*self._ready, *self._scheduled):
            if not handle.cancelled() and is_dead(handle):
                self._drop(handle)
        for task in self._tasks():
            if task.life is life:
                self._lay_out(task)
        for release in tuple(life.on_crash):
            release()

    def _tasks(self) -> list[NumberedTask]:
        """Return the tasks that are not over, oldest first."""
        tasks = [each for each in asyncio.all_tasks(self) if isinstance(each, NumberedTask)]
        return sorted(tasks, key=NumberedTask.__hash__)

    def _drop(self, handle: asyncio.Handle) -> None:
        self._graveyard.add((handle._callback, handle._args))  # type: ignore[attr-defined]  # noqa: SLF001 - `cancel` lets go of them
        handle.cancel()

    def _lay_out(self, task: NumberedTask) -> None:
        self._graveyard.add(task)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio's switch

    def close(self) -> None:
        """End, and let go of the dead. What happens then is not traced. Twice is fine."""
        if self.is_closed():
            return
        self.trace.freeze()
        with muted():
            said = len(self.problems)
            gc.collect()  # tasks that failed unheard, in a cycle, complain now
            failed = [each for each in self.problems[said:] if each.get("exception") is not None]
            self.problems[said:] = failed
            said = len(self.problems)
            for task in self._tasks():
                self._lay_out(task)
            super().close()
            outer = asyncio._get_running_loop()  # noqa: SLF001 - as below
            # Who asks for the loop gets this one, not a real one, which nobody would close.
            asyncio._set_running_loop(self)  # noqa: SLF001 - meant for those who make loops
            try:
                self._graveyard.clear()
                gc.collect()
            finally:
                asyncio._set_running_loop(outer)  # noqa: SLF001 - same
            del self.problems[said:]  # what the dead say


def _note_problem(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    assert isinstance(loop, SimulationLoop)
    loop.problems.append(context)
    error = context.get("exception")
    loop.trace.note("loop.problem", context["message"], type(error).__name__ if error else "")
