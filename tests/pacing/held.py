"""Lines in which everything stands until a test lets it move."""

import asyncio
from collections.abc import Callable

from sluicegate.turns.pacer import Line, Pacer


class HeldLine(Line):
    """A line that keeps its pieces."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__(lambda: 1)
        self.pieces: list[Callable[[], object]] = []
        self.arrived = asyncio.Event()
        """Something is in line, or was."""

    def add(self, piece: Callable[[], object]) -> None:
        """Keep a piece."""
        self.pieces.append(piece)
        self.arrived.set()

    async def caught_up(self) -> None:
        """Wait until a test has let what is in line move."""
        if self.pieces:
            reached = asyncio.Event()
            self.add(reached.set)
            await reached.wait()

    def move(self) -> None:
        """Do what has been in line until now."""
        pieces, self.pieces = self.pieces, []
        for piece in pieces:
            piece()


def held_sends() -> tuple[Pacer, HeldLine]:
    """Return a pacer whose sends stand still, and the line in which they do."""
    pacer = Pacer()
    line = pacer.sends = HeldLine()
    return pacer, line
