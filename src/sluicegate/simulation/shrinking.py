"""Makes a plan that fails smaller, as long as it fails: for receivers, and for the engine."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

__all__ = ["OverError", "shrink_plan"]

_Plan = TypeVar("_Plan")
_Step = TypeVar("_Step")


class OverError(Exception):
    """There is no more time for another try. Raised by a `fails`, caught by `shrink_plan`."""


def shrink_plan(
    plan: _Plan,
    *,
    steps_of: Callable[[_Plan], Sequence[_Step]],
    with_steps: Callable[[_Plan, Sequence[_Step]], _Plan],
    simpler: Callable[[_Plan], Iterable[_Plan]],
    fails: Callable[[_Plan], bool],
) -> _Plan:
    """Return the smallest plan that was found to fail; `plan` itself if none is smaller.

    First steps are left out, by delta debugging (Zeller and Hildebrandt, 2002); then what is
    left is made simpler, one thing at a time; then steps are left out once more.

    Args:
        plan: fails.
        steps_of: returns what a plan does, in order.
        with_steps: returns a plan that does something else.
        simpler: returns plans that are each a little simpler, the simplest first.
        fails: tries a plan, and says whether it still fails in the same way. `OverError` ends
            the search: what was found so far is returned.
    """
    best = plan

    def fewer(steps: Sequence[_Step]) -> bool:
        return smaller(with_steps(best, steps))

    def smaller(tried: _Plan) -> bool:
        nonlocal best
        if not fails(tried):
            return False
        best = tried
        return True

    try:
        _leave_out(lambda: steps_of(best), fewer)
        while any(smaller(each) for each in simpler(best)):
            pass
        _leave_out(lambda: steps_of(best), fewer)
    except OverError:
        pass
    return best


def _leave_out(
    steps: Callable[[], Sequence[_Step]], fails: Callable[[Sequence[_Step]], bool]
) -> None:
    """Leave out as many steps as can be, in pieces that become smaller."""
    pieces = 2
    while now := steps():
        size = -(-len(now) // pieces)
        for start in range(0, len(now), size):
            if fails([*now[:start], *now[start + size :]]):
                pieces = max(pieces - 1, 2)
                break
        else:
            if size == 1:
                return
            pieces = min(2 * pieces, len(now))
