"""Removing what has been kept for long enough: payloads first, all the rest with the history."""

import math

from sluicegate.engine.log import log
from sluicegate.engine.ports import Clock, Storage
from sluicegate.engine.ports.retention_storage import KeptFor
from sluicegate.engine.removal_time import removal_ms
from sluicegate.engine.settings import Settings

__all__ = ["Retention"]

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_TOLD_EVERY_S = 60.0
_NOTHING = {
    "payloads_removed": 0,
    "messages_removed": 0,
    "attempts_removed": 0,
    "bytes_removed": 0,
    "bytes_released": 0,
}


class Retention:
    """Sweeps through storage in rounds: removes what is past its time, then gives space back.

    Used on the engine's event loop only, by one caller at a time.
    """

    def __init__(self, storage: Storage, clock: Clock, settings: Settings) -> None:
        """Take the parts; nothing is removed yet."""
        self._storage = storage
        self._clock = clock
        self._kept_for = KeptFor(
            succeeded_ms=settings.retention_succeeded_hours * _HOUR_MS,
            failed_ms=settings.retention_failed_hours * _HOUR_MS,
            history_ms=settings.history_days * _DAY_MS,
        )
        self._at_ms: int | None = None
        """The moment that this round judges by; `None` between rounds."""
        self._position: int | None = None
        self._removing = True
        self._told_at_s = 0.0
        self._progress = dict(_NOTHING)

    async def sweep(self) -> bool:
        """Do one short piece of a round; return whether more of the round remains.

        Cancelled, or when it raises, the next call does the piece again: what was committed of it
        is simply not found any more.

        Raises:
            UnavailableError: storage is full, busy or closed.
        """
        if self._at_ms is None:
            self._begin()
        remains = await (self._remove() if self._removing else self._release())
        now_s = self._clock.monotonic_s()
        if not remains or now_s - self._told_at_s >= _TOLD_EVERY_S:
            self._tell(now_s)
        if not remains:
            self._at_ms = None
        return remains

    async def due_in_s(self) -> float:
        """Return in how many seconds something will be past its time; `math.inf` for never.

        What finishes later is not foreseen.

        Raises:
            UnavailableError: storage is closed, or cannot be read.
        """
        due_ms = await self._storage.next_removal_ms(self._kept_for)
        return math.inf if due_ms is None else (due_ms - removal_ms(self._clock)) / 1000

    def _begin(self) -> None:
        # One moment for the whole round: else it might never come to its end.
        self._at_ms = removal_ms(self._clock)
        self._position = None
        self._removing = True
        self._told_at_s = self._clock.monotonic_s()

    async def _remove(self) -> bool:
        assert self._at_ms is not None
        removed = await self._storage.remove_expired(
            self._kept_for, at_ms=self._at_ms, position=self._position
        )
        self._count(
            payloads_removed=removed.payloads,
            messages_removed=removed.messages,
            attempts_removed=removed.attempts,
            bytes_removed=removed.size_bytes,
        )
        self._position = removed.position
        self._removing = removed.position is not None
        return True

    async def _release(self) -> bool:
        released_bytes, remains = await self._storage.release_space()
        self._count(bytes_released=released_bytes)
        return remains

    def _count(self, **amounts: int) -> None:
        for name, amount in amounts.items():
            self._progress[name] += amount

    def _tell(self, now_s: float) -> None:
        """Log what was done since the last time, if anything was."""
        self._told_at_s = now_s
        if any(self._progress.values()):
            log.info("retention.progressed", **self._progress)
            self._progress = dict(_NOTHING)
