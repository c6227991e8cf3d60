"""What plans draw: each its calm stretch, and often what must meet for a bug to show."""

from collections import Counter

import pytest

from sluicegate.simulation.oracle.history import Call, Operation
from sluicegate.simulation.runs import Plan, draw_plan, run
from sluicegate.simulation.runs.setup import Setup
from sluicegate.simulation.runs.steps import (
    Behave,
    CreateEndpoint,
    Heal,
    OnDeadLetter,
    OnMany,
    Pass,
    Send,
    Step,
    Weather,
)

_AFTERMATH_S = 90.0
PLANS = [draw_plan(seed) for seed in range(1, 201)]


def share(*wanted: bool) -> float:
    """Return of how many plans something is true."""
    return sum(wanted) / len(wanted)


def is_calm(steps: tuple[Step, ...]) -> bool:
    """Return whether a new endpoint is let alone for longer than trouble is felt, then used."""
    heal, made, wait, *rest = steps
    return (
        isinstance(heal, Heal)
        and isinstance(made, CreateEndpoint)
        and made.config == {}
        and isinstance(wait, Pass)
        and wait.seconds > _AFTERMATH_S
        and any(isinstance(each, Send) for each in rest[:4])
    )


def test_every_plan_has_a_calm_stretch() -> None:
    """Promptness is judged where nothing is wrong: without one a lost timer is not seen."""
    for plan in PLANS:
        assert any(is_calm(plan.steps[at:]) for at in range(len(plan.steps) - 6))


def test_what_must_meet_meets_in_many_plans() -> None:
    """A conjunction that is drawn seldom finds nothing: each has its floor."""
    kinds = [{type(each) for each in plan.steps} for plan in PLANS]
    assert share(*(OnMany in each for each in kinds)) > 0.85
    assert share(*(OnDeadLetter in each for each in kinds)) > 0.4
    failing = [
        any(isinstance(each, Weather) and each.faults.bug == 1 for each in plan.steps)
        for plan in PLANS
    ]
    assert share(*failing) > 0.3
    overtaking = [
        any(
            isinstance(each, Weather) and 1 in {each.faults.hang, each.faults.busy}
            for each in steps
        )
        for steps in (plan.steps for plan in PLANS)
    ]
    assert share(*overtaking) > 0.15
    limited = [
        any(
            isinstance(each, CreateEndpoint) and each.config.get("rate_limit_rps") == 1
            for each in plan.steps
        )
        for plan in PLANS
    ]
    assert share(*limited) > 0.4
    idle_s = Counter(plan.setup.settings["actor_idle_s"] for plan in PLANS)
    assert sum(n for seconds, n in idle_s.items() if seconds >= 600) > 0.15 * len(PLANS)
    far = [max(plan.setup.settings["retry_slow_s"]) >= 3600 for plan in PLANS]
    assert share(*far) > 0.2


def answers(calls: list[Call], operation: Operation) -> list[dict[str, str]]:
    """Return what each call about many messages came to, by message."""
    found = [call.answer for call in calls if call.operation is operation]
    return [
        {each.message_id: each.outcome for each in answer.outcomes} for answer in found if answer
    ]


@pytest.mark.parametrize("mode", ["direct", "http"])
def test_calls_about_many_are_made_and_written_down(mode: str) -> None:
    """By filter, by id, from the dead letter queue; and twice at once, where one finds the rest."""
    plan = Plan(
        setup=Setup(settings={"retry_slow_s": [1.0]}),
        steps=(
            Behave(receiver=0, status=404, count=4),
            Send(endpoint=0, count=4, apart_s=0.2),
            Pass(seconds=2),
            OnDeadLetter(which=0),
            Pass(seconds=2),
            OnMany(operation="replay_all", endpoint=0, status="failed_permanent", times=2),
            Pass(seconds=2),
            OnMany(
                operation="replay_batch", endpoint=0, status="succeeded", limit=2, stranger=True
            ),
            Pass(seconds=2),
            OnMany(operation="delete_batch", endpoint=0, limit=1, stranger=True),
            Pass(seconds=2),
            OnMany(operation="delete_all", status="succeeded"),
            Pass(seconds=2),
        ),
    )
    ended = run(7, mode=mode, plan=plan)  # type: ignore[arg-type] # pytest's parameters have no type
    assert ended.violations == ()
    calls = ended.history.calls
    newest, *others = [view.id for view in reversed(ended.history.messages)]
    [one] = [call for call in calls if call.operation is Operation.REPLAY_FROM_DLQ]
    assert (one.message_id, one.error) == (newest, None)
    replayed = Counter(
        outcome
        for answer in answers(calls, Operation.REPLAY_ALL)
        for message_id, outcome in answer.items()
        if message_id in others
    )
    assert replayed["replayed"] == 3
    [batch] = answers(calls, Operation.REPLAY_BATCH)
    assert sorted(batch.values()) == ["failed", "replayed", "replayed"]
    [deleted] = answers(calls, Operation.DELETE_BATCH)
    assert sorted(deleted.values()) == ["deleted", "not_found"]
    [rest] = answers(calls, Operation.DELETE_ALL)
    assert rest == dict.fromkeys(others, "deleted")
    assert [listing.whole for listing in ended.history.dead_letters] == [False, True]
    assert ended.history.dead_letters[0].message_ids == (newest, *others)
