"""So many a minute, for each of many keys."""

import math

from sluicegate.engine.ports import Clock

__all__ = ["PerMinute"]

_KEYS_MAX = 10_000
_ALMOST_ONE = 1 - 1e-9  # a token that grew in steps may lack the last bit


class PerMinute:
    """Token buckets by key: at most `limit` at once, refilled evenly over a minute.

    Remembers the 10,000 keys that were used last. Used on one event loop.

    Args:
        limit: tokens a minute; 0 = no limit.
        clock: tells how much was refilled.
    """

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> int:
        """Take a token; return 0, or the whole seconds after which there will be one."""
        if self._limit == 0:
            return 0
        now_s = self._clock.monotonic_s()
        tokens, at_s = self._buckets.pop(key, (float(self._limit), now_s))
        tokens = min(self._limit, tokens + max(0.0, now_s - at_s) * self._limit / 60)
        wait_s = 0
        if tokens >= _ALMOST_ONE:
            tokens = max(0.0, tokens - 1)
        else:
            wait_s = max(1, math.ceil((1 - tokens) * 60 / self._limit))
        self._buckets[key] = (tokens, now_s)
        if len(self._buckets) > _KEYS_MAX:
            del self._buckets[next(iter(self._buckets))]
        return wait_s
