"""How late the event loop is: what is slow in it makes everything wait."""

import asyncio

from sluicegate.engine.ports import Clock, Telemetry

__all__ = ["LoopLag"]

_EVERY_S = 0.5


class LoopLag:
    """Tells by how much the loop was late for a timer: twice a second while something is written.

    Where nothing is written no message is kept waiting, and no timer wakes the process.
    """

    def __init__(self, clock: Clock, telemetry: Telemetry) -> None:
        """Measure nothing yet."""
        self._clock = clock
        self._telemetry = telemetry
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0

    def stir(self) -> None:
        """Measure once, on the running loop, unless a measurement is under way. Cheap."""
        if self._timer is None:
            self._due_s = self._clock.monotonic_s() + _EVERY_S
            self._timer = asyncio.get_running_loop().call_later(_EVERY_S, self._rings)

    def stop(self) -> None:
        """Forget the measurement that is under way. Twice is fine."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rings(self) -> None:
        self._timer = None
        self._telemetry.loop_lagged(max(0.0, self._clock.monotonic_s() - self._due_s))
