"""Tasks, futures and timers that have one order: that in which they were made.

asyncio's hash by their address in memory, so that a set of them has another order in each process.
"""

import asyncio
import contextvars
import itertools
from collections.abc import Coroutine
from typing import Any

from sluicegate.simulation.lives import life_of

__all__ = ["NumberedFuture", "NumberedTask", "NumberedTimer"]


class NumberedTimer(asyncio.TimerHandle):
    """A timer with a number: of those that are due together the first set is the first run."""

    __slots__ = ("number",)
    number: int
    _when: float

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, NumberedTimer):
            return NotImplemented
        if self._when == other._when:
            return self.number < other.number
        return self._when < other._when

    __hash__ = asyncio.TimerHandle.__hash__


class NumberedTask(asyncio.Task[Any]):
    """A task that hashes by its number, and is named by it, and knows whose it is."""

    def __init__(
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        loop: asyncio.AbstractEventLoop,
        numbers: "itertools.count[int]",
        name: str | None,
        context: contextvars.Context | None,
        options: dict[str, Any],
    ) -> None:
        """Run `coro`; `options` are what later Pythons add, such as `eager_start`."""
        self.number = next(numbers)
        self.life = life_of(context)
        super().__init__(
            coro, loop=loop, name=name or f"task-{self.number}", context=context, **options
        )

    def __hash__(self) -> int:
        return self.number

    __eq__ = object.__eq__


class NumberedFuture(asyncio.Future[Any]):
    """A future that hashes by its number."""

    def __init__(self, *, loop: asyncio.AbstractEventLoop, numbers: "itertools.count[int]") -> None:
        """Wait for a result."""
        self.number = next(numbers)
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.number

    __eq__ = object.__eq__
