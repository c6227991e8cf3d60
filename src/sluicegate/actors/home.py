"""What an endpoint's actor tells the directory that it lives in."""

from collections.abc import Callable
from typing import Protocol

from sluicegate.actors.runtime import AsyncioActor

__all__ = ["Home"]


class Home(Protocol):
    """Where endpoint actors live: the directory."""

    closing: bool
    """The engine is shutting down: no attempt may start."""

    supervisor: Callable[[AsyncioActor, BaseException], None]
    """Told when an actor's code has failed and it has stopped; one object for all actors."""

    def hint_taken(self, endpoint_id: str) -> None:
        """The actor has seen the last hint; a further one must be sent."""
        ...

    def unknown(self, endpoint_id: str) -> None:
        """There is no such endpoint; its actor stops."""
        ...

    def retired(self, endpoint_id: str, wake_ms: int | None) -> None:
        """The actor stops; wake the endpoint again at `wake_ms` (steady clock), if given."""
        ...
