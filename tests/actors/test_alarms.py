"""Moments of endpoints without an actor: each rings once, none is forgotten, none piles up."""

import asyncio
import tracemalloc

from sluicegate.actors.alarms import Alarms
from sluicegate.actors.timer import OneTimer
from sluicegate.clock import SystemClock

from .world import WAIT_S


class Bell:
    """Counts the rings."""

    def __init__(self) -> None:
        self.rung: list[str] = []
        self._more = asyncio.Event()

    def ring(self, endpoint_id: str) -> None:
        self.rung.append(endpoint_id)
        self._more.set()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while len(self.rung) < count:
                self._more.clear()
                await self._more.wait()


def make() -> tuple[Alarms, Bell, SystemClock]:
    """Return alarms with their bell and clock."""
    clock, bell = SystemClock(), Bell()
    return Alarms(clock, bell.ring), bell, clock


async def test_each_endpoint_rings_once_at_its_moment() -> None:
    """Earliest first, whatever the order in which they were set."""
    alarms, bell, clock = make()
    now = clock.steady_ms()
    for name, delay_ms in (("c", 30), ("a", 10), ("b", 20)):
        alarms.set(name, now + delay_ms)
    await bell.wait_for(3)
    assert bell.rung == ["a", "b", "c"]
    assert clock.steady_ms() >= now + 30


async def test_an_earlier_moment_moves_the_timer_forward() -> None:
    """It does not wait behind a later one that was set before."""
    alarms, bell, clock = make()
    alarms.set("late", clock.steady_ms() + 3_600_000)
    alarms.set("soon", clock.steady_ms() + 5)
    await bell.wait_for(1)
    assert bell.rung == ["soon"]


async def test_a_new_moment_replaces_the_old_one() -> None:
    """Set later: it does not ring early; set twice to the same: it rings once."""
    alarms, bell, clock = make()
    now = clock.steady_ms()
    alarms.set("moved", now + 5)
    alarms.set("moved", now + 40)
    alarms.set("same", now + 10)
    alarms.set("same", now + 10)
    alarms.set("last", now + 60)
    await bell.wait_for(3)
    assert bell.rung == ["same", "moved", "last"]


async def test_a_dropped_endpoint_does_not_ring() -> None:
    """It has an actor; the one behind it rings all the same."""
    alarms, bell, clock = make()
    alarms.set("dropped", clock.steady_ms() + 5)
    alarms.set("kept", clock.steady_ms() + 10)
    alarms.drop("dropped")
    alarms.drop("unknown")
    await bell.wait_for(1)
    assert bell.rung == ["kept"]


async def test_a_thousand_due_at_once_all_ring_and_leave_the_loop_its_turns() -> None:
    """They are woken in portions."""
    alarms, bell, _ = make()
    for number in range(1000):
        alarms.set(str(number), 0)
    await asyncio.sleep(0)
    portions = []
    async with asyncio.timeout(WAIT_S):
        while len(bell.rung) < 1000:
            before = len(bell.rung)
            await asyncio.sleep(0)
            portions.append(len(bell.rung) - before)
    assert max(portions) <= 200
    assert len(set(bell.rung)) == 1000


async def test_after_cancel_nothing_rings() -> None:
    """The end of a process wakes nobody."""
    alarms, bell, clock = make()
    alarms.set("a", clock.steady_ms() + 1)
    alarms.cancel()
    alarms.set("b", clock.steady_ms() + 3)
    await bell.wait_for(1)
    assert bell.rung == ["b"]


async def test_moments_that_nobody_waits_for_do_not_pile_up() -> None:
    """An endpoint with one far retry that is activated and retires again and again."""
    alarms, bell, clock = make()
    far = clock.steady_ms() + 3_600_000
    tracemalloc.start()
    try:
        for number in range(10_000):
            alarms.set("often", far + number)
            alarms.drop("often")
        grown_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown_bytes < 50_000
    alarms.set("often", clock.steady_ms())
    await bell.wait_for(1)
    alarms.cancel()


# -- the timer underneath -----------------------------------------------------------------------


async def test_a_timer_fires_at_the_earliest_moment_it_was_set_to() -> None:
    """A later wish leaves an earlier one standing; whoever is woken looks again."""
    loop, fired = asyncio.get_running_loop(), list[float]()
    done = asyncio.Event()

    def fire() -> None:
        fired.append(loop.time())
        done.set()

    timer = OneTimer(fire)
    start = loop.time()
    timer.set(start + 3600)
    timer.set(start + 0.02)
    timer.set(start + 0.04)
    timer.set(None)
    async with asyncio.timeout(WAIT_S):
        await done.wait()
    assert 0.015 < fired[0] - start < 5
    timer.set(loop.time())
    done.clear()
    async with asyncio.timeout(WAIT_S):
        await done.wait()
    assert len(fired) == 2


async def test_a_cancelled_timer_does_not_fire_and_can_be_set_again() -> None:
    """Stopping the delivery loop is cancelling its timer."""
    loop, fired = asyncio.get_running_loop(), asyncio.Event()
    timer = OneTimer(fired.set)
    timer.set(loop.time())
    timer.cancel()
    timer.cancel()
    await asyncio.sleep(0.005)
    assert not fired.is_set()
    timer.set(loop.time() + 0.001)
    async with asyncio.timeout(WAIT_S):
        await fired.wait()
