"""Waiting until an engine has nothing left to deliver, and saying what it has."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, overload

from sluicegate.app import Engine
from sluicegate.clock import SystemClock
from sluicegate.embedding import SyncEngine
from sluicegate.engine.calls import ProjectCalls
from sluicegate.engine.model import LogEntry
from sluicegate.simulation.bounds import check_seconds
from sluicegate.simulation.settling import unfinished

__all__ = ["DRAIN_S", "drain", "undelivered"]

DRAIN_S = 10.0
"""How long a drain waits on the real clock when it is not told."""

_SHOWN_MAX = 20
_LOOK_FIRST_S = 0.002
_LOOK_LAST_S = 0.1
_GRACE_S = 5.0
"""How much longer than its drain the call of a blocking engine may take."""


@overload
def drain(engine: SyncEngine, timeout_s: float = DRAIN_S) -> None: ...
@overload
def drain(engine: Engine, timeout_s: float = DRAIN_S) -> Coroutine[Any, Any, None]: ...
def drain(
    engine: SyncEngine | Engine, timeout_s: float = DRAIN_S
) -> Coroutine[Any, Any, None] | None:
    """Wait until an engine of the program's own has nothing left but what a pause holds.

    Blocks for a `SyncEngine`; is awaited for an `Engine`, on that one's loop. Not to be taken for
    `Engine.drain`, which begins no more attempts.

    Args:
        engine: one that delivers, on the real clock.
        timeout_s: how long, in seconds.

    Raises:
        AssertionError: something is left by then; the text says what.
        UnavailableError: the engine is closed, or does not answer.
        TypeError: it is another engine, such as the kit's, which have a `drain()` of their own.
        ValueError: `timeout_s` is not from 0 to 100 years.
    """
    __tracebackhide__ = True
    check_seconds("timeout_s", timeout_s)
    if isinstance(engine, SyncEngine):
        return engine._call(  # noqa: SLF001 - one package's: there is no public way for calls that are not an engine's
            lambda within: _drained(within, timeout_s), timeout_s + _GRACE_S
        )
    if not isinstance(engine, Engine):
        raise TypeError(
            f"drain: an `Engine` or a `SyncEngine` is needed, not {type(engine).__name__}:"
            " `webhook_engine` has a `drain()` of its own"
        )
    return _drained(engine, timeout_s)


async def _drained(engine: ProjectCalls, timeout_s: float) -> None:
    __tracebackhide__ = True
    clock = SystemClock()
    deadline_s, look_s = clock.monotonic_s() + timeout_s, _LOOK_FIRST_S
    while left := await unfinished(engine):
        if clock.monotonic_s() >= deadline_s:
            raise AssertionError(undelivered(left, timeout_s))
        await asyncio.sleep(look_s)
        look_s = min(2 * look_s, _LOOK_LAST_S)


def undelivered(left: Sequence[LogEntry], waited_s: float) -> str:
    """Return a text about messages that are still to be delivered."""
    lines = [
        f"  {each.message_id} to {each.endpoint}: {each.status}, {each.attempt_count} attempts,"
        f" last error: {each.last_error or 'none'}"
        for each in left[:_SHOWN_MAX]
    ]
    more = len(left) - len(lines)
    return "\n".join(
        (
            f"after {waited_s:g} s these messages are still to be delivered:",
            *lines,
            *([f"  and {more} more"] if more else []),
        )
    )
