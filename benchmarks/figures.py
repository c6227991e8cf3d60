"""Medians, percentiles and spreads."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

__all__ = ["Spread", "percentiles"]


class Spread(NamedTuple):
    """Several measurements of one thing."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Sum up measurements; there must be one at least."""
        return cls(median(values), min(values), max(values))


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return p50, p99 and the greatest of `values`; empty for none."""
    if not values:
        return {}
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        "p50": ordered[round(last * 0.50)],
        "p99": ordered[round(last * 0.99)],
        "max": ordered[last],
    }
