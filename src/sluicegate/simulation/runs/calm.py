"""A stretch of each plan in which nothing is wrong, and long enough for promptness to be judged."""

import random
from collections.abc import Iterator

from sluicegate.simulation.runs.drawing import NEWEST, RECEIVERS_MAX, behave_everywhere, happens
from sluicegate.simulation.runs.steps import (
    CreateEndpoint,
    Heal,
    OnMany,
    OnMessage,
    Pass,
    Send,
    Step,
)

__all__ = ["draw_calm"]

_AFTERMATH_S = 95.0
"""What was begun in trouble is over by then, over HTTP too: see `oracle/promptness.py`."""


def draw_calm(chance: random.Random) -> Iterator[Step]:
    """Draw what a new endpoint gets when nothing is wrong any more.

    It is neither ordered nor limited, so that all of it is due at a known moment. What fails does
    so by its receiver's own will, not by a fault.
    """
    yield Heal()
    yield CreateEndpoint(receiver=chance.randrange(RECEIVERS_MAX), config={})
    yield Pass(seconds=_AFTERMATH_S)
    if happens(chance, 0.7):
        yield from _short_delay_behind_a_long_one(chance)
    else:
        yield from _trickle(chance)
    for operation in chance.sample(("replay", "replay_batch", "retry_now"), 2):
        if operation == "replay_batch":
            yield OnMany(operation=operation, endpoint=NEWEST, status="succeeded", limit=2)
        else:
            status = "succeeded" if operation == "replay" else "pending_retry"
            yield OnMessage(endpoint=NEWEST, operation=operation, status=status)
        yield Pass(seconds=chance.choice((0.5, 13.0)))
    yield Send(endpoint=NEWEST, count=2)
    yield Pass(seconds=chance.choice((1.0, 20.0)))


def _short_delay_behind_a_long_one(chance: random.Random) -> Iterator[Step]:
    """Let a message come to a long delay of its schedule, then another one to a short delay."""
    yield from behave_everywhere(500, 2)
    yield Send(endpoint=NEWEST)
    yield Pass(seconds=0.5)
    yield OnMessage(endpoint=NEWEST, operation="retry_now", status="pending_retry")
    yield Pass(seconds=chance.choice((0.5, 8.0)))
    yield from behave_everywhere(chance.choice((500, 500, 429)), 1)
    yield Send(endpoint=NEWEST)
    yield Pass(seconds=0.5)
    yield from behave_everywhere(200, 0)
    yield Pass(seconds=chance.choice((13.0, 40.0)))


def _trickle(chance: random.Random) -> Iterator[Step]:
    """Send now and then: nothing else wakes what is forgotten."""
    for _ in range(chance.randint(1, 3)):
        yield Send(endpoint=NEWEST, count=chance.randint(2, 5), apart_s=0.002)
        yield Pass(seconds=12)
