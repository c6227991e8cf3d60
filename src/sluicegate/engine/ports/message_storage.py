"""The part of the storage port that takes messages and tells of them."""

from collections.abc import Awaitable, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.model import Accepted, Attempt, LogEntry, Message, NewMessage
from sluicegate.engine.ports.rows import LogQuery

__all__ = ["MessageStorage"]


class MessageStorage(Protocol):
    """Messages as their clients see them."""

    def append(self, messages: Sequence[NewMessage]) -> Awaitable[list[Accepted | SluicegateError]]:
        """Store messages in one commit, in order; each slot answers for itself.

        It may begin with the call, and goes on if the caller is cancelled.

        A slot may hold `EndpointNotFoundError` (unknown, foreign or deleted) or
        `IdempotencyMismatchError`; those messages were not stored.
        """
        ...

    async def get_message(
        self, project_id: str, message_id: str, *, in_flight: AbstractSet[str]
    ) -> Message | None:
        """Return a message with its derived status."""
        ...

    async def get_payload(self, project_id: str, message_id: str) -> bytes | None:
        """Return the payload, or `None` when there is no such message.

        Raises:
            RetentionExpiredError: the payload was removed because its retention is over.
            PayloadUnavailableError: the message was deleted.
        """
        ...

    async def list_attempts(
        self, project_id: str, message_id: str, *, limit: int
    ) -> tuple[list[Attempt], bool]:
        """Return attempts oldest first and whether there are more; `[]` for an unknown id."""
        ...

    async def list_logs(
        self, query: LogQuery, *, in_flight: AbstractSet[str]
    ) -> tuple[list[LogEntry], int | None]:
        """Return a page of the log and, if there are more, the `seq` to go on before."""
        ...
