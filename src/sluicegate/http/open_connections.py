"""How many connections the HTTP API has open, and which one has to go when there are too many."""

from typing import Protocol

__all__ = ["OpenConnections"]


class _Connection(Protocol):
    def force_close(self) -> None: ...


class OpenConnections:
    """Bounds the connections of one server. Used on its loop.

    When there are too many, the one that has waited longest without ever asking anything is
    closed, then the one that has been idle longest. If all are being answered, the new one is.

    Args:
        connections_max: how many may be open.
    """

    def __init__(self, connections_max: int) -> None:
        self._connections_max = connections_max
        self._new: dict[_Connection, bool] = {}
        self._idle: dict[_Connection, bool] = {}
        self._busy: set[_Connection] = set()

    def opened(self, connection: _Connection) -> None:
        """Count a new connection, and close one if it is one too many."""
        if len(self._new) + len(self._idle) + len(self._busy) >= self._connections_max:
            waiting = self._new or self._idle
            victim = next(iter(waiting), connection)
            self.closed(victim)
            victim.force_close()
            if victim is connection:
                return
        self._new[connection] = True

    def begins_request(self, connection: _Connection) -> None:
        """Keep a connection from being closed while a request is answered."""
        if self._idle.pop(connection, None) or self._new.pop(connection, None):
            self._busy.add(connection)

    def ends_request(self, connection: _Connection) -> None:
        """Let it be closed again."""
        if connection in self._busy:
            self._busy.remove(connection)
            self._idle[connection] = True

    def closed(self, connection: _Connection) -> None:
        """Count a connection no longer. Twice is fine."""
        self._new.pop(connection, None)
        self._idle.pop(connection, None)
        self._busy.discard(connection)
