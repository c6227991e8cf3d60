"""Looking for the few faults that break somebody's receiver."""

import contextlib
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from sluicegate.simulation.errors import UnhandledError
from sluicegate.simulation.receivers import Mishap, MishapKind
from sluicegate.simulation.shrinking import OverError, shrink_plan
from sluicegate.simulation.simulation import Simulation
from sluicegate.simulation.story import story_of

__all__ = ["CounterexampleError", "Explored", "Scenario", "explore"]

Scenario = Callable[[Simulation], object]
"""Puts hosts into a world, lets it run, and raises (`assert`) if what must hold does not."""

_KINDS = tuple(MishapKind)
_BEYOND = 2
"""Mishaps also befall requests that come only because of another mishap."""
_SHRINK_RUNS_MAX = 500


class Explored(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried without finding anything."""

    runs: int
    """Runs with faults."""
    mishaps: int
    """Faults that befell a request, over all runs."""
    repeated: int
    """Requests that brought a message which had been delivered before."""


class CounterexampleError(AssertionError):
    """A scenario does not hold: the fewest faults that were found to break it.

    Its text is the story in plain words. It is raised from what the scenario raised.

    Attributes:
        seed: of the run.
        mishaps: the faults: `Simulation(seed, mishaps=mishaps)` repeats the run.
        story: what happened, for people.
        trace: the last 50 lines of the run's trace.
        runs: how many runs it took to find it and to shrink it.
    """

    def __init__(
        self, *, seed: int, mishaps: Sequence[Mishap], story: str, trace: list[str], runs: int
    ) -> None:
        """Tell the story."""
        super().__init__(story)
        self.seed = seed
        self.mishaps = tuple(mishaps)
        self.story = story
        self.trace = trace
        self.runs = runs


class _Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A run, whose world has ended."""

    world: Simulation
    error: BaseException | None
    """Why its scenario did not hold: what it raised, else what nobody handled."""

    @property
    def kinds(self) -> set[type[BaseException]]:
        """What the error is, or, of a world's end, what is in it."""
        inside = self.error.exceptions if isinstance(self.error, UnhandledError) else [self.error]
        return {type(each) for each in inside if each is not None}


def explore(
    scenario: Scenario,
    *,
    seeds: Iterable[int] = range(50),
    kinds: Sequence[MishapKind] = _KINDS,
    mishaps_max: int = 4,
    direct: bool = False,
) -> Explored:
    """Run a scenario under faults that differ from seed to seed; shrink what breaks it.

    It is run once with no fault at all, to see that it holds and which requests there are; then
    with each seed, under one to `mishaps_max` faults. The first failure is shrunk: faults are
    left out, moved to earlier requests and made simpler, as long as the scenario still fails.
    To fail is to raise (`assert`, `pytest.fail`), or to leave an exception that nobody handled
    at the end of the world.

    Args:
        scenario: called with a world that has no hosts yet; it is called many times, so whatever
            it changes it must make itself.
        seeds: the same seeds give the same result.
        kinds: what may befall a request.
        mishaps_max: faults in a run, at least 1.
        direct: as for `Simulation`: faster, and without HTTP.

    Returns:
        How much was tried.

    Raises:
        CounterexampleError: there are faults under which it fails.
        RuntimeError: a world is open already, such as that of the fixture `simulation`.
        BaseException: what the scenario raises without any fault, or what nobody handled then.
    """
    assert mishaps_max >= 1, mishaps_max
    runs = mishaps = repeated = 0
    expected: list[tuple[str, int]] = []
    for seed in seeds:
        if not expected:
            expected = _requests(scenario, seed, direct=direct)
        plan = _plan(seed, expected, kinds, mishaps_max)
        runs += 1
        ran = _run(scenario, seed, plan, direct=direct)
        mishaps += sum(_befallen(ran.world))
        repeated += _repeated(ran.world)
        if ran.error is not None:
            raise _shrunk(scenario, plan, ran, runs=runs, direct=direct)
    return Explored(runs=runs, mishaps=mishaps, repeated=repeated)


def _run(scenario: Scenario, seed: int, plan: Sequence[Mishap], *, direct: bool) -> _Ran:
    """Run a scenario in a world of its own, to the world's end.

    Its mishaps may find no host: a scenario can fail before it makes one.
    """
    error: BaseException | None = None
    with contextlib.closing(Simulation(seed, mishaps=plan, direct=direct)) as world:
        try:
            scenario(world)
        except _passing():
            raise
        except _failing() as raised:
            error = raised
    if error is None:
        try:
            world.loop.check()
        except UnhandledError as unhandled:
            error = unhandled
    return _Ran(world=world, error=error)


def _failing() -> tuple[type[BaseException], ...]:
    """Return what a scenario raises that does not hold."""
    pytest = sys.modules.get("pytest")  # whose `fail` raises what is no `Exception`
    return (Exception,) if pytest is None else (Exception, pytest.fail.Exception)


def _passing() -> tuple[type[BaseException], ...]:
    """Return what pytest raises to say that a test is to end, not that something is wrong."""
    pytest = sys.modules.get("pytest")
    return () if pytest is None else (pytest.exit.Exception, pytest.xfail.Exception)


def _requests(scenario: Scenario, seed: int, *, direct: bool) -> list[tuple[str, int]]:
    """Return the hosts and how many requests each gets when nothing goes wrong."""
    ran = _run(scenario, seed, (), direct=direct)
    if ran.error is not None:
        ran.error.add_note("The scenario fails with no fault at all.")
        raise ran.error
    return [(host.name, len(host.requests) + _BEYOND) for host in ran.world.hosts]


def _plan(
    seed: int, expected: Sequence[tuple[str, int]], kinds: Sequence[MishapKind], count_max: int
) -> list[Mishap]:
    chance = random.Random(f"{seed}:explore")
    plan: dict[tuple[str, int], Mishap] = {}
    for _ in range(chance.randint(1, count_max) if expected else 0):
        name, count = chance.choice(expected)
        mishap = Mishap(host=name, request=chance.randint(1, count), kind=chance.choice(kinds))
        plan.setdefault((name, mishap.request), mishap)
    return sorted(plan.values())


def _befallen(simulation: Simulation) -> Iterator[bool]:
    for host in simulation.hosts:
        for exchange in host.exchanges:
            yield exchange.mishap is not None


def _repeated(simulation: Simulation) -> int:
    return sum(
        len(host.requests) - len({each.message_id for each in host.requests})
        for host in simulation.hosts
    )


def _shrunk(
    scenario: Scenario, plan: list[Mishap], failed: _Ran, *, runs: int, direct: bool
) -> CounterexampleError:
    """Return the counterexample, as small as it gets."""
    best, shrinking, seed = failed, 0, failed.world.seed

    def fails(smaller: Sequence[Mishap]) -> bool:
        nonlocal best, shrinking
        if shrinking >= _SHRINK_RUNS_MAX:
            raise OverError
        shrinking += 1
        ran = _run(scenario, seed, smaller, direct=direct)
        if not ran.kinds & failed.kinds:
            return False
        best = ran
        return True

    smallest = shrink_plan(
        plan,
        steps_of=lambda mishaps: mishaps,
        with_steps=lambda _, mishaps: list(mishaps),
        simpler=_simpler,
        fails=fails,
    )
    assert best.error is not None
    faults = "1 fault is" if len(smallest) == 1 else f"{len(smallest)} faults are"
    story = (
        f"{faults} enough to break it"
        f" (found with seed {seed} in run {runs}, shrunk from {len(plan)} in {shrinking} more).\n\n"
        f"{story_of(best.world, smallest, best.error)}\n\n"
        f"To repeat it: Simulation({seed}, mishaps={_as_code(smallest)}{', direct=True' * direct})"
    )
    found = CounterexampleError(
        seed=seed,
        mishaps=smallest,
        story=story,
        trace=best.world.trace.tail(),
        runs=runs + shrinking,
    )
    found.__cause__ = best.error
    return found


def _simpler(plan: list[Mishap]) -> Iterator[list[Mishap]]:
    """Yield plans of which one fault comes earlier, or is simpler."""
    for at, mishap in enumerate(plan):
        others = plan[:at] + plan[at + 1 :]
        taken = {(each.host, each.request) for each in others}
        for request in range(1, mishap.request):
            if (mishap.host, request) not in taken:
                yield sorted([*others, msgspec.structs.replace(mishap, request=request)])
        for kind in _KINDS[: _KINDS.index(mishap.kind)]:
            yield sorted([*others, msgspec.structs.replace(mishap, kind=kind)])


def _as_code(plan: Sequence[Mishap]) -> str:
    each = (
        f"Mishap(host={mishap.host!r}, request={mishap.request}, kind={mishap.kind.value!r})"
        for mishap in plan
    )
    return f"[{', '.join(each)}]"
