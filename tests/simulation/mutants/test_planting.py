"""Planting itself: a bug that does not fit the engine any more must not pass for one found."""

import sys
from types import ModuleType

import pytest

from sluicegate.engine import rate_limit
from sluicegate.storage import waiting

from .catalogue import MUTANTS, Mutant
from .mutant import Patch


def _engine() -> dict[tuple[str, str, str], object]:
    """Return all that a patch could replace, by where it stands."""
    modules = [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith("sluicegate.") and isinstance(module, ModuleType)
    ]
    found: dict[tuple[str, str, str], object] = {}
    for module in modules:
        for name, value in vars(module).items():
            found[module.__name__, "", name] = value
            if isinstance(value, type) and value.__module__ == module.__name__:
                found |= {(module.__name__, name, key): each for key, each in vars(value).items()}
    return found


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.name)
def test_a_planted_bug_changes_the_engine_and_is_gone_afterwards(mutant: Mutant) -> None:
    """Each bug finds its place in the engine as it is now, and leaves nothing behind."""
    before = _engine()
    with mutant.planted():
        during = _engine()
    after = _engine()
    assert any(during[place] is not each for place, each in before.items())
    assert all(after[place] is each for place, each in before.items())


def test_each_planted_bug_says_what_it_is() -> None:
    """The table has a sentence for each, and the promise that it breaks."""
    assert len(MUTANTS) >= 20
    for mutant in MUTANTS.values():
        assert mutant.story.endswith((".", "?")), mutant.name
        assert mutant.promise, mutant.name


def test_what_does_not_fit_is_refused() -> None:
    """Where the engine has changed, planting fails instead of changing nothing."""
    patch = Patch()
    with pytest.raises(TypeError, match="has no"):
        patch.replace(rate_limit, "_no_such_thing", 1)
    with pytest.raises(TypeError, match="takes"):
        patch.replace(rate_limit, "_capacity", lambda _rate: 0)
    with pytest.raises(TypeError, match="does not say"):
        patch.reword(waiting, "WORK", "no such words", "")
