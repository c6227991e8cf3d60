"""Time and chance of the real world: the one place that reads a clock or draws a number."""

import random
import secrets
import sys
import time

if sys.version_info >= (3, 14):
    from uuid import uuid7
else:
    from uuid_utils import uuid7

__all__ = ["SystemClock", "SystemRandom"]


class SystemClock:
    """The machine's clocks. Implements `sluicegate.engine.ports.Clock`; safe from any thread."""

    def __init__(self) -> None:
        """Anchor the steady clock to the wall clock as it stands now."""
        self._offset_ms = time.time() * 1000 - time.monotonic() * 1000

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch; may jump."""
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        """Milliseconds since the Unix epoch as of the start, plus elapsed monotonic time."""
        return int(self._offset_ms + time.monotonic() * 1000)

    # A dozen times a message: called as it is.
    monotonic_s = staticmethod(time.monotonic)
    """Seconds on the clock that asyncio's own loops use."""


class SystemRandom:
    """Chance. Implements `sluicegate.engine.ports.Random`; safe from any thread."""

    def __init__(self) -> None:
        """Seed the jitter from the operating system."""
        self._jitter = random.Random()  # noqa: S311 - spreads retries; secrets come from `secrets`

    def random(self) -> float:
        """A float in [0, 1)."""
        return self._jitter.random()

    def token_bytes(self, size: int, /) -> bytes:
        """Unguessable bytes from the operating system."""
        return secrets.token_bytes(size)

    def uuid7(self) -> str:
        """A UUIDv7 (RFC 9562 §5.7); those of one process sort in the order of their making."""
        return str(uuid7())
