"""What the rules of a plan have in common: whom a step is about, and whether something happens."""

import random
from collections.abc import Iterator

from sluicegate.simulation.runs.steps import Behave, Step

__all__ = ["NEWEST", "RECEIVERS_MAX", "behave_everywhere", "happens", "someone"]

NEWEST = -1
"""Numbers count around: this endpoint was created last."""
RECEIVERS_MAX = 3
"""As many receivers as a plan has at most."""
_PEOPLE = 12
"""Numbers of endpoints and receivers are drawn below it, and counted around."""


def someone(chance: random.Random) -> int:
    """Draw an endpoint or a receiver."""
    return chance.randrange(_PEOPLE)


def happens(chance: random.Random, share: float) -> bool:
    """Draw whether something happens that happens in a share of the cases, 0 to 1."""
    return chance.random() < share


def behave_everywhere(
    status: int, count: int, *, retry_after_s: int | None = None
) -> Iterator[Step]:
    """Let every receiver answer the next `count` requests with a status."""
    for receiver in range(RECEIVERS_MAX):
        yield Behave(receiver=receiver, status=status, count=count, retry_after_s=retry_after_s)
