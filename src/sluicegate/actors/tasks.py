"""The tasks that one endpoint's actor has beside its mailbox: reads and writes."""

import asyncio
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any

from sluicegate.actors.messages import Crashed
from sluicegate.actors.outstanding import Outstanding
from sluicegate.engine.log import log

__all__ = ["Begun", "report_bug", "spawn_read", "spawn_write"]


def spawn_read(
    coroutine: Coroutine[Any, Any, None], endpoint_id: str, outstanding: Outstanding
) -> asyncio.Task[None]:
    """Run a read of an endpoint's actor as a task; a bug in it crashes the actor, by message."""
    return asyncio.get_running_loop().create_task(_guarded(coroutine, endpoint_id, outstanding))


def spawn_write(
    coroutine: Coroutine[Any, Any, None], endpoint_id: str, outstanding: Outstanding
) -> None:
    """Run a write as a task that outlives the actor; it must report its end. Else as a read.

    It begins at once, up to where it waits: the gate that a pause has shut is open again only
    when the write has ended, and its asker waits as long.
    """
    begun = Begun(_guarded(coroutine, endpoint_id, outstanding))
    if not begun.ended:
        outstanding.write(begun.go_on())


class Begun:
    """A coroutine that has run up to where it waits, and goes on as a task.

    As `asyncio.Task(..., eager_start=True)` has it from Python 3.12 on. Until it waits it runs in
    its caller's task, so it must not be of the kind that asks for its own, as `asyncio.timeout`.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run it up to where it waits."""
        self._coroutine = coroutine
        self.ended = False
        try:
            self._awaited = coroutine.send(None)
        except StopIteration:
            self.ended = True

    async def go_on(self) -> None:
        """Run the rest."""
        await self

    def __await__(self) -> Generator[Any, Any, None]:
        """Wait for what it waits for, and run it on, until it has ended."""
        awaited = self._awaited
        while True:
            try:
                sent = yield awaited
            except BaseException as exc:  # noqa: BLE001 - it is the coroutine's, a cancellation too
                step = partial(self._coroutine.throw, exc)
            else:
                step = partial(self._coroutine.send, sent)
            try:
                awaited = step()
            except StopIteration:
                return


async def _guarded(
    coroutine: Coroutine[Any, Any, None], endpoint_id: str, outstanding: Outstanding
) -> None:
    try:
        await coroutine
    except Exception as error:  # noqa: BLE001 - a bug of ours crashes the actor, by message
        report_bug(error, endpoint_id, outstanding)


def report_bug(error: Exception, endpoint_id: str, outstanding: Outstanding) -> None:
    """Let a bug in what an actor has under way crash it, by message."""
    if not outstanding.report(Crashed(error)):
        log.error("actor.task_failed", endpoint_id=endpoint_id, exc_info=error)
