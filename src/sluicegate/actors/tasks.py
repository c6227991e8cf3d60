"""The tasks that one endpoint's actor has beside its mailbox: reads and writes."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from sluicegate.actors.messages import Crashed
from sluicegate.actors.outstanding import Outstanding
from sluicegate.engine.log import log

__all__ = ["spawn_read", "spawn_write"]


def spawn_read(
    coroutine: Coroutine[Any, Any, None], endpoint_id: str, outstanding: Outstanding
) -> asyncio.Task[None]:
    """Run a read of an endpoint's actor as a task; a bug in it crashes the actor, by message."""
    return asyncio.get_running_loop().create_task(_guarded(coroutine, endpoint_id, outstanding))


def spawn_write(
    coroutine: Coroutine[Any, Any, None], endpoint_id: str, outstanding: Outstanding
) -> None:
    """Run a write as a task that outlives the actor; it must report its end. Else as a read."""
    outstanding.write(_guarded(coroutine, endpoint_id, outstanding))


async def _guarded(
    coroutine: Coroutine[Any, Any, None], endpoint_id: str, outstanding: Outstanding
) -> None:
    try:
        await coroutine
    except Exception as error:  # noqa: BLE001 - a bug of ours crashes the actor, by message
        if not outstanding.report(Crashed(error)):
            log.error("actor.task_failed", endpoint_id=endpoint_id, exc_info=error)
