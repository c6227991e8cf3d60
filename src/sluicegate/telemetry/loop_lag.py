"""How late the event loop is: what is slow in it makes everything wait."""

import asyncio

from sluicegate.engine.ports import Clock, Telemetry

__all__ = ["LoopLag"]

_EVERY_S = 0.5


class LoopLag:
    """Sets a timer twice a second and tells by how much the loop was late for it."""

    def __init__(self, clock: Clock, telemetry: Telemetry) -> None:
        """Measure nothing yet."""
        self._clock = clock
        self._telemetry = telemetry
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0

    def start(self) -> None:
        """Measure from now on, on the running loop."""
        self._due_s = self._clock.monotonic_s() + _EVERY_S
        self._timer = asyncio.get_running_loop().call_later(_EVERY_S, self._rings)

    def stop(self) -> None:
        """Measure no more. Twice is fine."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rings(self) -> None:
        self._telemetry.loop_lagged(max(0.0, self._clock.monotonic_s() - self._due_s))
        self.start()
