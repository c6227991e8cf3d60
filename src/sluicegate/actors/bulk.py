"""One command for many messages of many endpoints."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.operations import Moved

__all__ = ["for_each_endpoint"]

_Slots = Sequence[Moved | SluicegateError]


async def for_each_endpoint(
    owned: Mapping[str, Sequence[str]],
    ask: Callable[[str, tuple[str, ...]], Awaitable[_Slots]],
    *,
    at_once: int,
) -> dict[str, Moved | SluicegateError]:
    """Ask the owner of each endpoint, all at once, and collect what became of each message.

    An endpoint's messages are asked for in pieces, one after the other, so that its other commands
    come in between. An error of a piece is the answer for each of its messages, and for those of
    the pieces behind it, which are not asked for any more.

    Args:
        owned: endpoint id → ids of some of its messages, in order, without repetitions.
        ask: endpoint id and message ids → a slot for each message.
        at_once: messages of one piece.
    """
    slots: dict[str, Moved | SluicegateError] = {}

    async def one(endpoint_id: str, message_ids: Sequence[str]) -> None:
        for start in range(0, len(message_ids), at_once):
            piece = tuple(message_ids[start : start + at_once])
            try:
                slots.update(zip(piece, await ask(endpoint_id, piece), strict=True))
            except SluicegateError as error:
                slots.update(dict.fromkeys(message_ids[start:], error))
                return

    async with asyncio.TaskGroup() as group:
        for endpoint_id, message_ids in owned.items():
            group.create_task(one(endpoint_id, message_ids))
    return slots
