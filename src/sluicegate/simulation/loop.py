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
import random
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, TypeVar

from sluicegate.simulation.lives import OUTSIDE, Life, is_dead, life_of
from sluicegate.simulation.trace import Trace

if TYPE_CHECKING:
    from sluicegate.simulation.network import Network, SimulatedServer, SimulatedSocket

__all__ = ["DeadlockError", "EscapeError", "SimulationLoop"]

_T = TypeVar("_T")

_CLEAN_EVERY_STEPS = 500_000
"""The garbage collector runs finalizers at moments of its own choosing: it is told when."""
_EXECUTOR_S_MAX = 0.002


class DeadlockError(RuntimeError):
    """Nothing is ready and no timer is set: what is waited for can never happen."""


class EscapeError(RuntimeError):
    """Code in the simulation reached for the real world: a thread, a real socket, a subprocess."""


class _Selector:
    """Passes the time of its loop instead of waiting."""

    def __init__(self, loop: "SimulationLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> tuple[()]:
        self._loop._pass_time(timeout)  # noqa: SLF001 - one thing in two classes
        return ()

    def close(self) -> None:
        """Hold nothing."""


class _Timer(asyncio.TimerHandle):
    """A timer with a number: of those that are due together the first set is the first run."""

    __slots__ = ("number",)
    number: int
    _when: float

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _Timer):
            return NotImplemented
        if self._when == other._when:
            return self.number < other.number
        return self._when < other._when

    __hash__ = asyncio.TimerHandle.__hash__


class _Task(asyncio.Task[Any]):
    """A task that hashes by its number."""

    def __init__(
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        loop: "SimulationLoop",
        name: str | None,
        context: contextvars.Context | None,
    ) -> None:
        self.number = loop.next_number()
        self.life = life_of(context)
        super().__init__(coro, loop=loop, name=name or f"task-{self.number}", context=context)

    def __hash__(self) -> int:
        return self.number

    __eq__ = object.__eq__


class _Future(asyncio.Future[Any]):
    """A future that hashes by its number."""

    def __init__(self, *, loop: "SimulationLoop") -> None:
        self.number = loop.next_number()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.number

    __eq__ = object.__eq__


