"""What happened in a simulation, line by line, and a digest of all of it."""

import hashlib
from collections import deque
from collections.abc import Callable

__all__ = ["Trace"]

_KEPT_LINES = 10_000


class Trace:
    """An append-only account. The same seed gives the same lines, byte for byte.

    The digest covers every line; in memory are the last 10,000.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Begin empty.

        Args:
            now_s: the virtual time, in seconds.
        """
        self._now_s = now_s
        self._digest = hashlib.blake2b(digest_size=16)
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._listeners: list[Callable[[str], None]] = []
        self._frozen = False
        self.count = 0
        """Lines written so far."""

    def note(self, event: str, *facts: object) -> None:
        """Write a line: the moment, the event, and its facts.

        Facts must not differ between two runs: no paths, no `id()`, nothing from a set.
        """
        if self._frozen:
            return
        line = " ".join((f"{self._now_s():.6f}", event, *map(str, facts)))
        self._digest.update(line.encode("utf-8", "backslashreplace") + b"\n")
        self._lines.append(line)
        self.count += 1
        for listener in self._listeners:
            listener(line)

    def freeze(self) -> None:
        """Take no more lines: what was to be told has been told."""
        self._frozen = True

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with every line from now on, such as to print it."""
        self._listeners.append(listener)

    def tail(self, count: int = 50) -> list[str]:
        """Return the last lines."""
        return list(self._lines)[-count:] if count > 0 else []

    def digest(self) -> str:
        """Return 32 hexadecimal digits that stand for all lines so far."""
        return self._digest.copy().hexdigest()
