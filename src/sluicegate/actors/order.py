"""One of the orders in which a window holds the head of a backlog."""

from bisect import insort
from collections.abc import Callable, Container, Iterable
from typing import Any

from sluicegate.engine.model import WaitingMessage

__all__ = ["NOTHING", "Order", "by_due", "by_seq"]


def by_seq(message: WaitingMessage) -> int:
    """Sort by acceptance."""
    return message.seq


def by_due(message: WaitingMessage) -> tuple[int, int]:
    """Sort by the moment when a retry is due."""
    return (message.next_attempt_at_ms or 0, message.seq)


NOTHING: list[WaitingMessage] = []
"""Shared by all orders without rows. Never changed."""


class Order:
    """One order's head: sorted rows, and whether storage holds more behind them."""

    __slots__ = ("cursor", "more", "rows", "stale")

    def __init__(self, *, more: bool) -> None:
        """Start without rows."""
        self.rows: list[WaitingMessage] = NOTHING
        self.more = more
        """Storage holds more behind them, or may."""
        self.cursor = 0
        """Up to which `seq` all was read."""
        self.stale = False
        """The read that is under way will not have seen everything."""

    @property
    def unread(self) -> bool:
        """Whether the head is in storage, not here."""
        return self.more and not self.rows

    def remove(self, seq: int) -> None:
        """Remove a row, if it is here."""
        for index, row in enumerate(self.rows):
            if row.seq == seq:
                del self.rows[index]
                break
        if not self.rows:
            self.clear()

    def clear(self) -> None:
        """Forget all rows."""
        self.rows = NOTHING

    def add(self, row: WaitingMessage, key: Callable[[WaitingMessage], Any]) -> None:
        """Add a row where it belongs."""
        if self.rows:
            insort(self.rows, row, key=key)
        else:
            self.rows = [row]

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
            self.rows = sorted([*self.rows, *fresh], key=key)
