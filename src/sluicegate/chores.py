"""Periodic work in the background: one loop, one piece at a time, so that deliveries go on.

A chore is work that is due again and again: removing what is past its retention, packing counters,
running export jobs. It is done in *pieces*, each small (a bounded write, a bounded read). After
each piece the loop rests three times as long as it took, and then the chore that has been due
longest has its turn: no chore keeps another waiting, and with pieces that are short all of them
together take at most a quarter of the one writer's time.

When a round has left nothing to do, what is due next is a matter of time alone until something is
written. So a chore may say when that is, and is left alone until then: a process at rest does
nothing. `stir` tells that something was written.
"""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.log import log

__all__ = ["Chore", "Chores"]

_FIRST_S = 1.0
"""After the start everything that waits is delivered first."""
_RESTS = 3
_REST_MIN_S = 0.005
_REST_MAX_S = 1.0
_LOOKS_EVERY_S = 3600.0
"""However long a chore says that nothing will be due: a clock may be set."""
_AGAIN_S = 60.0
"""When a chore that failed has another try: at the latest if storage was only unavailable, at the
earliest if it is a bug of ours, which would fill the log."""


class Chore(msgspec.Struct, frozen=True, kw_only=True):
    """Work that is due every so often."""

    name: str
    """Unique among those of one engine; it stands in the log."""
    period_s: float
    """Seconds from the end of a round (nothing was left to do) to the next; with `due_in_s`, from
    when something was written."""
    piece: Callable[[], Awaitable[bool]]
    """Do one bounded piece of work, and return whether more remains to be done at once. It runs on
    the event loop and must not block it. It may be cancelled at any `await`, and started anew."""
    due_in_s: Callable[[], Awaitable[float]] | None = None
    """Asked at the end of a round: in how many seconds there will be something to do, if nothing is
    written meanwhile; `math.inf` for never. Raises what a piece may raise."""


class Chores:
    """Runs chores from `start` to `stop`. Used on one event loop only.

    A piece that raises `UnavailableError` (full disk, busy file) is tried again later; one that
    raises anything else is a bug, which is logged with its traceback, and the others go on.
    """

    def __init__(self, chores: Iterable[Chore]) -> None:
        """Take the chores; nothing is started yet."""
        self._chores = {chore.name: chore for chore in chores}
        self._due_s = dict.fromkeys(self._chores, math.inf)
        self._hastened = asyncio.Event()
        self._waits_until_s = -math.inf
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin, unless stopped; every chore is due for the first time a second later."""
        if self._stopped or self._task is not None:
            return
        now_s = asyncio.get_running_loop().time()
        self._due_s = {name: min(due_s, now_s + _FIRST_S) for name, due_s in self._due_s.items()}
        self._task = asyncio.create_task(self._run(), name="sluicegate-chores")

    def hasten(self, name: str) -> None:
        """Make a chore due at once: there is work for it. A piece that runs now is not the last.

        Raises:
            KeyError: there is no such chore.
        """
        assert name in self._due_s, name
        self._due_s[name] = -math.inf
        self._hastened.set()

    def stir(self) -> None:
        """Tell that something was written: each chore looks within its period. Cheap."""
        now_s = asyncio.get_running_loop().time()
        for name, chore in self._chores.items():
            if self._due_s[name] > now_s + chore.period_s:
                self._due_s[name] = now_s + chore.period_s
                if self._due_s[name] < self._waits_until_s:
                    self._hastened.set()

    def stop(self) -> None:
        """Begin no further piece, and cancel the one that runs. Twice is fine."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Stop, and wait until the piece that ran has ended. Twice is fine."""
        self.stop()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while self._chores:
            name = min(self._due_s, key=self._due_s.__getitem__)
            if await self._is_due(name):
                await asyncio.sleep(await self._do_piece(self._chores[name]))

    async def _is_due(self, name: str) -> bool:
        """Wait until a chore is due; return `False` when another one may be due before it."""
        self._hastened.clear()
        due_s = self._waits_until_s = self._due_s[name]
        loop = asyncio.get_running_loop()
        if due_s > loop.time():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due_s):
                    await self._hastened.wait()
                    return False
        self._waits_until_s = -math.inf
        return True

    async def _do_piece(self, chore: Chore) -> float:
        """Do a piece, set when the chore is due again, and return how long to rest."""
        loop = asyncio.get_running_loop()
        self._due_s[chore.name] = math.inf
        begun_s = loop.time()
        try:
            wait_s = 0.0 if await chore.piece() else await _rest_s(chore)
        except UnavailableError as error:
            log.info("chore.postponed", chore=chore.name, reason=error.message)
            wait_s = min(chore.period_s, _AGAIN_S)
        except Exception as error:  # noqa: BLE001 - a bug in one chore must not end the others
            log.error("chore.failed", chore=chore.name, exc_info=error)
            wait_s = max(chore.period_s, _AGAIN_S)
        ended_s = loop.time()
        # If it was hastened meanwhile it is due at once.
        self._due_s[chore.name] = min(self._due_s[chore.name], ended_s + wait_s)
        return min(max(_RESTS * (ended_s - begun_s), _REST_MIN_S), _REST_MAX_S)


async def _rest_s(chore: Chore) -> float:
    """Return how long a chore rests after a round."""
    if chore.due_in_s is None:
        return chore.period_s
    return min(max(await chore.due_in_s(), chore.period_s), _LOOKS_EVERY_S)
