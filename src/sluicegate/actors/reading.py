"""What an actor reads: its endpoint's state, and what its window wants."""

import asyncio
from collections.abc import Callable

from sluicegate.actors.messages import WindowLoaded
from sluicegate.actors.outstanding import Outstanding
from sluicegate.actors.window import Wants
from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.model import EndpointState
from sluicegate.engine.ports import Storage

__all__ = ["read_state", "read_window"]

_AGAIN_S = 1.0


async def read_state(
    storage: Storage, endpoint_id: str, *, in_vain: Callable[[UnavailableError], object]
) -> EndpointState | None:
    """Read an endpoint's state, however long storage cannot: that is no fault of the actor.

    Args:
        storage: where it is.
        endpoint_id: whose.
        in_vain: called each time it cannot be read, to answer whoever waits.
    """
    while True:
        try:
            return await storage.load_state(endpoint_id)
        except UnavailableError as error:
            in_vain(error)
            await asyncio.sleep(_AGAIN_S)


async def read_window(
    storage: Storage, endpoint_id: str, wants: Wants, outstanding: Outstanding
) -> None:
    """Read some rows of each order that is wanted, and report them."""
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
