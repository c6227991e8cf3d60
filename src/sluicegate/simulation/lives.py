"""Crash domains: what lives and dies together."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["LIFE", "OUTSIDE", "HostDownError", "Life", "is_dead", "life_of"]


class HostDownError(RuntimeError):
    """The engine's process is down, or it ended before it had answered."""


class Life:
    """One life of a host: of its process, from a start to a stop or a crash.

    Tasks, callbacks and timers belong to the life in whose context they were started, however
    deeply. After a crash none of them runs again, not even a `finally`. A host that comes back
    begins its next life.
    """

    def __init__(self, name: str, number: int = 1) -> None:
        """Begin.

        Args:
            name: the host's, also on the network; unique in its simulation.
            number: which life of the host this is, from 1.
        """
        self.name = name
        self.number = number
        self.dead = False
        self.silent = False
        """Set before it dies if nobody hears of its end: a loss of power."""
        self.on_crash: list[Callable[[], None]] = []
        """Called when it dies: what a kernel does for the dead (sockets, descriptors)."""
        self.belongings: list[object] = []
        """Kept until the simulation ends: a process that is killed finalizes nothing."""
        self.on_burial: list[Callable[[], Coroutine[Any, Any, None]]] = []
        """Begun when the simulation ends: closes what would complain of being collected open."""
        self.context = contextvars.Context()
        self.context.run(LIFE.set, self)

    def __repr__(self) -> str:
        """Name the host, and which life it is."""
        return f"{self.name}#{self.number}"


LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("sluicegate_life", default=None)
"""Whose code runs; `None` for the world outside, which never crashes."""

OUTSIDE = contextvars.Context()
"""The context of what no crash reaches: packets on their way, the tester's own timers."""


def life_of(context: contextvars.Context | None) -> Life | None:
    """Return whose context this is; the running code's for `None`."""
    return LIFE.get() if context is None else context.get(LIFE)


def is_dead(handle: asyncio.Handle) -> bool:
    """Return whether a callback belongs to a life that is over."""
    life = life_of(handle._context)  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio has no public way
    return life is not None and life.dead
