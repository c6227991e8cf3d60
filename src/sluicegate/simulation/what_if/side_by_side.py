"""Several retry schedules, each played in a process of its own."""

import multiprocessing
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

from sluicegate.simulation.what_if.course import Course
from sluicegate.simulation.what_if.run import play
from sluicegate.simulation.what_if.sample import Sample, sample_of
from sluicegate.simulation.what_if.scenario import RetryDelays, Scenario

__all__ = ["compare"]

_LOOK_EVERY_S = 0.2


def compare(
    scenario: Scenario,
    schedules: Sequence[RetryDelays],
    *,
    jobs: int = 1,
    progress: Callable[[float], None] = lambda _: None,
) -> list[Course]:
    """Play a scenario with each schedule; blocks. What comes out does not depend on `jobs`.

    All are played with the same sample, so that they can be compared.

    Args:
        scenario: what is played.
        schedules: one at least.
        jobs: processes at once; with 1 everything is done in this one.
        progress: called now and then with the part that is done, 0 to 1.

    Raises:
        ScenarioError: it cannot be played.
        SettingError: a setting has a value that is not allowed.
    """
    scenario.check()
    sample = sample_of(scenario, schedules)
    for each in schedules:
        scenario.settings_for(each)
    done = [0.0] * len(schedules)

    def tell(number: int, part: float) -> None:
        done[number] = part
        progress(sum(done) / len(done))

    if jobs <= 1 or len(schedules) == 1:
        return [
            play(scenario, each, sample=sample, progress=lambda part, n=number: tell(n, part))  # type: ignore[misc] # bound now
            for number, each in enumerate(schedules)
        ]
    # Not forked: the loop, the database and this process's threads would go along.
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        told: Any = manager.Queue()
        with ProcessPoolExecutor(min(jobs, len(schedules)), mp_context=context) as pool:
            running = [
                pool.submit(_play, scenario, each, sample, number, told)
                for number, each in enumerate(schedules)
            ]
            _follow(running, told, tell)
            return [each.result() for each in running]


def _follow(
    running: Sequence["Future[Course]"],
    told: Any,  # noqa: ANN401 - a proxy
    tell: Callable[[int, float], None],
) -> None:
    """Pass progress on until all have ended, or one has failed."""
    left = set(running)
    while left:
        done, left = wait(left, timeout=_LOOK_EVERY_S, return_when=FIRST_COMPLETED)
        if any(each.exception() is not None for each in done):
            return
        while True:
            try:
                tell(*told.get_nowait())
            except queue.Empty:
                break


def _play(
    scenario: Scenario,
    delays: RetryDelays,
    sample: Sample,
    number: int,
    told: Any,  # noqa: ANN401 - a proxy
) -> Course:
    return play(scenario, delays, sample=sample, progress=lambda part: told.put((number, part)))
