"""A serving process looks for garbage less often."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from sluicegate.cli.garbage import rare_collections


class _Ring:
    """Refers to itself."""

    def __init__(self) -> None:
        self.self = self


@pytest.fixture
def _nothing_frozen() -> Iterator[None]:
    """As a program begins; the tests have frozen what was there before them."""
    gc.unfreeze()
    yield
    gc.collect()
    gc.freeze()


@pytest.mark.usefixtures("_nothing_frozen")
def test_garbage_is_looked_for_less_often_and_found_all_the_same() -> None:
    """Afterwards the interpreter is as it was."""
    before = gc.get_threshold()
    with rare_collections():
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count() > 0
        assert gc.isenabled()
        ring = weakref.ref(_Ring())
        rings = [_Ring() for _ in range(2 * gc.get_threshold()[0])]
        assert ring() is None
        rings.clear()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
