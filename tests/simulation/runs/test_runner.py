"""A run: drawn from a seed, played, judged; the same each time."""

import pytest

from sluicegate.simulation.runs import Plan, draw_plan, run


@pytest.mark.parametrize("mode", ["direct", "http"])
def test_same_seed_gives_same_run(mode: str) -> None:
    """The digest stands for everything that happened: twice the same, and another for another."""
    first = run(3, mode=mode)  # type: ignore[arg-type] # pytest's parameters have no type
    assert first.digest == run(3, mode=mode).digest  # type: ignore[arg-type] # same
    assert first.digest != run(4, mode=mode).digest  # type: ignore[arg-type] # same
    assert not first.violations
    assert first.requests


def test_plan_is_a_value() -> None:
    """A plan survives being written as JSON: that is how a failure is handed on."""
    plan = draw_plan(11)
    assert Plan.from_json(plan.to_json()) == plan
    assert plan == draw_plan(11)
    assert run(11, plan=Plan.from_json(plan.to_json())).digest == run(11).digest