class SimulationLoop(asyncio.BaseEventLoop):
    """An event loop with a virtual clock, for one thread, with hosts that can crash.

    What a test may rely on: `time()` is the virtual time in seconds, from 0; waiting takes no
    real time; everything else is asyncio. `sluicegate.simulation.network` adds the sockets.

    Attributes:
        trace: what happened.
        steps: callbacks and timers scheduled so far: how much was done.
        problems: exceptions that nobody handled, as `call_exception_handler` was told of them.
    """

    # What `asyncio.BaseEventLoop` keeps, and typeshed does not tell of.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _thread_id: int | None

    def __init__(self, seed: int | str = 0) -> None:
        """Begin at second 0.

        Args:
            seed: draws how long work in an executor takes.
        """
        super().__init__()
        self._now_s = 0.0
        self._selector = _Selector(self)
        self._clock_resolution = 1e-9
        self._numbers = 0
        self._cleaned_at = 0
        self._random = random.Random(f"{seed}:loop")
        self._graveyard: list[object] = []
        self.network: Network
        self.steps = 0
        self.trace = Trace(self.time)
        self.problems: list[dict[str, Any]] = []
        self.set_exception_handler(_note_problem)

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now_s

    def next_number(self) -> int:
        """Return a number that was not given yet; later ones are greater."""
        self._numbers += 1
        return self._numbers

    # -- running ------------------------------------------------------------------------------

    def run(self, coro: Coroutine[Any, Any, _T], *, life: Life | None = None) -> _T:
        """Run a coroutine to its end, in the world outside or in a `life`; return its result.

        Raises:
            DeadlockError: it waits for what can never happen.
        """
        context = OUTSIDE.copy() if life is None else life.context.copy()
        return self.run_until_complete(self.create_task(coro, context=context))

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due meanwhile."""
        self.advance_to(self._now_s + seconds)

    def advance_to(self, moment_s: float) -> None:
        """Let time pass until `moment_s` on the virtual clock; at once if that has passed."""
        timer = self.call_at(moment_s, self.stop, context=OUTSIDE.copy())
        try:
            self.run_forever()
        finally:
            timer.cancel()

    def _pass_time(self, timeout: float | None) -> None:
        if self.steps - self._cleaned_at > _CLEAN_EVERY_STEPS:
            self._cleaned_at = self.steps
            gc.collect()
        if timeout is None:
            raise DeadlockError(f"at {self._now_s:.6f} s nothing is ready and no timer is set")
        if timeout > 0:
            # The moment itself, not a sum: floats would drift.
            self._now_s = max(self._now_s, self._scheduled[0].when())

    # -- what asyncio asks of a loop ------------------------------------------------------------

    def _process_events(self, _events: object) -> None:
        """Have none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""

    def create_future(self) -> "asyncio.Future[Any]":
        """Return a future of this loop."""
        return _Future(loop=self)

    def create_task(  # type: ignore[override] # typeshed's has one signature for each version
        self,
        coro: Coroutine[Any, Any, _T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **_: object,
    ) -> "asyncio.Task[_T]":
        """Run a coroutine as a task."""
        self._check_closed()  # type: ignore[attr-defined] # asyncio's
        return _Task(coro, loop=self, name=name, context=context)

    def _call_soon(
        self,
        callback: Callable[..., object],
        args: tuple[object, ...],
        context: contextvars.Context | None,
    ) -> asyncio.Handle:
        handle: asyncio.Handle = super()._call_soon(callback, args, context)  # type: ignore[misc]
        self.steps += 1
        if is_dead(handle):
            self._ready.pop()
            handle.cancel()
        return handle

    def call_at(  # type: ignore[override] # typeshed's types the arguments
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - asyncio's signature
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call `callback` at a moment of the virtual clock, unless its host dies before."""
        self._check_closed()  # type: ignore[attr-defined] # asyncio's
        self.steps += 1
        timer = _Timer(when, callback, args, self, context)
        timer.number = self.next_number()
        if is_dead(timer):
            timer.cancel()
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
        if self._thread_id not in {None, threading.get_ident()}:
            raise EscapeError(
                "a thread called into the simulation: run its work inline, or with"
                " `loop.run_in_executor`, which does"
            )
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override] # as above
        self,
        executor: Executor | None,
        func: Callable[..., _T],
        *args: Any,  # noqa: ANN401 - asyncio's signature
    ) -> "asyncio.Future[_T]":
        """Run `func` inline, at a moment up to 2 ms from now. No thread is used."""
        del executor
        future: asyncio.Future[_T] = self.create_future()

        def work() -> None:
            if future.cancelled():
                return
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - it is the asker's
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_later(self._random.uniform(0, _EXECUTOR_S_MAX), work)
        return future

    # -- sockets, which are the network's -------------------------------------------------------

    async def create_server(  # type: ignore[override] # asyncio's has a dozen more options
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        **_: object,
    ) -> "SimulatedServer":
        """Listen at a port of the running host; see `Network.listen`."""
        return self.network.listen(protocol_factory, host, port or 0)

    async def create_connection(  # type: ignore[override] # as above
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: object = None,
        sock: "SimulatedSocket | None" = None,
        **_: object,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect to a name and a port, or through a socket that `sock_connect` connected."""
        address = sock.getpeername() if sock is not None else None
        if address is None:
            address = (self.network.address(host or ""), port or 0)
            await self.network.reach(address)
        return self.network.connect(protocol_factory, address, tls=bool(ssl))

    async def sock_connect(self, sock: Any, address: Any) -> None:  # noqa: ANN401 - asyncio's signature
        """Do the TCP handshake of a socket."""
        await self.network.reach((address[0], address[1]))
        sock.peer = (address[0], address[1])

    async def getaddrinfo(
        self,
        host: Any,  # noqa: ANN401 - asyncio's signature
        port: Any,  # noqa: ANN401 - same
        **_: object,
    ) -> list[tuple[Any, ...]]:
        """Look a name up."""
        address = (self.network.address(host), port or 0)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    # -- crashes --------------------------------------------------------------------------------

    def spawn(self, life: Life, coro: Coroutine[Any, Any, _T]) -> "asyncio.Task[_T]":
        """Run a coroutine as a task that lives and dies with `life`."""
        return self.create_task(coro, context=life.context.copy())

    def crash(self, life: Life) -> None:
        """End a host at this moment: nothing of it runs any more, not even a `finally`."""
        if life.dead:
            return
        life.dead = True
        self.trace.note("host.crashed", life)
        dead = [handle for handle in self._ready if is_dead(handle)]
        alive = [handle for handle in self._ready if not is_dead(handle)]
        self._ready.clear()
        self._ready.extend(alive)
        for timer in self._scheduled:
            if not timer.cancelled() and is_dead(timer):
                timer.cancel()
        tasks = [each for each in asyncio.all_tasks(self) if isinstance(each, _Task)]
        tasks = sorted((each for each in tasks if each.life is life), key=_Task.__hash__)
        # Kept, for a generator runs its `finally` when it is collected.
        self._graveyard += dead
        self._graveyard += tasks
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio's switch
        for release in life.on_crash:
            release()

    def close(self) -> None:
        """End, and let go of the dead. Twice is fine."""
        if self.is_closed():
            return
        super().close()
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            # Their `finally` blocks run now, in a world that is no more: nobody wants to know.
            for task in self._graveyard:
                if isinstance(task, _Task):
                    _bury(task)
            self._graveyard.clear()
            gc.collect()
        finally:
            sys.unraisablehook = hook


def _bury(task: _Task) -> None:
    coro = task.get_coro()
    try:
        if coro is not None:
            coro.close()
    except BaseException:  # noqa: BLE001, S110 - what the dead say
        pass


def _note_problem(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    assert isinstance(loop, SimulationLoop)
    loop.problems.append(context)
    error = context.get("exception")
    loop.trace.note("loop.problem", context["message"], type(error).__name__ if error else "")
