"""How a blocking call is made."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sluicegate.engine.calls import ProjectCalls

__all__ = ["BlockingScope"]

_T = TypeVar("_T")


class BlockingScope(ABC):
    """Something that carries out an engine's calls elsewhere, and waits for them."""

    @abstractmethod
    def _call(
        self, call: Callable[[ProjectCalls], Coroutine[Any, Any, _T]], timeout_s: float | None
    ) -> _T:
        """Make `call` on the engine's own loop; return what it returns, raise what it raises."""
