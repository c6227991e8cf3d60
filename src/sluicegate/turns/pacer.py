"""Lines of work, of which the event loop does some a turn, and less while somebody is in haste."""

import asyncio
from collections import deque
from collections.abc import Callable

__all__ = ["Line", "Pacer"]

_A_TURN = 8
_A_TURN_IN_HASTE = 2
_HASTY_TURNS_MAX = 16
"""So many short turns follow one another, and then a long one: neither a flood of commands nor one
that takes long holds up everything else. Most commands need less."""


class Pacer:
    """The lines of one engine, and whether anybody is in haste. Used on one event loop.

    What arrives together (the sends of many connections, the answers after a commit, the actors
    that a commit has woken) would be done in one turn of the loop, and in the next ones what comes
    of it; a command would wait for several of these. So what comes in floods waits in line here.
    Commands go past it, and while there is one, turns are as short as they can be without standing
    still; but not all of them.

    Attributes:
        sends: where sends wait to be read, to be committed and to be answered.
        actors: where actors wait that nobody has given a command.
    """

    __slots__ = ("_in_haste", "actors", "sends")

    def __init__(self, *, a_turn: int = _A_TURN, a_turn_in_haste: int = _A_TURN_IN_HASTE) -> None:
        """Begin with nothing in line.

        Args:
            a_turn: how many pieces of each line are done in a turn of the loop, at least 1.
            a_turn_in_haste: how many while somebody is in haste, at least 1.
        """
        self._in_haste = 0
        self.sends = Line(self._shares(a_turn, a_turn_in_haste))
        self.actors = Line(self._shares(a_turn, a_turn_in_haste))

    def _shares(self, a_turn: int, a_turn_in_haste: int) -> Callable[[], int]:
        """Return what tells of each turn in which something waits in a line how long it may be."""
        hasty_turns = 0

        def share() -> int:
            nonlocal hasty_turns
            if self._in_haste and hasty_turns < _HASTY_TURNS_MAX:
                hasty_turns += 1
                return a_turn_in_haste
            hasty_turns = 0
            return a_turn

        return share

    @property
    def in_haste(self) -> bool:
        """Whether somebody waits."""
        return self._in_haste > 0

    def begin_haste(self) -> None:
        """Keep turns short until as many have ended their haste as began it: somebody waits."""
        self._in_haste += 1

    def end_haste(self) -> None:
        """Take note that somebody has his answer."""
        self._in_haste -= 1


class Line:
    """Pieces of work in a line, done in the order in which they were added.

    A piece is short and synchronous. Unbounded: whoever adds bounds what he has in line.
    """

    __slots__ = ("_a_turn", "_begun", "_pieces")

    def __init__(self, a_turn: Callable[[], int]) -> None:
        """Begin empty; `a_turn` tells how many pieces the turn that begins may do."""
        self._pieces: deque[Callable[[], object]] = deque()
        self._a_turn = a_turn
        self._begun = False
        """The loop will come back."""

    def add(self, piece: Callable[[], object]) -> None:
        """Do `piece` when its turn has come: in the loop's next one, if nothing else waits.

        What it raises the loop reports; the others are done all the same.
        """
        self._pieces.append(piece)
        if not self._begun:
            self._begun = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    @property
    def is_busy(self) -> bool:
        """Whether anything waits in line."""
        return bool(self._pieces)

    async def caught_up(self) -> None:
        """Wait until everything that is in line now has been done."""
        if self._begun:
            reached = asyncio.Event()
            self.add(reached.set)
            await reached.wait()

    def _take_turn(self) -> None:
        pieces = self._pieces
        try:
            for _ in range(min(self._a_turn(), len(pieces))):
                pieces.popleft()()
        finally:
            if pieces:
                asyncio.get_running_loop().call_soon(self._take_turn)
            else:
                self._begun = False
