"""Counted slots that are given out by turns, half of them to everybody.

Rule: whoever finds no room waits in one line, once; each freed slot goes to whoever has waited
longest of those that may have it, and who then goes to the back if it wants more. So an endpoint
with a million waiting gets one slot a turn, as does an endpoint with one.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeAlias

__all__ = ["Pool"]

_Line: TypeAlias = OrderedDict[Hashable, tuple[int, Callable[[], None]]]
"""In a plain dict, what was removed before the first item must be passed over to find it."""


class Pool:
    """Counted slots with a first-come, first-served line. Used on the event loop only.

    Whoever comes with `half` is one of those that may hold no more than half of the slots (at
    least one) together: the others always have the other half to themselves.
    """

    def __init__(self, size: int) -> None:
        """Create `size` free slots (at least 1)."""
        self.size = size
        self.held = 0
        """How many are taken."""
        self._half = max(1, size // 2)
        self._held_half = 0
        self._whole_line: _Line = OrderedDict()
        self._half_line: _Line = OrderedDict()
        self._tickets = 0

    @property
    def waiting(self) -> int:
        """How many wait in line."""
        return len(self._whole_line) + len(self._half_line)

    def try_take(self, who: Hashable, grant: Callable[[], None], *, half: bool) -> bool:
        """Take a slot, or stand in line.

        Args:
            who: who asks; it stands in line at most once.
            grant: called once when its turn comes, with the slot taken on its behalf. It must
                use the slot or `release` it.
            half: of those that may hold half of the slots at most.
        """
        has_room = self.held < self.size and not (half and self._held_half >= self._half)
        if has_room and (not (self._whole_line or self._half_line) or self._next() is None):
            self.held += 1
            self._held_half += half
            return True
        line = self._half_line if half else self._whole_line
        if who not in line:
            self._tickets += 1
            line[who] = (self._tickets, grant)
        return False

    def leave(self, who: Hashable) -> None:
        """Leave the line, if in it."""
        self._whole_line.pop(who, None)
        self._half_line.pop(who, None)

    def release(self, *, half: bool) -> None:
        """Give a slot back that was taken with the same `half`; who is next gets it."""
        self.held -= 1
        self._held_half -= half
        while (self._whole_line or self._half_line) and (line := self._next()) is not None:
            _, (_, grant) = line.popitem(last=False)
            self.held += 1
            self._held_half += line is self._half_line
            grant()

    def _next(self) -> _Line | None:
        """Return the line whose head has waited longest of those that may have a slot now."""
        if self.held >= self.size:
            return None
        whole, half = self._whole_line, self._half_line
        if not half or self._held_half >= self._half:
            return whole or None
        if not whole or next(iter(half.values()))[0] < next(iter(whole.values()))[0]:
            return half
        return whole
