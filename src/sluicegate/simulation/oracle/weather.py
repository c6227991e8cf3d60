"""What could go wrong when: the faults in force, partitions, and the lives of programs."""

import functools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from sluicegate.simulation.faults import CALM, DISK_FAULTS, Faults
from sluicegate.simulation.oracle.history import Event, EventKind

__all__ = ["Weather"]

_DEATHS = (EventKind.CRASHED, EventKind.LOST_POWER, EventKind.STOPPED)
_SLOW_S = 15.0
"""For how long operations that were begun on a slow disk may last: some, one after another."""

_DOWN_S = 600.0
"""How long a receiver that has crashed may stay away: nobody tells of its return."""
_SEEN = (
    "split",
    "server_error",
    "too_many",
    "client_error",
    "slow",
    "interim_flood",
    "cancel",
    "bug",
    *DISK_FAULTS,
)
"""Faults in spite of which a receiver sees each attempt, and its answer arrives."""
_RATES = tuple(name for name in Faults.__struct_fields__ if name != "latency_s")
_HIDING = tuple(name for name in _RATES if name not in _SEEN)


class _Span(msgspec.Struct, frozen=True):
    from_s: float
    to_s: float
    host: str
    faults: Faults = CALM

    def touches(self, from_s: float, to_s: float, host: str) -> bool:
        return self.from_s <= to_s and from_s <= self.to_s and self.host in {"", host}


