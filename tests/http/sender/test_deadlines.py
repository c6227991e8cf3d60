"""The time limits of all attempts of a sender: one timer, and each at its moment."""

import asyncio
from collections.abc import Callable, Iterator
from contextvars import Context

import pytest

from sluicegate.http.outbound.deadlines import Deadlines
from sluicegate.simulation import SimulationLoop


class WatchedLoop(SimulationLoop):
    """A loop on a clock of its own that knows its timers."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[asyncio.TimerHandle] = []

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: object,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Set a timer, and remember it."""
        timer = super().call_at(when, callback, *args, context=context)
        self._made.append(timer)
        return timer

    @property
    def timers(self) -> int:
        """How many are set."""
        return sum(not each.cancelled() and each.when() > self.time() for each in self._made)


@pytest.fixture
def loop() -> Iterator[WatchedLoop]:
    """Closed at the end."""
    made = WatchedLoop()
    yield made
    made.close()


class Attempt:
    """Notes when it expired, by its name."""

    def __init__(self, name: str, loop: SimulationLoop, log: list[tuple[str, float]]) -> None:
        self._name = name
        self._loop = loop
        self._log = log

    def expire(self) -> None:
        """Note it."""
        self._log.append((self._name, round(self._loop.time(), 3)))


def test_each_expires_at_its_moment_and_those_that_were_removed_never(
    loop: WatchedLoop,
) -> None:
    """Whatever the order in which they were added."""
    log: list[tuple[str, float]] = []
    a, b, c, d = (Attempt(name, loop, log) for name in "abcd")

    async def course() -> None:
        deadlines, start_s = Deadlines(loop), loop.time()
        deadlines.add(a, start_s + 3)
        deadlines.add(b, start_s + 1)
        deadlines.add(c, start_s + 2)
        deadlines.add(d, start_s + 3)
        deadlines.remove(b)
        deadlines.remove(b)
        await asyncio.sleep(2.5)
        deadlines.remove(a)
        await asyncio.sleep(2)
        deadlines.remove(d)
        deadlines.add(b, start_s + 5)
        await asyncio.sleep(2)
        assert [(name, at_s - round(start_s, 3)) for name, at_s in log] == [
            ("c", 2.0),
            ("d", 3.0),
            ("b", 5.0),
        ]

    loop.run(course())


def test_while_there_is_none_no_timer_is_set(loop: WatchedLoop) -> None:
    """A process at rest is not woken."""

    async def course() -> None:
        deadlines = Deadlines(loop)
        deadlines.add(Attempt("a", loop, []), loop.time() + 30)
        other = Attempt("b", loop, [])
        deadlines.add(other, loop.time() + 20)
        assert loop.timers == 1
        await asyncio.sleep(25)
        assert loop.timers == 1
        await asyncio.sleep(25)
        assert loop.timers == 0
        deadlines.add(other, loop.time() + 20)
        deadlines.remove(other)
        assert loop.timers == 0

    loop.run(course())
