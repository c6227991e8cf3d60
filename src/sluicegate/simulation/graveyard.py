"""Where the dead are kept: a generator runs its `finally` when it is collected."""

import contextlib
import sys
import warnings
from collections.abc import Coroutine, Iterator
from typing import Any, cast

from sluicegate.simulation.lives import Life
from sluicegate.simulation.numbered import NumberedTask

__all__ = ["Graveyard", "muted"]


class Graveyard:
    """Holds what belonged to processes that were killed, until the simulation ends."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._dead: list[object] = []

    def add(self, dead: object) -> None:
        """Keep a task, a life, or whatever a callback held."""
        self._dead.append(dead)

    def clear(self) -> None:
        """Let go of all. Their `finally` blocks run now, in a world that is no more."""
        for dead in self._dead:
            if isinstance(dead, NumberedTask):
                _bury(cast("Coroutine[Any, Any, Any] | None", dead.get_coro()))
            elif isinstance(dead, Life):
                for close in dead.on_burial:
                    _bury(close(), begun=False)
                dead.on_burial.clear()
                dead.belongings.clear()
        self._dead.clear()


def _bury(coro: Coroutine[Any, Any, Any] | None, *, begun: bool = True) -> None:
    """End a coroutine where it stands, or after its first steps."""
    try:
        if coro is not None:
            if not begun:
                coro.send(None)
            coro.close()
    except BaseException:  # noqa: BLE001, S110 - what the dead say
        pass


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Let nobody hear warnings, nor what finalizers raise, while the context lasts."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = hook
