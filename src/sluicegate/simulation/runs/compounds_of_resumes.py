"""Steps that belong together around resumes that overtake a result: it is stored behind them."""

import random
from collections.abc import Iterator

from sluicegate.simulation.faults import CALM, Faults
from sluicegate.simulation.runs.drawing import NEWEST, behave_everywhere, happens, someone
from sluicegate.simulation.runs.steps import (
    Crash,
    CreateEndpoint,
    Heal,
    OnMessage,
    Pass,
    Pause,
    Restart,
    Resume,
    Send,
    Step,
    Toggle,
    Weather,
)

__all__ = ["draw_overtaken"]

_SHARE = 0.3
"""Of the plans: so many have such a resume."""
_TIMEOUT_S = 2.0
"""So that an attempt which hangs ends while a resume is being written: half a second or more."""


def draw_overtaken(chance: random.Random) -> list[Step]:
    """Draw one of these for some plans; no steps for the others."""
    if not happens(chance, _SHARE):
        return []
    [compound] = chance.choices((_fail_during_a_resume, _go_behind_a_resume), (3, 1))
    return list(compound(chance))


def _fail_during_a_resume(chance: random.Random) -> Iterator[Step]:
    """Let many attempts fail, and one more while a resume is being written; then start anew.

    What is loaded then is what was stored: the count that the resume began, or the old one. Only
    what fails next shows it: others wait for its retry, or it pauses the endpoint.
    """
    yield from _heal()
    yield CreateEndpoint(receiver=someone(chance), config={"timeout_s": _TIMEOUT_S})
    yield Pass(seconds=1)
    yield from behave_everywhere(500, 100)
    yield Send(endpoint=NEWEST, count=chance.randint(11, 13))
    yield Pass(seconds=0.8)
    yield Weather(faults=Faults(hang=1.0))
    yield OnMessage(endpoint=NEWEST, operation="retry_now", status="pending_retry", which=-1)
    yield Pass(seconds=0.25)
    yield Weather(faults=CALM)
    yield Pass(seconds=round(chance.uniform(1.1, 1.4), 3))
    yield Pause(endpoint=NEWEST)
    yield Pass(seconds=0.1)
    yield from behave_everywhere(200, 0)
    yield Weather(faults=Faults(slow_disk=1.0))
    yield Resume(endpoint=NEWEST)
    yield Pass(seconds=0.1)  # its commit is under way by then: nothing else need be slow
    yield Weather(faults=CALM)
    yield Pass(seconds=20)
    if happens(chance, 0.3):
        yield Send(endpoint=NEWEST)
    yield Pass(seconds=chance.choice((5.0, 30.0, 310.0)))
    yield from _start_anew(chance)
    yield from behave_everywhere(503, 1, retry_after_s=60)
    yield Send(endpoint=NEWEST)
    yield Pass(seconds=0.5)
    yield from behave_everywhere(200, 0)
    yield Send(endpoint=NEWEST, count=2)
    yield Pass(seconds=70)


def _go_behind_a_resume(chance: random.Random) -> Iterator[Step]:
    """Let a receiver say that it is gone, which cannot be stored until after a resume."""
    yield from _heal()
    yield CreateEndpoint(receiver=someone(chance), config={})
    yield Pass(seconds=1)
    yield from behave_everywhere(410, 1)
    yield Weather(faults=Faults(slow=1.0))
    yield Send(endpoint=NEWEST)
    yield Pass(seconds=0.5)
    yield Weather(faults=Faults(busy=1.0))
    yield Pass(seconds=round(chance.uniform(9, 10), 3))
    yield Weather(faults=CALM)
    yield Toggle(endpoint=NEWEST, times=2)
    yield Pass(seconds=2)
    yield from behave_everywhere(200, 0)
    if happens(chance, 0.5):
        yield from _start_anew(chance)
    yield Send(endpoint=NEWEST, count=2)
    yield Pass(seconds=chance.choice((1.0, 20.0)))
    yield Resume(endpoint=NEWEST)  # there is nothing to resume
    yield Pass(seconds=1)


def _heal() -> Iterator[Step]:
    """Let nothing be wrong any more before an endpoint is created: no bug has ever met it."""
    yield Heal()
    yield Pass(seconds=0.1)


def _start_anew(chance: random.Random) -> Iterator[Step]:
    yield chance.choice((Restart(), Crash(), Crash(power_loss=True)))
    yield Pass(seconds=2)
