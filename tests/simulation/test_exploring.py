"""The kit finds what breaks a receiver, makes it small, and tells it in plain words."""

from collections.abc import Callable

import pytest

from sluicegate.simulation import (
    Answer,
    CounterexampleError,
    Mishap,
    MishapKind,
    ReceivedRequest,
    Simulation,
    UnhandledError,
    explore,
)


def counting(simulation: Simulation, *, repeats: bool, forgets: bool = False) -> None:
    """Send three numbers to a receiver that adds up what it gets; state what must hold.

    Args:
        simulation: an empty world.
        repeats: whether the receiver counts a repetition again.
        forgets: whether it answers before it counts.
    """
    total: list[object] = []
    known: set[str] = set()

    def count(request: ReceivedRequest) -> None:
        if repeats or request.message_id not in known:
            known.add(request.message_id)
            total.append(request.json())

    def act(request: ReceivedRequest) -> Answer:
        if forgets:
            later = simulation.loop.call_later(0.5, count, request)
            assert not later.cancelled()
        else:
            count(request)
        return Answer()

    host = simulation.host("till.example", responses=act)
    sluicegate = simulation.engine(retry_slow_s=(60,) * 7)
    endpoint = sluicegate.create_endpoint(host.url)
    for number in range(3):
        sluicegate.send(endpoint.id, number)
    simulation.settle()
    simulation.advance(1)
    assert sorted(map(str, total)) == ["0", "1", "2"], "each number is counted once"


def test_the_one_fault_that_matters_is_found_and_told() -> None:
    """A receiver that takes a repetition for news breaks under one fault, if several were tried."""
    with pytest.raises(CounterexampleError) as found:
        explore(lambda simulation: counting(simulation, repeats=True), direct=True)
    (mishap,) = found.value.mishaps
    assert mishap == Mishap(host="till.example", request=1, kind=MishapKind.ANSWER_LOST)
    assert isinstance(found.value.__cause__, AssertionError)
    story = str(found.value)
    assert "1 fault is enough" in story
    assert "the answer is lost on its way" in story
    assert " again, attempt 2; it acts, and answers 200." in story
    assert "each number is counted once" in story
    assert repr(found.value.seed) in story
    assert found.value.trace
    with (
        Simulation(found.value.seed, mishaps=found.value.mishaps, direct=True) as simulation,
        pytest.raises(AssertionError, match="counted once"),
    ):
        counting(simulation, repeats=True)


def test_the_same_seeds_find_the_same() -> None:
    """What was found is found again, word for word."""
    stories = []
    for _ in range(2):
        with pytest.raises(CounterexampleError) as found:
            explore(
                lambda simulation: counting(simulation, repeats=True), seeds=[3, 4], direct=True
            )
        stories.append((found.value.story, found.value.trace))
    assert stories[0] == stories[1]


def test_a_receiver_that_answers_too_early_loses_what_it_answered_for() -> None:
    """To answer first and act later is broken by a crash in between, and by nothing else."""
    with pytest.raises(CounterexampleError) as found:
        explore(lambda simulation: counting(simulation, repeats=False, forgets=True), direct=True)
    assert [mishap.kind for mishap in found.value.mishaps] == [MishapKind.CRASH_AFTER_ANSWER]


def test_a_receiver_that_remembers_ids_stands_whatever_befalls_it() -> None:
    """Nothing is found where there is nothing; how much was tried is told."""
    explored = explore(
        lambda simulation: counting(simulation, repeats=False), seeds=range(30), direct=True
    )
    assert explored.runs == 30
    assert explored.mishaps > 30
    assert explored.repeated > 10


def test_a_scenario_that_fails_by_itself_is_not_blamed_on_faults() -> None:
    """Its own error is raised, with a note."""

    def scenario(simulation: Simulation) -> None:
        simulation.host("till.example")
        raise LookupError("a mistake in the test")

    with pytest.raises(LookupError, match="mistake") as found:
        explore(scenario)
    assert found.value.__notes__ == ["The scenario fails with no fault at all."]


def test_what_pytest_fails_is_shrunk_like_any_failure() -> None:
    """`pytest.fail` raises what is no `Exception`."""

    def scenario(simulation: Simulation) -> None:
        try:
            counting(simulation, repeats=True)
        except AssertionError:
            pytest.fail("a number was counted twice")

    with pytest.raises(CounterexampleError, match="Failed: a number was counted twice") as found:
        explore(scenario, direct=True)
    (mishap,) = found.value.mishaps
    assert (mishap.request, mishap.kind) == (1, MishapKind.ANSWER_LOST)
    assert isinstance(found.value.__cause__, pytest.fail.Exception)


@pytest.mark.parametrize(
    ("verdict", "ending"),
    [
        (pytest.skip, pytest.skip.Exception),
        (pytest.xfail, pytest.xfail.Exception),
        (pytest.exit, pytest.exit.Exception),
    ],
    ids=["skip", "xfail", "exit"],
)
def test_what_pytest_raises_to_end_a_test_is_no_failure(
    verdict: Callable[[str], object], ending: type[BaseException]
) -> None:
    """A skip, an expected failure and an exit reach pytest as they are."""
    runs: list[None] = []  # the first has no faults

    def scenario(simulation: Simulation) -> None:
        simulation.host("till.example")
        runs.append(None)
        if len(runs) > 1:
            verdict("not today")

    with pytest.raises(ending, match="not today"):
        explore(scenario, direct=True)


def test_what_nobody_handled_at_the_end_of_the_world_is_shrunk() -> None:
    """The scenario itself sees nothing wrong; a callback that it left behind raises."""

    def scenario(simulation: Simulation) -> None:
        known: set[str] = set()

        def act(request: ReceivedRequest) -> Answer:
            if request.message_id in known:
                simulation.loop.call_soon(known.remove, "never there")
            known.add(request.message_id)
            return Answer()

        host = simulation.host("till.example", responses=act)
        sluicegate = simulation.engine(retry_slow_s=(60,) * 7)
        endpoint = sluicegate.create_endpoint(host.url)
        for number in range(3):
            sluicegate.send(endpoint.id, number)
        simulation.settle()

    with pytest.raises(CounterexampleError, match="nobody has handled KeyError") as found:
        explore(scenario, direct=True)
    (mishap,) = found.value.mishaps
    assert mishap.request == 1
    assert isinstance(found.value.__cause__, UnhandledError)
