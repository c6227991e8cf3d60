"""Who cannot reach whom, and what waits until they can again."""

from collections.abc import Callable

__all__ = ["Partitions"]


class Partitions:
    """Pairs of hosts, and hosts by themselves, between which nothing passes."""

    def __init__(self) -> None:
        """Let everything pass."""
        self._cuts: dict[tuple[str, str | None], int] = {}
        self._held: list[tuple[str, str, Callable[[], None]]] = []
        self._count = 0

    def part(self, one: str, other: str | None) -> int:
        """Cut `one` off from `other`, or from everybody; return the number of this cut."""
        self._count += 1
        self._cuts[_pair(one, other)] = self._count
        return self._count

    def join(
        self, one: str, other: str | None, *, number: int | None = None
    ) -> list[Callable[[], None]] | None:
        """End a cut; return what has waited and can pass now, in order.

        Args:
            one: as when they were parted.
            other: same.
            number: only if it is still this cut, and not a later one.

        Returns:
            `None` if there is no such cut.
        """
        pair = _pair(one, other)
        known = self._cuts.get(pair)
        if known is None or number not in {None, known}:
            return None
        del self._cuts[pair]
        return self._released()

    def clear(self) -> list[Callable[[], None]]:
        """End all cuts; return what has waited, in order."""
        self._cuts.clear()
        return self._released()

    def is_apart(self, one: str, other: str) -> bool:
        """Return whether nothing passes between two hosts; a host always reaches itself."""
        if not self._cuts or one == other:
            return False
        cuts = self._cuts
        return _pair(one, other) in cuts or (one, None) in cuts or (other, None) in cuts

    def hold(self, one: str, other: str, go_on: Callable[[], None]) -> None:
        """Keep what goes from one to the other until they are joined."""
        self._held.append((one, other, go_on))

    def _released(self) -> list[Callable[[], None]]:
        held, self._held = self._held, []
        released = []
        for one, other, go_on in held:
            if self.is_apart(one, other):
                self._held.append((one, other, go_on))
            else:
                released.append(go_on)
        return released


def _pair(one: str, other: str | None) -> tuple[str, str | None]:
    return (one, other) if other is None or one < other else (other, one)
