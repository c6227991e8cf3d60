"""The connections of a sender: those that wait for their next request, and all that there are."""

import asyncio
from collections.abc import Callable

from sluicegate.http.outbound.connection import Connection
from sluicegate.http.outbound.deadlines import Deadlines
from sluicegate.http.outbound.sockets import IDLE_S_MAX

__all__ = ["Pool"]

Key = tuple[bool, str, int]


class Pool:
    """Keeps connections, by where they lead. Lives on one loop; nothing here waits.

    The one that was used last is used next, so that the others can grow old. While any is idle one
    timer is set, for all; when none is, nothing is.

    Args:
        loop: the loop.
        now_s: tells the moments, in seconds, on the loop's clock.
        idle_max: how many may be idle; beyond it the oldest ones go, wherever they lead.

    Attributes:
        loop: as given.
        deadlines: when those that are in use expire.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, now_s: Callable[[], float], idle_max: int
    ) -> None:
        self.loop = loop
        self.deadlines = Deadlines(loop)
        self._now_s = now_s
        self._idle_max = idle_max
        self._idle: dict[Key, list[Connection]] = {}
        self._idle_count = 0
        self._all: dict[Connection, None] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def joined(self, connection: Connection) -> None:
        """Hear of a new connection.

        One that never stood, or was given up at that moment, is none: its loop may not say that
        it is gone, and it would be kept for ever. What is gone already is not kept either.
        """
        if connection.open:
            self._all[connection] = None

    def left(self, connection: Connection) -> None:
        """Hear that one is gone. That it is still among the idle ones does no harm."""
        self._all.pop(connection, None)

    def take(self, key: Key) -> Connection | None:
        """Return an idle connection that may be written to at once; `None` if there is none.

        It leaves the pool, and is the taker's to give back or to abort. One that was idle for too
        long, or on which anything has arrived, is ended here.
        """
        idle = self._idle.get(key)
        if idle is None:
            return None
        found: Connection | None = None
        while idle and found is None:
            last = idle.pop()
            self._idle_count -= 1
            if not last.open:
                continue
            if self._now_s() >= last.idle_until_s or not last.is_unheard():
                last.abort()
            else:
                found = last
        if not idle:
            del self._idle[key]
        return found

    def give_back(self, key: Key, connection: Connection, *, used: bool = True) -> None:
        """Keep a connection for the next request.

        Args:
            key: where it leads.
            connection: which one.
            used: whether it is new, or anything was sent since it was taken; else it has been
                idle all the time, as its receiver knows too.
        """
        if used:
            connection.idle_until_s = self._now_s() + IDLE_S_MAX
        idle = self._idle.pop(key, None) or []
        idle.append(connection)
        self._idle[key] = idle  # behind all others: it was used last
        self._idle_count += 1
        if self._idle_count > self._idle_max:
            self._end_one()
        if self._sweep is None:
            self._sweep = self.loop.call_at(connection.idle_until_s, self._drop_old)

    def end_idle(self) -> None:
        """End every idle connection: this machine needs what they hold."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for idle in self._idle.values():
            for each in idle:
                each.abort()
        self._idle.clear()
        self._idle_count = 0

    def close(self) -> None:
        """End every connection, in use or not. Twice is fine."""
        self.end_idle()
        for each in tuple(self._all):
            each.abort()

    def _end_one(self) -> None:
        """End the oldest idle connection to where none was used for the longest time."""
        key, idle = next(iter(self._idle.items()))
        idle.pop(0).abort()
        self._idle_count -= 1
        if not idle:
            del self._idle[key]

    def _drop_old(self) -> None:
        """End what has been idle for too long; O(idle), once in `IDLE_S_MAX`."""
        now_s = self._now_s()
        due_s: float | None = None
        count = 0
        for key, idle in tuple(self._idle.items()):
            kept = []
            for each in idle:
                # One sum, made once: another could round to a moment that never comes.
                if each.idle_until_s <= now_s:
                    each.abort()
                elif each.open:
                    kept.append(each)
            if not kept:
                del self._idle[key]
                continue
            self._idle[key] = kept
            count += len(kept)
            oldest_s = kept[0].idle_until_s
            due_s = oldest_s if due_s is None else min(due_s, oldest_s)
        self._idle_count = count
        self._sweep = None if due_s is None else self.loop.call_at(due_s, self._drop_old)
