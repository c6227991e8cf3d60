"""One world at a time: what a world changes, it changes for the whole process."""

import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from sluicegate import verification
from sluicegate.simulation.aiohttp_world import within_time
from sluicegate.simulation.garbage import collected_on_cue
from sluicegate.simulation.logs import traced_logs
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.world import VirtualClock, WallClock

__all__ = ["abandon", "changed_process", "check_alone", "own_folder"]

_OPEN: list[int | str] = []
"""The seed of the world that is open, if one is."""


def check_alone() -> None:
    """Refuse to begin a world beside another one.

    Raises:
        RuntimeError: one is open.
    """
    if _OPEN:
        raise RuntimeError(
            f"the world with seed {_OPEN[0]!r} is still open, and a process has one at a time:"
            " close it first (`with Simulation(...)` does). In a test that calls `explore` or"
            " makes a `Simulation` of its own, leave out the fixture `simulation`."
        )


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """Make a folder, which is removed with everything in it when the context ends."""
    folder = Path(tempfile.mkdtemp(prefix="sluicegate-simulation-", dir=_memory()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def changed_process(seed: int | str, loop: SimulationLoop, wall: WallClock) -> Iterator[None]:
    """Let the process serve one world while the context lasts: its clocks, its log, its garbage.

    Raises:
        RuntimeError: it serves another one.
    """
    check_alone()
    _OPEN.append(seed)
    try:
        with (
            collected_on_cue(),
            within_time(loop, wall),
            _verified_within_time(loop, wall),
            traced_logs(loop.trace),
        ):
            yield
    finally:
        _OPEN.clear()


@contextlib.contextmanager
def _verified_within_time(loop: SimulationLoop, wall: WallClock) -> Iterator[None]:
    """Let receivers that call `sluicegate.verify` read the time at which it was signed.

    By the machine's clock every webhook of a simulation would be long expired.
    """
    before = verification.clock
    verification.clock = VirtualClock(loop, wall)
    try:
        yield
    finally:
        verification.clock = before


def abandon(inside: contextlib.ExitStack, seed: int | str, pid: int) -> None:
    """Clean up after a world that nobody closed and nobody has any more.

    Args:
        inside: what closes it.
        seed: its seed.
        pid: of the process whose it is: a fork has no more than a picture of it.
    """
    if os.getpid() != pid:
        return
    inside.close()
    warnings.warn(f"unclosed simulation, seed {seed!r}", ResourceWarning, stacklevel=2)


def _memory() -> str | None:
    """Return a folder in memory, if there is one: the disk's speed is simulated, too."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder made by mkdtemp
