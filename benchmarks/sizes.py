"""How much a run measures."""

from typing import NamedTuple

__all__ = ["FULL", "QUICK", "Sizes"]


class Sizes(NamedTuple):
    """How much is measured."""

    repeat_until_s: float
    """When in the run no disturbed round is measured again."""
    rounds: int
    round_s: float
    rounds_paced: int
    paced_s: float
    pauses: int
    pauses_s: float
    held: int
    endpoints: int
    working: int
    active: int


FULL = Sizes(
    repeat_until_s=100.0,
    rounds=5,
    round_s=3.0,
    rounds_paced=4,
    paced_s=4.0,
    pauses=300,
    pauses_s=5.0,
    held=100_000,
    endpoints=100_000,
    working=1000,
    active=20_000,
)
QUICK = Sizes(
    repeat_until_s=20.0,
    rounds=3,
    round_s=1.0,
    rounds_paced=2,
    paced_s=1.5,
    pauses=60,
    pauses_s=1.0,
    held=10_000,
    endpoints=10_000,
    working=500,
    active=4000,
)
