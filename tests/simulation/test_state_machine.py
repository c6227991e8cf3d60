"""Hypothesis plays: it draws the steps one by one, and shrinks what fails.

Seed soaks cover more ground; this finds small plans, and keeps the failing ones in its database.
"""

import random

import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from sluicegate.simulation import CALM, Simulation
from sluicegate.simulation.oracle.history import History
from sluicegate.simulation.runs import Plan
from sluicegate.simulation.runs.ending import end_run
from sluicegate.simulation.runs.player import Player
from sluicegate.simulation.runs.rules import RULES, draw_pass
from sluicegate.simulation.runs.runner import judged
from sluicegate.simulation.runs.scene import Scene
from sluicegate.simulation.runs.setup import Setup, draw_setup
from sluicegate.simulation.runs.steps import Step

_EXAMPLES = {"dev": 15, "ci": 40, "deep": 5000}
_STEPS = 25
_CHANCE = st.randoms(use_true_random=False)
_HARMFUL = {"weather", "behave", "crash", "crash_at_write", "restart", "part", "jump_clock"}
_HARMFUL |= {"crash_receiver", "disk_full", "heal"}
_PAUSING = {"pause", "resume", "hold", "pause_amid", "toggle"}


class Sluicegate(RuleBasedStateMachine):
    """A world that is done one thing to after the other."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.simulation: Simulation | None = None
        self.setup = Setup()
        self.steps: list[Step] = []

    @initialize(chance=_CHANCE)
    def begin(self, chance: random.Random) -> None:
        """Create endpoints in calm."""
        self.setup = draw_setup(chance)
        self.simulation = Simulation(0, direct=True)
        self.scene = Scene(self.simulation, self.setup, History(), http=False)
        self.player = Player(self.scene)
        self.player.begin(CALM)

    @rule(chance=_CHANCE)
    def clients_pause_and_resume(self, chance: random.Random) -> None:
        """Pauses, that meet sends and one another."""
        self._play_one_of(chance, _PAUSING)

    @rule(chance=_CHANCE)
    def clients_ask_for_other_things(self, chance: random.Random) -> None:
        """Sends, operations on messages, changes of endpoints."""
        others = {rule.__name__.strip("_") for _, rule in RULES} - _HARMFUL - _PAUSING
        self._play_one_of(chance, others)

    @rule(chance=_CHANCE)
    def something_goes_wrong(self, chance: random.Random) -> None:
        """Faults, crashes, jumps of the clock."""
        self._play_one_of(chance, _HARMFUL)

    def _play_one_of(self, chance: random.Random, names: set[str]) -> None:
        chosen = [(weight, each) for weight, each in RULES if each.__name__.strip("_") in names]
        assert chosen
        weights, rules = zip(*chosen, strict=True)
        [drawn] = chance.choices(rules, weights)
        for step in (*drawn(chance), *draw_pass(chance)):
            self.steps.append(step)
            self.player.play(step)

    def teardown(self) -> None:
        """Let everything heal and finish; then nothing may be wrong."""
        if self.simulation is None:
            return
        with self.simulation:
            end_run(self.scene, self.player.asking, self.player.asking_many)
            self.scene.close()
            note(Plan(setup=self.setup, steps=tuple(self.steps)).to_json())
            found = [f"{each.rule}: {each.text}" for each in judged(self.scene)]
            assert not found, "\n".join(found)


@pytest.mark.timeout(300)
def test_no_sequence_of_steps_breaks_a_promise() -> None:
    """Whatever clients do and whatever goes wrong: every promise is kept, and all finishes."""
    profile = settings.get_current_profile_name()
    chosen = settings(max_examples=_EXAMPLES.get(profile, 15), stateful_step_count=_STEPS)
    run_state_machine_as_test(Sluicegate, settings=chosen)
