"""What an endpoint's actor tells the directory that it lives in."""

from collections.abc import Callable
from typing import Protocol

from sluicegate.actors.runtime import AsyncioActor
from sluicegate.engine.model import Arrivals

__all__ = ["Home"]


class Home(Protocol):
    """Where endpoint actors live: the directory."""

    closing: bool
    """The engine is shutting down: no attempt may start."""

    supervisor: Callable[[AsyncioActor, BaseException], None]
    """Told when an actor's code has failed and it has stopped; one object for all actors."""

    @property
    def crowded(self) -> bool:
        """There are many actors: one that has nothing to do goes at once."""
        ...

    @property
    def others_wait(self) -> bool:
        """Endpoints wait for a place: an actor that has had a turn goes, to wait with them."""
        ...

    def take_hint(self, endpoint_id: str) -> tuple[Arrivals | None, bool]:
        """Return what was accepted since the last call; a further hint must be sent.

        Returns:
            What arrived, if it is known; and whether storage may have more than that.
        """
        ...

    def unknown(self, endpoint_id: str) -> None:
        """There is no such endpoint; its actor stops."""
        ...

    def retired(self, endpoint_id: str, wake_ms: int | None) -> None:
        """The actor stops; wake the endpoint again at `wake_ms` (steady clock), if given."""
        ...
