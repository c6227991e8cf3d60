"""The port to whoever listens to what happens."""

from collections.abc import Set as AbstractSet
from typing import Protocol

from sluicegate.engine.events import Event, EventName

__all__ = ["Events", "NoEvents"]


class Events(Protocol):
    """Is told of each event that anybody wants, after what it says is durable.

    What nobody wants is not even made: whoever would tell it looks at `wanted` first.
    """

    @property
    def wanted(self) -> AbstractSet[EventName]:
        """What anybody listens to; empty when nobody does."""
        ...

    def tell(self, event: Event) -> None:
        """Pass an event on. Called on the engine's loop; returns at once and never raises."""
        ...


class NoEvents:
    """Nobody listens. Implements `Events`."""

    wanted: AbstractSet[EventName] = frozenset()

    def tell(self, event: Event) -> None:
        """Do nothing."""
