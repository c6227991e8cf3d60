"""Runs seeds against a planted bug until one turns red."""

import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec

from sluicegate.clock import SystemClock
from sluicegate.simulation.runs import Mode, run

from .catalogue import MUTANTS

__all__ = ["Find", "hunt", "hunters"]


class Find(msgspec.Struct, frozen=True, kw_only=True):
    """What a hunt came to."""

    seed: int | None
    """The first that was red; `None`: none was."""
    rules: tuple[str, ...] = ()
    """Which rules it broke, the one that showed first before the others."""
    text: str = ""
    """What was said first."""
    took_s: float
    """Real seconds, of all its seeds."""


def hunt(name: str | None, seeds_max: int, mode: Mode = "direct") -> Find:
    """Plant the bug called `name` and run seeds from 1 up to the first that is red.

    Args:
        name: of a mutant; `None`: the engine as it is.
        seeds_max: the last seed to run.
        mode: how the seeds are run.
    """
    clock = SystemClock()
    began_s = clock.monotonic_s()
    with nullcontext() if name is None else MUTANTS[name].planted():
        for seed in range(1, seeds_max + 1):
            violations = run(seed, mode=mode).violations
            if violations:
                return Find(
                    seed=seed,
                    rules=tuple(dict.fromkeys(each.rule for each in violations)),
                    text=violations[0].text,
                    took_s=clock.monotonic_s() - began_s,
                )
    return Find(seed=None, took_s=clock.monotonic_s() - began_s)


class Hunters:
    """Hunts in processes of their own, so that no planted bug reaches another hunt."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        """Use an executor."""
        self._executor = executor

    def begin(self, name: str | None, seeds_max: int, mode: Mode = "direct") -> Future[Find]:
        """Begin a hunt: see `hunt`."""
        return self._executor.submit(hunt, name, seeds_max, mode)


@contextmanager
def hunters(jobs: int) -> Iterator[Hunters]:
    """Provide `jobs` processes that hunt; what has not begun is dropped at the end."""
    # pytest imports this module under a name that a new process would not find.
    folder = str(Path(__file__).parents[__name__.count(".")])
    executor = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    sys.path.insert(0, folder)
    try:
        yield Hunters(executor)
    finally:
        sys.path.remove(folder)
        executor.shutdown(cancel_futures=True)
