"""The part of the storage port that takes messages out of outboxes, each once."""

from collections.abc import Sequence
from typing import Protocol

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.model import Accepted, NewMessage

__all__ = ["RelayStorage"]


class RelayStorage(Protocol):
    """What a relay needs so that nothing is moved twice.

    An outbox and this storage do not commit together. So a message's id is remembered, in the
    commit that stores it, until it is known to be gone from its outbox: whatever becomes of the
    message meanwhile (delivered, deleted, removed by retention), it is not stored again.
    """

    async def append_relayed(
        self, outbox_id: str, messages: Sequence[NewMessage], *, gone: Sequence[str]
    ) -> list[Accepted | SluicegateError]:
        """Store messages as `append` does, and remember their ids, in one commit.

        A message whose id is remembered, or is stored, is a duplicate and changes nothing.

        Args:
            outbox_id: out of which they come.
            messages: may be none.
            gone: ids to be forgotten: they are in the outbox no more.
        """
        ...

    async def relayed(self, outbox_id: str) -> list[str]:
        """Return the ids that are remembered of an outbox: no more than one relay has at once."""
        ...
