"""How late the loop is, measured."""

import asyncio

from sluicegate.clock import SystemClock
from sluicegate.engine.ports import NoTelemetry
from sluicegate.telemetry.loop_lag import LoopLag


class Late(NoTelemetry):
    """Keeps what was reported, and signals it."""

    def __init__(self) -> None:
        self.seen: list[float] = []
        self.reported = asyncio.Event()

    def loop_lagged(self, late_s: float) -> None:
        """Keep it."""
        self.seen.append(late_s)
        self.reported.set()


class JumpingClock(SystemClock):
    """The machine's clock, which jumps as if the loop had been held up."""

    ahead_s = 0.0

    def monotonic_s(self) -> float:
        """Seconds, the jump included."""
        return super().monotonic_s() + self.ahead_s


async def test_a_loop_that_was_held_up_is_told_by_how_much() -> None:
    """Once for all that stirs within half a second; after `stop` nothing is told any more."""
    clock, late = JumpingClock(), Late()
    lag = LoopLag(clock, late)
    lag.stir()
    lag.stir()
    clock.ahead_s = 3.0
    async with asyncio.timeout(10):
        await late.reported.wait()
        assert 3.0 <= late.seen[0] < 13.0
        late.reported.clear()
        lag.stir()
        await late.reported.wait()
    assert 0.0 <= late.seen[1] < 10.0
    assert len(late.seen) == 2
    lag.stir()
    lag.stop()
    lag.stop()
