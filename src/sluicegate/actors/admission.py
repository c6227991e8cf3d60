"""How endpoints that have work come into memory: read in groups, and only so many at once.

Theory of operation
===================

Work for an endpoint that has no actor puts it in a line. The head of the line is read as one
group, states and heads of backlogs together; while a group is read the next one gathers, as
with group commits. So it costs one read whether one endpoint comes or sixty-four, however many
come the first of them are delivered to at once, and what waits in line costs its name. The next
group is not read before the actors of this one have begun: else they would gather.

There is room for `ACTORS_MAX` actors, or for four times as many as attempts may be in flight.
When three quarters are taken, by actors or by those in line, an actor that has nothing to do goes
at once, and whoever comes next has its memory while that is still in the caches; while others
wait in line for want of room, one that has had a turn begins no further attempt, goes when those in
flight are recorded, and stands at the back of the line if more waits for it. Hence everybody has
a turn, whatever the number of endpoints and of what waits for each.

A command does not stand in line. The more actors there are, the less of its backlog each holds.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sized
from typing import NamedTuple

from sluicegate.actors.parts import Parts
from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.log import log
from sluicegate.engine.ports import Head

__all__ = ["Admission", "Admitted"]

ACTORS_MAX = 16_384
_PER_FLIGHT = 4
_GROUP_MAX = 64
_HEAD_MAX = 8
"""Of a long backlog the head is enough to begin: the rest of a window costs less by itself."""
_ROWS = 8192
"""How many waiting messages of each order all actors together should hold in memory."""
_ROWS_MIN = 2


class Admitted(NamedTuple):
    """An endpoint that is let in."""

    endpoint_id: str
    head: Head | None
    """What was read of it; `None`: nothing could be."""
    window: int
    """How many messages of each order it may hold."""
    again: bool
    """There was further work for it meanwhile."""


class Admission:
    """The line before the directory. Used on the event loop only."""

    def __init__(
        self, parts: Parts, *, actors: Sized, admitted: Callable[[Admitted], None]
    ) -> None:
        """Let nobody in yet.

        Args:
            parts: where endpoints are read, and the settings.
            actors: those that there are.
            admitted: makes one more.
        """
        self._parts = parts
        self._actors = actors
        self._admitted = admitted
        in_flight_max = parts.settings.in_flight_max + parts.settings.in_flight_late_max
        self._actors_max = max(ACTORS_MAX, _PER_FLIGHT * in_flight_max)
        self._line: OrderedDict[str, None] = OrderedDict()  # whose first item is found at once
        self._group: dict[str, bool] = {}
        """What is being read, and whether there was further work meanwhile."""
        self._task: asyncio.Task[None] | None = None

    @property
    def crowded(self) -> bool:
        """Whether actors that have nothing to do should go."""
        return (len(self._actors) + len(self._line)) * 4 > self._actors_max * 3

    @property
    def others_wait(self) -> bool:
        """Whether somebody waits for the place of an actor that has had its turn."""
        return bool(self._line) and len(self._actors) >= self._actors_max

    @property
    def window(self) -> int:
        """How many messages of each order one more actor may hold."""
        share = _ROWS // (len(self._actors) + len(self._group) + 1)
        return min(self._parts.settings.window, max(share, _ROWS_MIN))

    def ask(self, endpoint_id: str) -> None:
        """Stand in line: there is work for an endpoint without an actor."""
        if endpoint_id in self._group:
            self._group[endpoint_id] = True
        else:
            self._line[endpoint_id] = None
            self.go_on()

    def withdraw(self, endpoint_id: str) -> None:
        """Leave the line, or the group: the endpoint has an actor, which reads for itself."""
        self._line.pop(endpoint_id, None)
        self._group.pop(endpoint_id, None)

    def go_on(self) -> None:
        """Begin to read if somebody waits and there is room."""
        if self._task is None and self._line and len(self._actors) < self._actors_max:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def cancel(self) -> None:
        """Let nobody in any more."""
        self._line.clear()
        self._group.clear()
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            while self._line and (room := self._actors_max - len(self._actors)) > 0:
                await self._read_group(min(room, _GROUP_MAX))
                await self._parts.pacer.actors.caught_up()
        finally:
            self._task = None

    async def _read_group(self, size: int) -> None:
        window = self.window
        ids = [self._line.popitem(last=False)[0] for _ in range(min(size, len(self._line)))]
        self._group = dict.fromkeys(ids, False)
        heads: dict[str, Head] | None = None
        try:
            heads = await self._parts.storage.load_heads(ids, limit=min(window, _HEAD_MAX))
        except UnavailableError:
            pass  # each reads for itself, for as long as it takes
        except Exception as error:  # noqa: BLE001 - logged; each endpoint of the group reads for itself
            log.error("admission.failed", exc_info=error)
        group, self._group = self._group, {}
        for endpoint_id, again in group.items():
            head = None if heads is None else heads.get(endpoint_id)
            if head is not None or heads is None:  # else there is no such endpoint
                self._admitted(Admitted(endpoint_id, head, window, again))
