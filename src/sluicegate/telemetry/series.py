"""Counters and histograms that cost next to nothing to move.

prometheus_client's own take a lock, and write to files that other processes read when the
environment says so (`PROMETHEUS_MULTIPROC_DIR`), which may be meant for a program that embeds an
engine, not for it. These are plain numbers of one event loop, made samples when they are read.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

__all__ = ["Counter", "Histogram"]


class Counter:
    """Counts, by label values if there are labels. They must be few and known."""

    __slots__ = ("_counts", "_help", "_labels", "_name")

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        """Begin at nothing; without labels, at 0."""
        self._name = name
        self._help = text
        self._labels = labels
        self._counts: dict[tuple[str, ...], int] = {} if labels else {(): 0}

    def add(self, *values: str, count: int = 1) -> None:
        """Count `count` more under the label values; 0 makes them known."""
        self._counts[values] = self._counts.get(values, 0) + count

    def family(self) -> Metric:
        """Return it as it stands."""
        family = CounterMetricFamily(self._name, self._help, labels=self._labels)
        for values, count in self._counts.items():
            family.add_metric(values, count)
        return family


class Histogram:
    """How often a number fell between bounds, and the sum, by label values if there are labels."""

    __slots__ = ("_bounds", "_help", "_labels", "_name", "_names", "_spreads")

    def __init__(
        self, name: str, text: str, bounds: Sequence[float], labels: Sequence[str] = ()
    ) -> None:
        """Begin with nothing seen.

        Args:
            name: with its unit.
            text: what it is, in a sentence.
            bounds: the upper ends of the buckets, included, ascending.
            labels: names of labels, whose values must be few.
        """
        self._name = name
        self._help = text
        self._bounds = tuple(bounds)
        self._names = [*(str(float(bound)) for bound in bounds), "+Inf"]
        self._labels = labels
        self._spreads: dict[tuple[str, ...], list[float]] = {}
        """How many in each bucket, and last the sum."""
        if not labels:
            self._new(())

    def _new(self, values: tuple[str, ...]) -> list[float]:
        spread: list[float] = [*([0] * len(self._names)), 0.0]
        self._spreads[values] = spread
        return spread

    def observe(self, number: float, *values: str) -> None:
        """Note a number under the label values."""
        spread = self._spreads.get(values) or self._new(values)
        spread[bisect_left(self._bounds, number)] += 1
        spread[-1] += number

    def family(self) -> Metric:
        """Return it as it stands."""
        family = HistogramMetricFamily(self._name, self._help, labels=self._labels)
        for values, spread in self._spreads.items():
            buckets = list(zip(self._names, accumulate(spread[:-1]), strict=True))
            family.add_metric(values, buckets, spread[-1])
        return family
