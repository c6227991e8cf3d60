"""What the oracle hands back: that something was, which must not have been."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from sluicegate.simulation.oracle.history import Call, Exchange

if TYPE_CHECKING:
    from sluicegate.simulation.oracle.facts import Facts

__all__ = ["Rule", "Violation"]


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One promise that was broken, and where it can be seen."""

    rule: str
    """The name of the function that found it."""
    at_s: float
    """When it shows, on the virtual clock."""
    text: str
    """One line for people."""
    calls: tuple[Call, ...] = ()
    exchanges: tuple[Exchange, ...] = ()

    def __str__(self) -> str:
        """Return rule, moment and text in one line."""
        return f"{self.rule} at {self.at_s:.3f} s: {self.text}"


Rule = Callable[["Facts"], Iterator[Violation]]
"""One invariant: yields what breaks it, and never raises for anything in a history."""
