"""Looking for the few faults that break somebody's receiver."""

import contextlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from sluicegate.simulation.receivers import Mishap, MishapKind
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


class _Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A run whose scenario did not hold."""

    error: Exception
    story: str
    trace: list[str]


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
        Exception: what the scenario raises without any fault.
    """
    assert mishaps_max >= 1, mishaps_max
    runs = mishaps = repeated = 0
    expected: list[tuple[str, int]] = []
    for seed in seeds:
        if not expected:
            expected = _requests(scenario, Simulation(seed, direct=direct))
        plan = _plan(seed, expected, kinds, mishaps_max)
        runs += 1
        with _world(seed, plan, direct=direct) as simulation:
            failure = _failure(scenario, simulation, plan)
            mishaps += sum(_befallen(simulation))
            repeated += _repeated(simulation)
        if failure is not None:
            raise _shrunk(scenario, seed, plan, failure, runs=runs, direct=direct) from (
                failure.error
            )
    return Explored(runs=runs, mishaps=mishaps, repeated=repeated)


@contextlib.contextmanager
def _world(seed: int, plan: Sequence[Mishap], *, direct: bool) -> Iterator[Simulation]:
    """Make a world whose mishaps may find no host: a scenario can fail before it makes one."""
    with contextlib.closing(Simulation(seed, mishaps=plan, direct=direct)) as simulation:
        yield simulation
    simulation.loop.check()


def _requests(scenario: Scenario, world: Simulation) -> list[tuple[str, int]]:
    """Return the hosts and how many requests each gets when nothing goes wrong."""
    with world as simulation:
        try:
            scenario(simulation)
        except Exception as error:
            error.add_note("The scenario fails with no fault at all.")
            raise
        return [(host.name, len(host.requests) + _BEYOND) for host in simulation.hosts]


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


def _failure(scenario: Scenario, simulation: Simulation, plan: Sequence[Mishap]) -> _Failure | None:
    try:
        scenario(simulation)
    except Exception as error:  # noqa: BLE001 - whatever it raises, it did not hold
        story = story_of(simulation, plan, error)
        return _Failure(error=error, story=story, trace=simulation.trace.tail())
    return None


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
    scenario: Scenario,
    seed: int,
    plan: list[Mishap],
    failure: _Failure,
    *,
    runs: int,
    direct: bool,
) -> CounterexampleError:
    """Return the counterexample, as small as it gets."""
    at_first = len(plan)
    shrinking, progress = 0, True
    while progress and shrinking < _SHRINK_RUNS_MAX:
        progress = False
        for smaller in _smaller(plan):
            shrinking += 1
            with _world(seed, smaller, direct=direct) as simulation:
                found = _failure(scenario, simulation, smaller)
            if found is not None and type(found.error) is type(failure.error):
                plan, failure, progress = smaller, found, True
                break
            if shrinking >= _SHRINK_RUNS_MAX:
                break
    faults = "1 fault is" if len(plan) == 1 else f"{len(plan)} faults are"
    story = (
        f"{faults} enough to break it"
        f" (found with seed {seed} in run {runs}, shrunk from {at_first} in {shrinking} more).\n\n"
        f"{failure.story}\n\n"
        f"To repeat it: Simulation({seed}, mishaps={_as_code(plan)}{', direct=True' * direct})"
    )
    return CounterexampleError(
        seed=seed, mishaps=plan, story=story, trace=failure.trace, runs=runs + shrinking
    )


def _smaller(plan: list[Mishap]) -> Iterator[list[Mishap]]:
    """Yield plans that are simpler than `plan`, the simplest first."""
    for at in range(len(plan)):
        yield plan[:at] + plan[at + 1 :]
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
