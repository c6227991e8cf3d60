"""The process-wide cap on attempts in flight, shared fairly.

Rule: whoever finds no room waits in one line, once; each freed slot goes to the head of the
line, which then goes to the back if it wants more. So an endpoint with a million waiting
gets one slot a turn, as does an endpoint with one.
"""

from collections.abc import Callable

__all__ = ["Slots", "Turn"]


class Slots:
    """Counted slots with a first-come, first-served line. Used on the event loop only."""

    def __init__(self, size: int) -> None:
        """Create `size` free slots (at least 1)."""
        self._free = size
        self._line: dict[str, Callable[[], None]] = {}

    @property
    def waiting(self) -> int:
        """How many wait in line."""
        return len(self._line)

    def try_take(self, name: str, grant: Callable[[], None]) -> bool:
        """Take a slot, or stand in line under `name`.

        Args:
            name: who asks; a name stands in line at most once.
            grant: called once when its turn comes, with the slot taken on its behalf. It must
                use the slot or `release` it.
        """
        if self._free > 0 and not self._line:
            self._free -= 1
            return True
        self._line.setdefault(name, grant)
        return False

    def has_in_line(self, name: str) -> bool:
        """Return whether `name` stands in line."""
        return name in self._line

    def leave(self, name: str) -> None:
        """Leave the line, if in it."""
        self._line.pop(name, None)

    def release(self) -> None:
        """Give a slot back; the head of the line gets it."""
        self._free += 1
        while self._line and self._free > 0:
            name = next(iter(self._line))
            grant = self._line.pop(name)
            self._free -= 1
            grant()


class Turn:
    """One endpoint's place at the slots: what it was granted and has not yet used."""

    __slots__ = ("_grant", "_granted", "_name", "_slots")

    def __init__(self, slots: Slots, name: str, grant: Callable[[], None]) -> None:
        """Take part under `name`; `grant` is called when its turn comes."""
        self._slots = slots
        self._name = name
        self._grant = grant
        self._granted = 0

    @property
    def waits(self) -> bool:
        """Whether it stands in line."""
        return self._slots.has_in_line(self._name)

    def granted(self) -> None:
        """Note that a slot was taken on its behalf."""
        self._granted += 1

    def take(self) -> bool:
        """Take a slot, or stand in line."""
        if self._granted:
            self._granted -= 1
            return True
        return self._slots.try_take(self._name, self._grant)

    def give_back(self) -> None:
        """Give back what was granted and is not wanted."""
        while self._granted:
            self._granted -= 1
            self._slots.release()

    def leave(self) -> None:
        """Leave the line, and give back what was granted."""
        self._slots.leave(self._name)
        self.give_back()
