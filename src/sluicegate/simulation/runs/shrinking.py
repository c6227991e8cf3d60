"""Makes the plan of a failing run smaller, as long as it fails in the same way."""

from collections.abc import Callable, Iterator

import msgspec

from sluicegate.simulation.faults import CALM
from sluicegate.simulation.runs.plan import Plan
from sluicegate.simulation.runs.runner import Run, run
from sluicegate.simulation.runs.steps import Step
from sluicegate.simulation.shrinking import OverError, shrink_plan

__all__ = ["shrink"]


def shrink(failed: Run, *, is_over: Callable[[], bool]) -> Run:
    """Return a run with a smaller plan that breaks one of the same rules.

    Each try is a whole run; see `shrink_plan`.

    Args:
        failed: a run that broke a rule.
        is_over: asked before each try; when it says yes, the smallest plan so far is returned.
    """
    best = failed

    def fails(plan: Plan) -> bool:
        nonlocal best
        if is_over():
            raise OverError
        tried = run(failed.seed, mode=failed.mode, plan=plan)
        if not tried.rules & failed.rules:
            return False
        best = tried
        return True

    shrink_plan(
        failed.plan,
        steps_of=lambda plan: plan.steps,
        with_steps=lambda plan, steps: msgspec.structs.replace(plan, steps=tuple(steps)),
        simpler=_simpler,
        fails=fails,
    )
    return best


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
