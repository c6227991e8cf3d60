"""Runs seeds against a planted bug until one turns red."""

from collections.abc import Iterable

import msgspec

from sluicegate.simulation.runs.runner import Mode, run

from .catalogue import MUTANTS

__all__ = ["Find", "hunt"]


class Find(msgspec.Struct, frozen=True, kw_only=True):
    """What a hunt came to."""

    mutant: str
    seed: int | None
    """The first that was red; `None`: none was."""
    runs: int
    rules: tuple[str, ...] = ()
    """Which rules it broke, in the order of their names."""
    texts: tuple[str, ...] = ()
    """What was said of the first few."""


def hunt(name: str, seeds: Iterable[int], *, mode: Mode = "direct") -> Find:
    """Plant the bug called `name` and run seeds in order, up to the first that is red."""
    runs = 0
    with MUTANTS[name].planted():
        for seed in seeds:
            runs += 1
            over = run(seed, mode=mode)
            if over.violations:
                return Find(
                    mutant=name,
                    seed=seed,
                    runs=runs,
                    rules=tuple(sorted(over.rules)),
                    texts=tuple(each.text for each in over.violations[:3]),
                )
    return Find(mutant=name, seed=None, runs=runs)
