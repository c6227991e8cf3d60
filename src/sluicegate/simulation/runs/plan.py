"""A plan: all that happens to one world, as a value; and how it is drawn from a seed."""

import random

import msgspec

from sluicegate.simulation.faults import CALM, STORM, Faults
from sluicegate.simulation.runs.calm import draw_calm
from sluicegate.simulation.runs.compounds import draw_ending
from sluicegate.simulation.runs.compounds_of_many import draw_two
from sluicegate.simulation.runs.compounds_of_resumes import draw_overtaken
from sluicegate.simulation.runs.rules import draw_steps
from sluicegate.simulation.runs.setup import Setup, draw_setup
from sluicegate.simulation.runs.steps import Step

__all__ = ["Plan", "draw_plan"]

_STEPS = (40, 90)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A world as it begins, and what is then done to it, in order."""

    setup: Setup
    faults: Faults = CALM
    """What goes wrong from the first step on."""
    steps: tuple[Step, ...] = ()

    def to_json(self) -> str:
        """Return the plan as one line of JSON."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "Plan":
        """Return the plan that `to_json` wrote.

        Raises:
            msgspec.ValidationError, msgspec.DecodeError: it did not.
        """
        return msgspec.json.decode(text, type=cls)


def draw_plan(seed: int) -> Plan:
    """Return the plan of a seed: always the same."""
    chance = random.Random(f"{seed}:plan")
    setup = draw_setup(chance)
    faults = chance.choice((CALM, CALM, STORM))
    count = chance.randint(*_STEPS)
    steps = [*draw_steps(chance, count)]
    many = random.Random(f"{seed}:many")
    for compound in draw_two(many):
        at = many.randrange(len(steps) + 1)
        steps[at:at] = compound
    overtaken = random.Random(f"{seed}:overtaken")
    at = overtaken.randrange(len(steps) + 1)
    steps[at:at] = draw_overtaken(overtaken)
    ending = [*draw_ending(chance)]
    # A run that ends in the middle of things has its calm before, any other one at the end.
    at = len(steps) if ending else len(steps) // 2
    steps[at:at] = draw_calm(random.Random(f"{seed}:calm"))
    steps += ending
    return Plan(setup=setup, faults=faults, steps=tuple(steps))
