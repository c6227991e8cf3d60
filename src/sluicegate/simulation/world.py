"""Time and chance of a simulation: the ports of `sluicegate.engine.ports`, from a seed."""

import random
import uuid

from sluicegate.simulation.bounds import SECONDS_MAX, check_seconds
from sluicegate.simulation.loop import SimulationLoop

__all__ = ["EPOCH_MS", "SeededRandom", "VirtualClock", "WallClock"]

EPOCH_MS = 1_767_225_600_000
"""What wall clocks say at the beginning: 2026-01-01 00:00 UTC."""


class WallClock:
    """The clock on the wall, which all hosts share; it may be set anew at any moment."""

    def __init__(self, loop: SimulationLoop) -> None:
        """Begin at `EPOCH_MS`."""
        self._loop = loop
        self._offset_ms = float(EPOCH_MS)

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch."""
        return int(self._offset_ms + self._loop.time() * 1000)

    def jump(self, seconds: float) -> None:
        """Set the clock forward, or back if `seconds` is negative.

        Raises:
            ValueError: `seconds` is more than 100 years, either way, or no number.
        """
        check_seconds("seconds", seconds, least=-SECONDS_MAX)
        self._offset_ms += seconds * 1000
        self._loop.trace.note("clock.jumped", seconds)


class VirtualClock:
    """One process's view of the time. Implements `sluicegate.engine.ports.Clock`."""

    def __init__(self, loop: SimulationLoop, wall: WallClock) -> None:
        """Anchor the steady clock to the wall clock as it stands now."""
        self._loop = loop
        self._wall = wall
        self._steady_offset_ms = wall.now_ms() - loop.time() * 1000

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch; may jump."""
        return self._wall.now_ms()

    def steady_ms(self) -> int:
        """Milliseconds since the Unix epoch as of the start, plus elapsed virtual time."""
        return int(self._steady_offset_ms + self._loop.time() * 1000)

    def monotonic_s(self) -> float:
        """Seconds of virtual time."""
        return self._loop.time()


class SeededRandom:
    """Chance that repeats. Implements `sluicegate.engine.ports.Random`."""

    def __init__(self, seed: str, wall: WallClock) -> None:
        """Begin; the same seed gives the same numbers and, at the same moments, the same ids."""
        self._random = random.Random(seed)
        self._wall = wall
        self._last = 0

    def random(self) -> float:
        """A float in [0, 1)."""
        return self._random.random()

    def token_bytes(self, size: int, /) -> bytes:
        """Bytes as good as any, for a world without attackers."""
        return self._random.randbytes(size)

    def uuid7(self) -> str:
        """A UUIDv7 (RFC 9562 §5.7); those of one process sort in the order of their making."""
        # 48 bits of time and 12 that count, as RFC 9562 §6.2 (method 1) has it.
        self._last = max(self._last + 1, self._wall.now_ms() << 12)
        moment, count = self._last >> 12, self._last & 0xFFF
        value = moment << 80 | 0x7 << 76 | count << 64 | 0b10 << 62 | self._random.getrandbits(62)
        return str(uuid.UUID(int=value))
