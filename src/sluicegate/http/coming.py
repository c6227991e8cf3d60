"""An answer that waits for one thing only, and so needs no task of its own.

A task with its coroutines takes longer than most of what a send asks for. Most sends wait for
one future, that of their commit: it can call back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from functools import partial
from typing import Any, Generic, Self, TypeVar

from sluicegate.turns.prompt_future import when_done

__all__ = ["Coming"]

T = TypeVar("T")
U = TypeVar("U")


class Coming(Generic[T]):
    """What is made of a future's result when that is there: for one who waits, in either way.

    Used on the event loop.
    """

    __slots__ = ("_future", "_make")

    def __init__(self, awaited: Awaitable[U], make: Callable[[U], T]) -> None:
        """Wait for `awaited`, most often a future: anything else gets a task.

        Args:
            awaited: what is waited for.
            make: is called with its result, by whoever waits.
        """
        future = asyncio.ensure_future(awaited)
        self._future: asyncio.Future[Any] = future
        self._make: Callable[[], T] = lambda: make(future.result())

    def through(self, last: Callable[[Callable[[], T]], T]) -> Self:
        """Let `last` make it; `last` is given what returns, or raises, what was made before."""
        self._make = partial(last, self._make)
        return self

    def tell(self, told: Callable[[Callable[[], T]], None]) -> None:
        """Call `told` on the loop when it is there, with what returns it or raises."""
        when_done(self._future, lambda _: told(self._make))

    def __await__(self) -> Generator[Any, None, T]:
        """Wait as a coroutine does; a cancellation goes on to the future, and is raised."""
        with suppress(Exception):  # `_make` raises it, or makes something of it
            yield from self._future
        return self._make()
