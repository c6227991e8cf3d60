"""Letting a world come to rest, and telling what did not."""

from collections.abc import Iterable

import msgspec

from sluicegate.engine.calls import ProjectCalls
from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import LogEntry
from sluicegate.engine.settings import Settings
from sluicegate.simulation.engine_host import EngineHost, HostDownError
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.receivers import ReceiverHost

__all__ = ["UNFINISHED", "Raised", "Settled", "longest_cycle_s", "settle", "unfinished"]

UNFINISHED = (MessageStatus.QUEUED, MessageStatus.DELIVERING, MessageStatus.PENDING_RETRY)
_LISTED_MAX = 500
_ATTEMPT_S = 60.0
_SLACK_S = 60.0
_LOOK_FIRST_S = 1.0
_LOOK_LAST_S = 600.0


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """An exception of a receiver's application."""

    host: str
    """The receiver's name."""
    error: BaseException


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What a world came to that was given time to come to rest."""

    took_s: float
    """Virtual seconds until nothing was left to do, or until the limit."""
    unfinished: tuple[LogEntry, ...]
    """Messages that the engine has still to deliver, as its log shows them: queued, in flight or
    waiting on a retry; at most 500 of each, the newest. What a pause holds is not among them."""

    raised: tuple[Raised, ...] = ()
    """What receivers' applications raised since the world began, those of each in order: the
    engine took it for a 500, or heard nothing of it, and delivered again what it could."""

    @property
    def finished(self) -> bool:
        """Whether nothing was left to do."""
        return not self.unfinished


def longest_cycle_s(settings: Settings) -> float:
    """Return how long a message's attempts can take by the schedule, in seconds.

    That is every delay at its longest, attempts that take a minute each, one `Retry-After` at its
    longest, which a receiver may have asked for before it was well again, and a minute for the
    engine to come up. Not counted is what a message waits for others: for its turn on an endpoint
    that is ordered, limited in its rate, or has an open circuit.
    """
    slow, fast = settings.retry_slow_s, settings.retry_fast_s
    delays_s = [
        max(slow[min(nth, len(slow)) - 1], fast[min(nth, len(fast)) - 1])
        for nth in range(1, settings.attempts_max)
    ]
    return (
        sum(delays_s) * (1 + settings.retry_jitter)
        + settings.attempts_max * _ATTEMPT_S
        + settings.retry_after_max_s
        + _SLACK_S
    )


def settle(
    loop: SimulationLoop,
    host: EngineHost,
    limit_s: float,
    *,
    receivers: Iterable[ReceiverHost] = (),
) -> Settled:
    """Let time pass until the engine has nothing left to deliver, or `limit_s` is over.

    It is asked now and then, at first after a second, then ever less often.

    Raises:
        HostDownError: it is down at the end of the time.
    """
    began_s = loop.time()
    step_s = _LOOK_FIRST_S
    while True:
        left = loop.run(_unfinished(host))
        took_s = loop.time() - began_s
        if left is not None and (not left or took_s >= limit_s):
            raised = [
                Raised(host=each.name, error=error) for each in receivers for error in each.problems
            ]
            return Settled(took_s=took_s, unfinished=tuple(left), raised=tuple(raised))
        if took_s >= limit_s:
            raise HostDownError(f"{host.name} is not up after {took_s:g} s")
        loop.advance(min(step_s, limit_s - took_s))
        step_s = min(2 * step_s, _LOOK_LAST_S)


async def _unfinished(host: EngineHost) -> list[LogEntry] | None:
    """Return what is left to do; `None` if the engine could not be asked."""
    try:
        return await host.call(unfinished)
    except (HostDownError, UnavailableError):
        return None


async def unfinished(engine: ProjectCalls) -> list[LogEntry]:
    """Return what an engine has to deliver: at most 500 messages of each status, the newest.

    Between the reads of two statuses a message may change from one to the other, and be seen in
    neither. So nothing is left only if nothing is among all messages either, of which each is
    read once.
    """
    found: list[LogEntry] = []
    for status in UNFINISHED:
        found += (await engine.list_logs(status=status, limit=_LISTED_MAX)).items
    if found:
        return found
    cursor: str | None = None
    while True:
        page = await engine.list_logs(limit=_LISTED_MAX, cursor=cursor)
        found = [each for each in page.items if each.status in UNFINISHED]
        cursor = page.next_cursor
        if found or cursor is None:
            return found
