"""A token bucket, kept as one moment (the generic cell rate algorithm).

`_free_at_s` is when the bucket will be full again; each attempt moves it by one interval. It may
not run further ahead of now than a burst. There is no count to drift.
"""

__all__ = ["TokenBucket"]

_SLACK_S = 1e-9
"""Floats near today's monotonic clock are finer than this: whoever slept `wait_s` gets a token."""


class TokenBucket:
    """Lets through at most `burst + rate * t` attempts in any window of `t` seconds."""

    __slots__ = ("_ahead_s", "_free_at_s", "_interval_s")

    def __init__(self, *, rate_per_s: int, burst: int, now_s: float) -> None:
        """Create a full bucket.

        Args:
            rate_per_s: attempts a second; 0 = no limit.
            burst: attempts at once; 0 = as `rate_per_s`.
            now_s: the monotonic clock.
        """
        self._interval_s = 0.0
        self._ahead_s = 0.0
        self._free_at_s = now_s
        self.reconfigure(rate_per_s=rate_per_s, burst=burst, now_s=now_s)

    def reconfigure(self, *, rate_per_s: int, burst: int, now_s: float) -> None:
        """Change rate and burst; what was used stays used."""
        used = 0.0
        if self._interval_s:
            used = max(0.0, self._free_at_s - now_s) / self._interval_s
        self._interval_s = 1 / rate_per_s if rate_per_s else 0.0
        self._ahead_s = ((burst or rate_per_s) - 1) * self._interval_s
        self._free_at_s = now_s + min(used, burst or rate_per_s) * self._interval_s

    def wait_s(self, now_s: float) -> float:
        """Return how long until there is a token; 0.0 when there is one."""
        if not self._interval_s:
            return 0.0
        wait_s = self._free_at_s - self._ahead_s - now_s
        # Not longer than the bucket takes to fill: a clock that went back must not stop it.
        return min(wait_s, self._ahead_s + self._interval_s) if wait_s > _SLACK_S else 0.0

    def try_take(self, now_s: float) -> bool:
        """Take a token if there is one."""
        if self.wait_s(now_s) > 0:
            return False
        if self._interval_s:
            self._free_at_s = max(self._free_at_s, now_s) + self._interval_s
        return True
