"""A stretch of each plan in which nothing is wrong, and long enough for promptness to be judged."""

import random
from collections.abc import Iterator

from sluicegate.simulation.runs.steps import (
    Behave,
    CreateEndpoint,
    Heal,
    OnMany,
    OnMessage,
    Pass,
    Send,
    Step,
)

__all__ = ["draw_calm"]

_RECEIVERS = 3
_NEWEST = -1
_AFTERMATH_S = 95.0
"""What was begun in trouble is over by then, over HTTP too: see `oracle/promptness.py`."""


def draw_calm(chance: random.Random) -> Iterator[Step]:
    """Draw what a new endpoint gets when nothing is wrong any more.

    It is neither ordered nor limited, so that all of it is due at a known moment. What fails does
    so by its receiver's own will, not by a fault.
    """
    yield Heal()
    yield CreateEndpoint(receiver=chance.randrange(_RECEIVERS), config={})
    yield Pass(seconds=_AFTERMATH_S)
    if chance.random() < 0.7:  # noqa: PLR2004 - a weight
        yield from _short_delay_behind_a_long_one(chance)
    else:
        yield from _trickle(chance)
    for operation in chance.sample(("replay", "replay_batch", "retry_now"), 2):
        if operation == "replay_batch":
            yield OnMany(operation=operation, endpoint=_NEWEST, status="succeeded", limit=2)
        else:
            status = "succeeded" if operation == "replay" else "pending_retry"
            yield OnMessage(endpoint=_NEWEST, operation=operation, status=status)
        yield Pass(seconds=chance.choice((0.5, 13.0)))
    yield Send(endpoint=_NEWEST, count=2)
    yield Pass(seconds=chance.choice((1.0, 20.0)))


def _short_delay_behind_a_long_one(chance: random.Random) -> Iterator[Step]:
    """Let a message come to a long delay of its schedule, then another one to a short delay."""
    yield from _behave(500, 2)
    yield Send(endpoint=_NEWEST)
    yield Pass(seconds=0.5)
    yield OnMessage(endpoint=_NEWEST, operation="retry_now", status="pending_retry")
    yield Pass(seconds=chance.choice((0.5, 8.0)))
    yield from _behave(chance.choice((500, 500, 429)), 1)
    yield Send(endpoint=_NEWEST)
    yield Pass(seconds=0.5)
    yield from _behave(200, 0)
    yield Pass(seconds=chance.choice((13.0, 40.0)))


def _trickle(chance: random.Random) -> Iterator[Step]:
    """Send now and then: nothing else wakes what is forgotten."""
    for _ in range(chance.randint(1, 3)):
        yield Send(endpoint=_NEWEST, count=chance.randint(2, 5), apart_s=0.002)
        yield Pass(seconds=12)


def _behave(status: int, count: int) -> Iterator[Step]:
    for receiver in range(_RECEIVERS):
        yield Behave(receiver=receiver, status=status, count=count)
