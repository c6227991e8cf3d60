"""The mode `enqueue`: another process owns the file, and this one only sends."""

from typing import TYPE_CHECKING

from sluicegate.engine.errors import EnqueueOnlyError
from sluicegate.engine.ports import Clock, Random
from sluicegate.engine.settings import Settings
from sluicegate.modes.life import Life
from sluicegate.outbox.enqueueing import OWNERS_PROJECT, enqueueing_services
from sluicegate.outbox.inbox import Inbox

if TYPE_CHECKING:  # what this mode has not
    from sluicegate.assembly import Assembly

__all__ = ["Enqueueing"]


class Enqueueing(Life):
    """Opens the inbox beside the file, and nothing else."""

    def __init__(self, settings: Settings, *, clock: Clock, random: Random) -> None:
        """Take what it needs: see `Engine`."""
        super().__init__()
        self._inbox = Inbox(settings, random=random, fatal=self.fail)
        self.services = enqueueing_services(
            self._inbox, clock=clock, random=random, settings=settings
        )

    @property
    def parts(self) -> "Assembly":
        """Raise `EnqueueOnlyError`: it has none of those that deliver."""
        raise EnqueueOnlyError

    async def _open(self) -> str:
        await self._inbox.open()
        return OWNERS_PROJECT

    async def _drain(self, timeout_s: float) -> bool:  # noqa: ARG002 - nothing is in flight here
        return True

    async def _close(self) -> None:
        await self._inbox.close()

    def _halt(self, error: BaseException) -> None:
        """Do nothing: nothing is sent here."""
