"""The suite finds bugs: each one that is planted turns it red, within a stated number of seeds."""

import os
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from sluicegate.simulation.oracle import RULES

from .catalogue import MUTANTS, Mutant
from .hunt import Find, Hunters, hunters
from .mutant import WITHIN_REACH_SEEDS

_HUNT_S = 900
"""All of them are hunted at once: the first test may have to wait for the others' hunts."""
_WITHIN_REACH = [mutant for mutant in MUTANTS.values() if mutant.seeds_max <= WITHIN_REACH_SEEDS]
_HUNTED = _WITHIN_REACH if os.environ.get("SLUICEGATE_HUNT") == "all" else _WITHIN_REACH[::8]
"""`make hunt` hunts all within reach, `make test` every eighth one: to find them all takes over
400 seeds (docs/simulation-mutants.md), more than the soak of `test_soak.py`. That each still finds
its place in the engine is tested of all: see `test_planting.py`."""


@pytest.fixture(scope="module")
def them() -> Iterator[Hunters]:
    """Two processes."""
    with hunters(2) as both:
        yield both


@pytest.fixture(scope="module")
def hunts(them: Hunters) -> dict[str, Future[Find]]:
    """Begin every hunt."""
    return {mutant.name: them.begin(mutant.name, mutant.seeds_max) for mutant in _HUNTED}


@pytest.mark.timeout(_HUNT_S)
@pytest.mark.parametrize("mutant", _HUNTED, ids=lambda mutant: mutant.name)
def test_a_planted_bug_turns_the_suite_red(mutant: Mutant, hunts: dict[str, Future[Find]]) -> None:
    """Seeds from 1 on, up to the bug's own bound; docs/simulation.md has the figures."""
    found = hunts[mutant.name].result(_HUNT_S)
    assert found.seed is not None, f"not found within {mutant.seeds_max} seeds: {mutant.story}"
    # Else the bug has not been found: it does not work, and an exception says so.
    assert found.rules[0] in {rule.__name__ for rule in RULES}, found.text


@pytest.mark.timeout(_HUNT_S)
def test_the_engine_as_it_is_stays_green_on_the_same_seeds(
    them: Hunters, hunts: dict[str, Future[Find]]
) -> None:
    """What finds a bug must not be red without it."""
    last = max(hunt.result(_HUNT_S).seed or 1 for hunt in hunts.values())
    found = them.begin(None, last).result(_HUNT_S)
    assert found.seed is None, f"seed {found.seed}: {found.rules}: {found.text}"
