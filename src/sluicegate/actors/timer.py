"""The one timer of an actor."""

import asyncio
import contextvars
from collections.abc import Callable

__all__ = ["OneTimer"]


class OneTimer:
    """A timer that is moved forward at once and back lazily. Used on the event loop only."""

    __slots__ = ("_at", "_callback", "_handle")

    def __init__(self, callback: Callable[[], object]) -> None:
        """Create it unset; `callback` runs on the loop each time it fires."""
        self._callback = callback
        self._at = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def set(self, at: float | None, context: contextvars.Context | None = None) -> None:
        """Fire at `at` (loop time) at the latest; `None` asks for nothing.

        A later moment leaves an earlier one standing: whoever is woken looks again, which costs
        less than moving a timer at every message. It fires in `context` (a copy of the current
        one when not given, which costs an idle actor a hundred bytes).
        """
        if at is None:
            return
        if self._handle is not None:
            if at >= self._at:
                return
            self._handle.cancel()
        self._at = at
        self._handle = asyncio.get_running_loop().call_at(at, self._fire, context=context)

    def cancel(self) -> None:
        """Never fire, unless set again."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle = None
        self._callback()
