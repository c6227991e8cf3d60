"""aiohttp reads two clocks and draws one number by itself: here they are the simulation's."""

import contextlib
import random
import sys
import types
from collections.abc import Iterator

import aiohttp.client_reqrep
import aiohttp.client_ws
import aiohttp.connector
import aiohttp.helpers
import aiohttp.web_protocol

from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.world import WallClock

__all__ = ["within_time"]


class _AsOnPython311:
    """Stands for `sys` in aiohttp: from 3.12 on it starts tasks of its own before their turn."""

    version_info = (3, 11)

    def __getattr__(self, name: str) -> object:
        """Return what `sys` has."""
        return getattr(sys, name)


_EAGER = (
    vars(aiohttp.client_reqrep),
    vars(aiohttp.client_ws),
    vars(aiohttp.connector),
    vars(aiohttp.web_protocol),
)


@contextlib.contextmanager
def within_time(loop: SimulationLoop, wall: WallClock) -> Iterator[None]:
    """Give aiohttp the simulation's clocks while the context lasts.

    Without it pooled connections would never grow old, and `Date` would tell the real time. It also
    makes its tasks in one way on every Python, so that a seed has one digest.
    """
    connector, helpers = vars(aiohttp.connector), vars(aiohttp.helpers)
    before = connector["monotonic"], connector["random"], helpers["time"]
    connector["monotonic"] = loop.time
    connector["random"] = random.Random(0)
    helpers["time"] = types.SimpleNamespace(
        time=lambda: wall.now_ms() / 1000, gmtime=helpers["time"].gmtime
    )
    for module in _EAGER:
        module["sys"] = _AsOnPython311()
    try:
        yield
    finally:
        for module in _EAGER:
            module["sys"] = sys
        connector["monotonic"], connector["random"], helpers["time"] = before
