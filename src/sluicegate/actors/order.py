"""One of the orders in which a window holds the head of a backlog."""

from bisect import insort
from collections.abc import Callable, Container, Iterable
from typing import Any

from sluicegate.actors.payload_room import PayloadRoom
from sluicegate.engine.model import WaitingMessage

__all__ = ["Order", "by_due", "by_seq"]


def by_seq(message: WaitingMessage) -> int:
    """Sort by acceptance."""
    return message.seq


def by_due(message: WaitingMessage) -> tuple[int, int]:
    """Sort by the moment when a retry is due."""
    return (message.next_attempt_at_ms or 0, message.seq)


_NOTHING: list[WaitingMessage] = []
"""Shared by all orders without rows. Never changed."""


class Order:
    """One order's head: sorted rows, and whether storage holds more behind them."""

    __slots__ = ("_room", "cursor", "more", "rows", "stale")

    def __init__(self, *, more: bool, room: PayloadRoom) -> None:
        """Start without rows; `room` is where their payloads are."""
        self.rows: list[WaitingMessage] = _NOTHING
        """Changed by the methods only, which keep account of their payloads."""
        self.more = more
        """Storage holds more behind them, or may."""
        self.cursor = 0
        """Up to which `seq` all was read."""
        self.stale = False
        """The read that is under way will not have seen everything."""
        self._room = room

    @property
    def unread(self) -> bool:
        """Whether the head is in storage, not here."""
        return self.more and not self.rows

    def remove(self, seq: int) -> None:
        """Remove a row, if it is here."""
        for index, row in enumerate(self.rows):
            if row.seq == seq:
                del self.rows[index]
                self._room.let_go(row)
                break
        if not self.rows:
            self.rows = _NOTHING

    def clear(self) -> None:
        """Forget all rows."""
        for row in self.rows:
            self._room.let_go(row)
        self.rows = _NOTHING

    def cut(self, size: int) -> None:
        """Forget all rows but the first `size`: storage holds more now."""
        for row in self.rows[size:]:
            self._room.let_go(row)
        del self.rows[size:]
        self.more = True

    def add(self, row: WaitingMessage, key: Callable[[WaitingMessage], Any]) -> None:
        """Add a row where it belongs."""
        row = self._room.keep(row)
        if self.rows:
            insort(self.rows, row, key=key)
        else:
            self.rows = [row]

    def add_all(self, rows: Iterable[WaitingMessage], key: Callable[[WaitingMessage], Any]) -> None:
        """Add at least one row, none of which is here, where they belong."""
        self.rows = sorted([*self.rows, *map(self._room.keep, rows)], key=key)

    def expect_more(self) -> None:
        """Storage holds more than is known here, and than a read under way will bring."""
        self.more = True
        self.stale = True

    def join(
        self,
        rows: Iterable[WaitingMessage],
        key: Callable[[WaitingMessage], Any],
        *,
        without: Container[int],
        flying: Container[int],
    ) -> None:
        """Add rows that were read.

        Args:
            rows: what was read; those that are here already are left out.
            key: what the order goes by.
            without: `seq` of rows that changed meanwhile.
            flying: `seq` of rows that are in flight.
        """
        known = {row.seq for row in self.rows}
        fresh = [
            row
            for row in rows
            if row.seq not in without and row.seq not in flying and row.seq not in known
        ]
        if fresh:
            self.add_all(fresh, key)
