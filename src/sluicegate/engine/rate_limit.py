"""The rate limit of an endpoint, as a token bucket.

A rate of r tokens a second is r billionths of a token a nanosecond: counted in those, everything
is an integer. Nothing drifts, however long the bucket lives.
"""

import math

__all__ = ["TokenBucket"]

_NS = 1_000_000_000
_TOKEN = 1_000_000_000


class TokenBucket:
    """Lets `burst` attempts start at once, and `rate_per_s` a second from then on.

    In any span of time at most `burst + rate_per_s * span` tokens are taken. Time is what the
    caller says it is, in whole nanoseconds (a fraction is cut off). A clock that is set back
    fills nothing and empties nothing. Not safe to share between threads.
    """

    def __init__(self, *, rate_per_s: int, burst: int, now_s: float) -> None:
        """Start with a full bucket.

        Args:
            rate_per_s: tokens a second; 0 = no limit.
            burst: tokens that a full bucket holds; 0 = as many as `rate_per_s`.
            now_s: the monotonic clock.
        """
        self._rate = rate_per_s
        self._capacity = _capacity(rate_per_s, burst)
        self._level = self._capacity
        self._filled_at_ns = _to_ns(now_s)

    def try_take(self, now_s: float) -> bool:
        """Take a token if there is one, and say whether there was."""
        if not self._rate:
            return True
        self._fill(now_s)
        if self._level < _TOKEN:
            return False
        self._level -= _TOKEN
        return True

    def wait_s(self, now_s: float) -> float:
        """Return the seconds until there is a token: 0.0 exactly when there is one now.

        At `now_s + wait_s(now_s)`, as floats add up, `try_take` succeeds if nobody else took the
        token. So whoever sleeps as long as told never has to sleep twice.
        """
        if not self._rate:
            return 0.0
        self._fill(now_s)
        missing = _TOKEN - self._level
        if missing <= 0:
            return 0.0
        there_at_ns = self._filled_at_ns + -(-missing // self._rate)
        wait_s = (there_at_ns - self._filled_at_ns) / _NS
        while _to_ns(now_s + wait_s) < there_at_ns:
            # What is missing is below the resolution of a float of this size.
            wait_s += math.ulp(now_s + wait_s)
        return wait_s

    def reconfigure(self, *, rate_per_s: int, burst: int, now_s: float) -> None:
        """Go on with another rate and burst.

        Tokens that were saved up stay, as far as the new burst has room for them; the same
        values again change nothing. Where there was no limit, the bucket starts full.

        Args:
            rate_per_s: as in `__init__`.
            burst: as in `__init__`.
            now_s: the monotonic clock.
        """
        capacity = _capacity(rate_per_s, burst)
        if rate_per_s == self._rate and capacity == self._capacity:
            return
        had_limit = self._rate > 0
        self._fill(now_s)
        self._rate = rate_per_s
        self._capacity = capacity
        self._level = min(self._level, self._capacity) if had_limit else self._capacity

    def _fill(self, now_s: float) -> None:
        now_ns = _to_ns(now_s)
        elapsed_ns = max(0, now_ns - self._filled_at_ns)
        self._level = min(self._capacity, self._level + elapsed_ns * self._rate)
        self._filled_at_ns = now_ns


def _capacity(rate_per_s: int, burst: int) -> int:
    return (burst or rate_per_s) * _TOKEN


def _to_ns(now_s: float) -> int:
    return int(now_s * _NS)
