"""Every route in one table: what is not in it does not exist."""

from typing import Protocol

from sluicegate.http.api.route import Route

__all__ = ["Handlers", "routes"]


class Handlers(Protocol):
    """Answers some of the routes."""

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        ...


def routes(*handlers: Handlers) -> tuple[Route, ...]:
    """Return the table: the routes of all handlers, in order."""
    return tuple(route for each in handlers for route in each.routes())
