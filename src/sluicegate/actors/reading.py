"""What an actor reads: its endpoint's state, and what its window wants."""

import asyncio
from collections.abc import Callable

from sluicegate.actors.messages import Loaded, WindowLoaded
from sluicegate.actors.outstanding import Outstanding
from sluicegate.actors.tasks import spawn_read
from sluicegate.actors.window import Wants
from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.ports import Storage

__all__ = ["begin_read_of_state", "begin_read_of_window"]

_AGAIN_S = 1.0


def begin_read_of_state(
    storage: Storage,
    endpoint_id: str,
    outstanding: Outstanding,
    *,
    in_vain: Callable[[UnavailableError], object],
) -> asyncio.Task[None]:
    """Read an endpoint's state as soon as every write of it has ended, and report it (`Loaded`).

    It takes however long storage cannot: that is no fault of the actor.

    Args:
        storage: where it is.
        endpoint_id: whose.
        outstanding: the writes that are waited for; whose actor is told.
        in_vain: called each time it cannot be read, to answer whoever waits.
    """
    read = _read_state(storage, endpoint_id, outstanding, in_vain)
    return spawn_read(read, endpoint_id, outstanding)


def begin_read_of_window(
    storage: Storage, endpoint_id: str, outstanding: Outstanding, wants: Wants
) -> asyncio.Task[None]:
    """Read some rows of each order that is wanted, and report them (`WindowLoaded`)."""
    return spawn_read(
        _read_window(storage, endpoint_id, outstanding, wants), endpoint_id, outstanding
    )


async def _read_state(
    storage: Storage,
    endpoint_id: str,
    outstanding: Outstanding,
    in_vain: Callable[[UnavailableError], object],
) -> None:
    await outstanding.written()
    while True:
        try:
            state = await storage.load_state(endpoint_id)
        except UnavailableError as error:
            in_vain(error)
            await asyncio.sleep(_AGAIN_S)
        else:
            outstanding.report(Loaded(state))
            return


async def _read_window(
    storage: Storage, endpoint_id: str, outstanding: Outstanding, wants: Wants
) -> None:
    queued = due = in_order = None
    failed = False
    try:
        if wants.queued_after is not None:
            queued = await storage.load_queued(
                endpoint_id, after_seq=wants.queued_after, limit=wants.limit
            )
        if wants.due_limit is not None:
            due = await storage.load_retries_due(endpoint_id, limit=wants.due_limit)
        if wants.in_order_after is not None:
            in_order = await storage.load_retries_in_order(
                endpoint_id,
                after_seq=wants.in_order_after,
                below_release_no=wants.below_release_no,
                limit=wants.limit,
            )
    except UnavailableError:
        failed = True
    outstanding.report(
        WindowLoaded(wants=wants, queued=queued, due=due, in_order=in_order, failed=failed)
    )
