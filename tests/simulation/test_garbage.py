"""A simulation says when garbage is looked for, and leaves the process as it was."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from sluicegate.simulation.garbage import collected_on_cue


class _Ring:
    """Refers to itself."""

    def __init__(self) -> None:
        self.self = self


@pytest.fixture(params=[False, True], ids=["nothing frozen", "much frozen"])
def frozen(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether somebody has frozen objects before."""
    gc.unfreeze()
    if request.param:
        gc.freeze()
    yield request.param
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def test_garbage_is_found_on_cue_only_and_what_was_frozen_stays_so(frozen: bool) -> None:  # noqa: FBT001 - a fixture
    """Also in the middle of a simulation inside another one."""
    before = gc.get_freeze_count()
    assert (before > 0) == frozen
    with collected_on_cue():
        ring = weakref.ref(_Ring())
        rings = [_Ring() for _ in range(2 * gc.get_threshold()[0])]
        assert ring() is not None
        with collected_on_cue():
            assert not gc.isenabled()
        assert not gc.isenabled()
        assert gc.get_freeze_count() > 0
        gc.collect()
        assert ring() is None
        rings.clear()
    assert gc.isenabled()
    assert (gc.get_freeze_count() > 0) == frozen


def test_garbage_from_before_is_never_found_in_the_middle(frozen: bool) -> None:  # noqa: FBT001 - a fixture
    """Its finalizers would run in one run of a seed and not in the next."""
    gc.disable()  # else it may be found sooner
    ring = weakref.ref(_Ring())
    gc.enable()
    with collected_on_cue():
        there = ring() is not None
        gc.collect()
        assert (ring() is not None) == there
        assert there != frozen
