"""The suite finds bugs: each one that is planted turns it red, within a stated number of seeds."""

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from .catalogue import MUTANTS, Mutant
from .hunt import Find, hunters

_HUNT_S = 600

Hunts = dict[str | None, Future[Find]]


@pytest.fixture(scope="module")
def hunts() -> Iterator[Hunts]:
    """Begin every hunt, in two processes."""
    with hunters(2) as them:
        longest = max(mutant.seeds_max for mutant in MUTANTS.values())
        begun: Hunts = {name: them.begin(name, each.seeds_max) for name, each in MUTANTS.items()}
        begun[None] = them.begin(None, longest)
        yield begun


@pytest.mark.timeout(_HUNT_S)
@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.name)
def test_a_planted_bug_turns_the_suite_red(mutant: Mutant, hunts: Hunts) -> None:
    """Seeds from 1 on, up to the bug's own bound; see docs/simulation.md for the figures."""
    found = hunts[mutant.name].result(_HUNT_S)
    assert found.seed is not None, f"not found within {mutant.seeds_max} seeds: {mutant.story}"
    assert "run_crashed" not in found.rules, found.text


@pytest.mark.timeout(_HUNT_S)
def test_the_engine_as_it_is_stays_green_on_the_same_seeds(hunts: Hunts) -> None:
    """What finds a bug must not be red without it."""
    found = hunts[None].result(_HUNT_S)
    assert found.seed is None, f"seed {found.seed}: {found.rules}: {found.text}"
