"""The parts of a run, in the order in which they are measured and told.

A part is a module with three functions: see `Part`. What it measures is its own business; to add
one, write the module and a line here.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from run_context import Run
from section import Section

from parts import (
    backlogs,
    crowds,
    delivered,
    disk,
    embedding,
    endpoints,
    fairness,
    memory,
    pauses,
    payloads,
    receivers,
    rest,
    threads,
    took,
)

__all__ = ["ON_REQUEST", "PARTS", "Part"]


class Part(Protocol):
    """A part of a run. Its figures are what JSON can hold."""

    def measure(self, run: Run) -> dict[str, Any]:
        """Measure, and return the figures.

        Raises:
            BenchmarkError: something did not work; the run goes on with the next part.
        """
        ...

    def sections(self, figures: dict[str, Any]) -> Iterator[Section]:
        """Yield the tables of its figures."""
        ...

    def goals(self, figures: dict[str, Any]) -> dict[str, float]:
        """Return what it measured of `goals.GOALS`, by name."""
        ...


PARTS: dict[str, Part] = {
    "delivered": delivered,
    "took": took,
    "embedding": embedding,
    "endpoints": endpoints,
    "payloads": payloads,
    "receivers": receivers,
    "pauses": pauses,
    "backlogs": backlogs,
    "crowds": crowds,
    "disk": disk,
    "rest": rest,
    "fairness": fairness,
    "memory": memory,
    "threads": threads,
}
"""By the name that `--only` takes, which is also the one of its figures."""

ON_REQUEST = frozenset({"threads"})
"""Those that are measured only if `--only` names them: they take long, and tell no ratio."""
