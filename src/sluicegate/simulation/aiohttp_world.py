"""aiohttp reads two clocks and draws one number by itself: here they are the simulation's."""

import contextlib
import random
import types
from collections.abc import Iterator

import aiohttp.connector
import aiohttp.helpers

from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.world import WallClock

__all__ = ["within_time"]


@contextlib.contextmanager
def within_time(loop: SimulationLoop, wall: WallClock) -> Iterator[None]:
    """Give aiohttp the simulation's clocks while the context lasts.

    Without it pooled connections would never grow old, and `Date` would tell the real time.
    """
    connector, helpers = vars(aiohttp.connector), vars(aiohttp.helpers)
    before = connector["monotonic"], connector["random"], helpers["time"]
    connector["monotonic"] = loop.time
    connector["random"] = random.Random(0)
    helpers["time"] = types.SimpleNamespace(
        time=lambda: wall.now_ms() / 1000, gmtime=helpers["time"].gmtime
    )
    try:
        yield
    finally:
        connector["monotonic"], connector["random"], helpers["time"] = before
