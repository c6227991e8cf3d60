"""Bugs of our own, on purpose: what an endpoint's actor must survive."""

import random
from collections.abc import Callable

from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request, Sender
from sluicegate.http.outbound.aiohttp_sender import AiohttpSender
from sluicegate.http.outbound.lean_sender import LeanSender
from sluicegate.simulation.faults import Faults

__all__ = ["BugError", "BuggySender"]


class BugError(Exception):
    """What nobody expected."""


class BuggySender:
    """A sender that raises now and then, before or after it has sent. Implements the `Sender` port.

    A sender never raises for anything that a receiver does: to the actor this is a bug.
    """

    def __init__(self, sender: Sender, seed: str, *, faults: Callable[[], Faults]) -> None:
        """Stand before a sender.

        Args:
            sender: the real one.
            seed: of the bugs.
            faults: tells how often (`Faults.bug`).
        """
        self._sender = sender
        self._random = random.Random(f"{seed}:bugs")
        self._faults = faults

    async def close(self) -> None:
        """Close the connections of a real sender."""
        if isinstance(self._sender, AiohttpSender | LeanSender):
            await self._sender.close()

    async def post(self, request: Request) -> Outcome:
        """Post `request`, or not.

        Raises:
            BugError: by a fault.
        """
        bug = self._happens()
        if bug and self._random.random() < 0.5:  # noqa: PLR2004 - as often before as after
            raise BugError("before it was sent")
        outcome = await self._sender.post(request)
        if bug:
            raise BugError("after it was sent")
        return outcome

    def _happens(self) -> bool:
        rate = self._faults().bug
        return rate > 0 and self._random.random() < rate
