"""The end of a run: whoever asks then is answered, whatever the plan has left behind."""

from sluicegate.simulation.runs import Plan, run
from sluicegate.simulation.runs.setup import Setup
from sluicegate.simulation.runs.steps import Behave, Pass, Send, TakeOver


def test_a_client_that_dies_with_its_process_asks_the_next_one() -> None:
    """Seed 2003 of an older revision found it: the client died, and the run was blamed for it.

    A 410 pauses the endpoint; then the database is taken over, which the process notices at the
    resume of the end, and ends. The client lives in that process.
    """
    plan = Plan(
        setup=Setup(settings={"retry_slow_s": [1.0]}),
        steps=(
            Behave(receiver=0, status=410, count=1),
            Send(endpoint=0),
            Pass(seconds=1),
            TakeOver(),
        ),
    )
    ended = run(2003, mode="direct", plan=plan)
    assert ended.violations == ()
    assert [view.status for view in ended.history.messages] == ["failed_permanent"]
    assert not run(2003, mode="http", plan=plan).violations
