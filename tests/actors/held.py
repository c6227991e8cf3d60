"""What holds things up until a test lets go."""

import asyncio

from sluicegate.engine.model import EndpointState, PauseReason
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request
from sluicegate.storage import SqliteStorage

from .world import World, answered


class Gate:
    """A receiver that answers nothing until it is told to."""

    def __init__(self, world: World, status: int = 200) -> None:
        self.opened = asyncio.Event()
        self._status = status
        world.sender.answer = self._answer

    async def _answer(self, _request: Request) -> Outcome:
        await self.opened.wait()
        return answered(self._status)


class HeldPauses(SqliteStorage):
    """A storage whose pauses are held up before they are written."""

    entered: asyncio.Event
    held: asyncio.Event

    async def pause(self, endpoint_id: str, *, reason: PauseReason, at_ms: int) -> EndpointState:
        self.entered.set()
        await self.held.wait()
        return await super().pause(endpoint_id, reason=reason, at_ms=at_ms)


async def take_turns(count: int) -> None:
    """Let the loop go round `count` times."""
    for _ in range(count):
        await asyncio.sleep(0)