class Weather:
    """The tester's own doings, asked for by stretches of time.

    All answers are the worst that may have been: a fault that was in force for a moment of a
    stretch counts as in force, and one of a single host adds to those of everywhere.

    Attributes:
        ends_s: the last moment that an event tells of.
        settled_s: when everything had had its time; `None` if that never came.
        jumps: moments at which the wall clock was set anew.
    """

    def __init__(self, events: Sequence[Event], *, receivers: frozenset[str]) -> None:
        """Take the events in order of time, and the names of the hosts that receive."""
        self.ends_s = max((event.at_s for event in events), default=0.0)
        self.settled_s = next(
            (event.at_s for event in reversed(events) if event.kind is EventKind.SETTLED), None
        )
        self.jumps = [event.at_s for event in events if event.kind is EventKind.CLOCK_JUMPED]
        self._deaths = [event.at_s for event in events if event.kind in _DEATHS]
        self._starts = [event.at_s for event in events if event.kind is EventKind.STARTED]
        self._receiver_deaths = [
            (event.at_s, event.host) for event in events if event.kind is EventKind.RECEIVER_CRASHED
        ]
        self._faults: list[_Span] = []
        self._partitions: list[_Span] = []
        self._full: list[_Span] = []
        self._read(events, receivers)
        self.worst = functools.lru_cache(maxsize=4096)(self._worst)

    def _read(self, events: Sequence[Event], receivers: frozenset[str]) -> None:
        """Turn events that begin and end something into spans."""
        for index, event in enumerate(events):
            host = event.host if event.host in receivers else ""
            later = events[index + 1 :]
            healed = next((e.at_s for e in later if e.kind is EventKind.HEALED), math.inf)
            match event.kind:
                case EventKind.PARTED:
                    self._partitions.append(_Span(event.at_s, healed, host))
                case EventKind.DISK_FULL:
                    has_room = (e.at_s for e in later if e.kind is EventKind.DISK_HAS_ROOM)
                    room_s = next(has_room, math.inf)
                    # What waited for room is written some seconds later.
                    ended = healed if healed <= room_s else room_s + _SLOW_S
                    self._full.append(_Span(event.at_s, ended, ""))
                case EventKind.TAKEN_OVER:
                    starts = (e.at_s for e in later if e.kind is EventKind.STARTED)
                    self._full.append(_Span(event.at_s, next(starts, math.inf), ""))
                case EventKind.FAULTS if event.faults is not None:
                    others = (
                        e.at_s for e in later if e.kind is EventKind.FAULTS and e.host == event.host
                    )
                    ended = min(healed, next(others, math.inf))
                    self._faults.append(_Span(event.at_s, ended, host, event.faults))
                case _:
                    pass

    def _worst(self, from_s: float, to_s: float, host: str = "") -> Faults:
        """Return the highest rate of each fault in force at some moment of a stretch."""
        met = (s.faults for s in self._faults if s.touches(from_s, to_s, host))
        return _worst_of(tuple(dict.fromkeys((CALM, *met))))

    def partition_since(self, from_s: float, to_s: float, host: str) -> float | None:
        """Return when the earliest partition from a host began that touches a stretch."""
        touching = [p.from_s for p in self._partitions if p.touches(from_s, to_s, host)]
        return min(touching, default=None)

    def disk_fails(self, from_s: float, to_s: float) -> bool:
        """Return whether a write may have failed, or taken long."""
        faults = self.worst(from_s, to_s, "")
        if self.worst(from_s - _SLOW_S, to_s, "").slow_disk:
            return True  # what is slow goes on, whatever the weather is by then
        return _has_any(faults, DISK_FAULTS) or any(
            span.touches(from_s, to_s, "") for span in self._full
        )

    def troubled_until(self, to_s: float, host: str | None = None) -> float:
        """Return when something last was wrong up to a moment; 0 if nothing was.

        Args:
            to_s: the moment.
            host: of receivers, only this one counts; by default any does.
        """
        spans = [*self._partitions, *self._full]
        spans += [span for span in self._faults if _has_any(span.faults, _RATES)]
        return self._until(to_s, host, [*self._deaths, *self._starts], spans)

    def hidden_until(self, to_s: float, host: str | None) -> float:
        """Return until when attempts may have come to nothing that a receiver saw, or answered.

        Args:
            to_s: up to this moment; 0 if there were none.
            host: to this receiver; `None`: to any.
        """
        hiding = [span for span in self._faults if _has_any(span.faults, _HIDING)]
        return self._until(to_s, host, [], [*self._partitions, *hiding])

    def host_troubled_until(self, to_s: float, *, bugs_last_s: float) -> float:
        """Return until when, up to a moment, something kept the engine's own host from its work.

        Its process had ended, its disk failed or was slow, or our own code had bugs.

        Args:
            to_s: the moment.
            bugs_last_s: for how long the bugs of an attempt may be felt that began among them.
        """
        found = [at for at in (*self._deaths, *self._starts) if at <= to_s]
        found += [span.to_s for span in self._full if span.from_s <= to_s]
        for span in self._faults:
            if span.from_s <= to_s and span.host == "":
                if _has_any(span.faults, DISK_FAULTS):
                    found.append(span.to_s + _SLOW_S)
                if span.faults.bug:
                    found.append(span.to_s + bugs_last_s)
        return max(found, default=0.0)

    def disk_well_after(self, at_s: float) -> float:
        """Return when the disk did all that it was asked to by `at_s`; infinity: perhaps never."""
        spans = [(s.from_s, s.to_s) for s in self._full]
        spans += [
            (s.from_s, s.to_s + _SLOW_S) for s in self._faults if _has_any(s.faults, DISK_FAULTS)
        ]
        for from_s, to_s in sorted(spans):
            if from_s - 1 <= at_s < to_s:
                at_s = to_s
        return at_s

    def ends_life(self, from_s: float, to_s: float) -> bool:
        """Return whether the engine's process may have ended, or begun, within a stretch.

        A process that ends by itself (after a failed sync) is seen by its successor's start.
        """
        return _any_within(self._deaths, from_s, to_s) or _any_within(self._starts, from_s, to_s)

    def death_after(self, at_s: float) -> float:
        """Return when the engine's process ended next; infinity if it did not."""
        index = bisect_left(self._deaths, at_s)
        found = self._deaths[index] if index < len(self._deaths) else math.inf
        # Of a process that ended by itself, its successor tells.
        index = bisect_right(self._starts, at_s)
        return min(found, self._starts[index] if index < len(self._starts) else math.inf)

    def last_start_before(self, at_s: float) -> float:
        """Return when the last life began that had begun by a moment; 0 if none had."""
        index = bisect_right(self._starts, at_s)
        return self._starts[index - 1] if index else 0.0

    def receiver_death(self, from_s: float, to_s: float, host: str) -> float | None:
        """Return when a receiver first died within a stretch."""
        died = (at for at, name in self._receiver_deaths if name in {"", host})
        return next((at for at in died if from_s <= at <= to_s), None)

    def may_be_down(self, from_s: float, to_s: float, host: str) -> bool:
        """Return whether a receiver may have been away at some moment of a stretch."""
        return self.receiver_death(from_s - _DOWN_S, to_s, host) is not None

    def _until(
        self, to_s: float, host: str | None, moments: Sequence[float], spans: Iterable[_Span]
    ) -> float:
        """Return when the last of these was, or of the receivers' deaths; cut off at `to_s`."""
        died = (at for at, name in self._receiver_deaths if host is None or name in {"", host})
        found = [at for at in (*moments, *died) if at <= to_s]
        found += [
            min(span.to_s, to_s)
            for span in spans
            if span.from_s <= to_s and (host is None or span.host in {"", host})
        ]
        return max(found, default=0.0)


def _has_any(faults: Faults, rates: Iterable[str]) -> bool:
    return any(getattr(faults, rate) for rate in rates)


def _any_within(moments: list[float], from_s: float, to_s: float) -> bool:
    return bisect_left(moments, from_s) < bisect_right(moments, to_s)


@functools.lru_cache(maxsize=1024)
def _worst_of(met: tuple[Faults, ...]) -> Faults:
    """Return the highest rate of each fault. Few differ in a run, and it is asked often."""
    rates = {name: max(getattr(faults, name) for faults in met) for name in _RATES}
    latency_s = (min(f.latency_s[0] for f in met), max(f.latency_s[1] for f in met))
    return Faults(latency_s=latency_s, **rates)
