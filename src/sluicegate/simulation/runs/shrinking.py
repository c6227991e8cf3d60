"""Makes the plan of a failing run smaller, as long as it fails in the same way."""

from collections.abc import Callable, Iterator

import msgspec

from sluicegate.simulation.faults import CALM
from sluicegate.simulation.runs.plan import Plan
from sluicegate.simulation.runs.runner import Run, run
from sluicegate.simulation.runs.steps import Step

__all__ = ["shrink"]


def shrink(failed: Run, *, is_over: Callable[[], bool]) -> Run:
    """Return a run with a smaller plan that breaks one of the same rules.

    First steps are left out, by delta debugging (Zeller and Hildebrandt, 2002); then what is
    left is made simpler. Each try is a whole run.

    Args:
        failed: a run that broke a rule.
        is_over: asked before each try; when it says yes, the smallest plan so far is returned.
    """
    return _Shrinking(failed, is_over).result()


class _OverError(Exception):
    """There is no more time."""


class _Shrinking:
    def __init__(self, failed: Run, is_over: Callable[[], bool]) -> None:
        self._best = failed
        self._wanted = failed.rules
        self._is_over = is_over

    def result(self) -> Run:
        try:
            self._leave_out()
            while self._simplify():
                pass
            self._leave_out()
        except _OverError:
            pass
        return self._best

    def _fails(self, plan: Plan) -> bool:
        """Try a plan, and keep it if it fails in the same way."""
        if self._is_over():
            raise _OverError
        tried = run(self._best.seed, mode=self._best.mode, plan=plan)
        if not tried.rules & self._wanted:
            return False
        self._best = tried
        return True

    def _leave_out(self) -> None:
        """Leave out as many steps as can be, in pieces that become smaller."""
        pieces = 2
        while self._best.plan.steps:
            steps = self._best.plan.steps
            size = -(-len(steps) // pieces)
            for start in range(0, len(steps), size):
                rest = steps[:start] + steps[start + size :]
                if self._fails(msgspec.structs.replace(self._best.plan, steps=rest)):
                    pieces = max(pieces - 1, 2)
                    break
            else:
                if size == 1:
                    return
                pieces = min(2 * pieces, len(steps))

    def _simplify(self) -> bool:
        """Make one thing simpler; return whether anything could be."""
        return any(self._fails(plan) for plan in _simpler(self._best.plan))


def _simpler(plan: Plan) -> Iterator[Plan]:
    """Yield plans that are each a little simpler."""
    setup = plan.setup
    if plan.faults != CALM:
        yield msgspec.structs.replace(plan, faults=CALM)
    if setup.left_paused:
        changed = msgspec.structs.replace(setup, left_paused=())
        yield msgspec.structs.replace(plan, setup=changed)
    if len(setup.endpoints) > 1:
        changed = msgspec.structs.replace(setup, endpoints=setup.endpoints[:-1])
        yield msgspec.structs.replace(plan, setup=changed)
    if setup.receivers > 1:
        changed = msgspec.structs.replace(setup, receivers=1)
        yield msgspec.structs.replace(plan, setup=changed)
    for number, config in enumerate(setup.endpoints):
        for name in config:
            fewer = {key: value for key, value in config.items() if key != name}
            configs = (*setup.endpoints[:number], fewer, *setup.endpoints[number + 1 :])
            changed = msgspec.structs.replace(setup, endpoints=configs)
            yield msgspec.structs.replace(plan, setup=changed)
    for number, step in enumerate(plan.steps):
        for simpler in _simpler_steps(step):
            steps = (*plan.steps[:number], simpler, *plan.steps[number + 1 :])
            yield msgspec.structs.replace(plan, steps=steps)


def _simpler_steps(step: Step) -> Iterator[Step]:
    """Yield steps that do less."""
    for name in ("count", "times"):
        many = getattr(step, name, 1)
        if many > 1:
            for fewer in sorted({1, many // 2}):
                yield msgspec.structs.replace(step, **{name: fewer})
    for name, nothing in (
        ("amid", ()),
        ("padding", 0),
        ("keyed", False),
        ("headers", False),
        ("kept_hours", None),
        ("patience_s", None),
        ("apart_s", 0.0),
        ("power_loss", False),
    ):
        if getattr(step, name, nothing) != nothing:
            yield msgspec.structs.replace(step, **{name: nothing})
