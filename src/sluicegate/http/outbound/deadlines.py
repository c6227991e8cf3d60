"""The time limits of all attempts of a sender, with one timer for them all."""

import asyncio
from typing import Protocol

__all__ = ["Deadlines"]


class _Expiring(Protocol):
    def expire(self) -> None: ...


class Deadlines:
    """Lets each of many expire at its moment, if it is still there by then. Lives on one loop.

    Nearly every attempt ends long before its time limit, so to note one and to forget it has to
    cost next to nothing: the timer is moved forward at once, and back only when it has fired. Then
    all are looked at. While there is none, nothing is set.

    Args:
        loop: the loop; moments are on its clock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._at_s: dict[_Expiring, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = 0.0

    def add(self, each: _Expiring, at_s: float) -> None:
        """Let `each` expire at `at_s` seconds, unless it is removed before."""
        self._at_s[each] = at_s
        if self._timer is None or at_s < self._timer_s:
            self._set(at_s)

    def remove(self, each: _Expiring) -> None:
        """Do not let it expire. One that has, or was never added, is fine."""
        self._at_s.pop(each, None)
        if not self._at_s and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, at_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_s = at_s
        self._timer = self._loop.call_at(at_s, self._look)

    def _look(self) -> None:
        """Let those expire whose moment has come; O(all)."""
        self._timer = None
        # It may be late; or a little early, by the resolution of the loop's clock.
        now_s = max(self._timer_s, self._loop.time())
        due = [each for each, at_s in self._at_s.items() if at_s <= now_s]
        for each in due:
            del self._at_s[each]
        if self._at_s:
            self._set(min(self._at_s.values()))
        for each in due:
            each.expire()
