"""When endpoints without an actor have work again: many moments, one timer."""

import asyncio
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from sluicegate.actors.timer import OneTimer
from sluicegate.engine.ports import Clock

__all__ = ["Alarms"]

_AT_ONCE = 200
"""How many endpoints are woken in one turn of the loop."""
_STALE_MAX = 64
"""How many moments that nobody waits for any more may be kept (or as many as are waited for)."""


class Alarms:
    """At most one moment per endpoint, on the steady clock. Used on the event loop only."""

    def __init__(self, clock: Clock, ring: Callable[[str], None]) -> None:
        """Call `ring` with an endpoint's id when its moment has come."""
        self._clock = clock
        self._ring = ring
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._timer = OneTimer(self._fire)

    def set(self, endpoint_id: str, at_ms: int) -> None:
        """Ring for an endpoint at `at_ms`; replaces an earlier wish."""
        self._due[endpoint_id] = at_ms
        heappush(self._heap, (at_ms, endpoint_id))
        if len(self._heap) > 2 * len(self._due) + _STALE_MAX:
            self._heap = [(due_ms, each) for each, due_ms in self._due.items()]
            heapify(self._heap)
        self._arm()

    def drop(self, endpoint_id: str) -> None:
        """Forget an endpoint: it has an actor, which sees to itself."""
        self._due.pop(endpoint_id, None)

    def cancel(self) -> None:
        """Ring no more."""
        self._timer.cancel()
        self._due.clear()
        self._heap.clear()

    def _arm(self) -> None:
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        if self._heap:
            delay_s = max(0.0, (self._heap[0][0] - self._clock.steady_ms()) / 1000)
            self._timer.set(asyncio.get_running_loop().time() + delay_s)

    def _fire(self) -> None:
        now_ms = self._clock.steady_ms()
        for _ in range(_AT_ONCE):
            if not self._heap or self._heap[0][0] > now_ms:
                break
            at_ms, endpoint_id = heappop(self._heap)
            if self._due.get(endpoint_id) == at_ms:
                del self._due[endpoint_id]
                self._ring(endpoint_id)
        self._arm()
