"""What an embedding program does with messages later."""

from collections.abc import Sequence
from datetime import datetime

from sluicegate.engine.calls.scope import ProjectScope
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.operations import (
    DeadLetter,
    DeletedAll,
    Deletion,
    ReplayKind,
    ReplaySummary,
)
from sluicegate.engine.pages import Page

__all__ = ["OperationCalls"]


class OperationCalls(ProjectScope):
    """Replays, cancels and deletes of one project's messages."""

    async def replay(self, message_id: str) -> None:
        """Begin a new cycle of attempts; on a paused endpoint the message is held.

        Raises:
            NotFoundError: there is no such message.
            DeliveryInProgressError, RetryInProgressError, InvalidStatusError: not now.
            PayloadUnavailableError: its payload is gone.
            ReplayLimitExceededError: it was replayed 10 times.
        """
        await self.services.operations.replay(self._project, message_id)

    async def retry_now(self, message_id: str) -> None:
        """Make a scheduled retry due at once; on a paused endpoint it stays held.

        Raises:
            NotFoundError: there is no such message.
            InvalidStatusError: it does not wait on a retry.
        """
        await self.services.operations.retry_now(self._project, message_id)

    async def cancel(self, message_id: str) -> None:
        """Give up a message that waits on a retry.

        Raises:
            NotFoundError: there is no such message.
            InvalidStatusError: it does not wait on a retry.
        """
        await self.services.operations.cancel(self._project, message_id)

    async def replay_messages(self, message_ids: Sequence[str]) -> ReplaySummary:
        """Replay 1 to 100 messages; each answers for itself."""
        return await self.services.operations.replay_batch(self._project, message_ids)

    async def replay_all(
        self, status: MessageStatus, *, endpoint_id: str | None = None, limit: int = 1000
    ) -> ReplaySummary:
        """Replay up to `limit` (1..1000) messages that read `failed_permanent` or `pending_retry`.

        Call it again until nothing was replayed.
        """
        return await self.services.operations.replay_all(
            self._project, status=status, endpoint_id=endpoint_id, limit=limit
        )

    async def delete_message(self, message_id: str) -> Deletion:
        """Delete a message: its payload is gone at once; its record stays. Twice is fine.

        Raises:
            NotFoundError: there is no such message.
        """
        return await self.services.operations.delete(self._project, message_id, by=None)

    async def delete_messages(self, message_ids: Sequence[str]) -> list[Deletion]:
        """Delete 1 to 100 messages; each answers for itself."""
        return await self.services.operations.delete_batch(self._project, message_ids, by=None)

    async def delete_all(
        self,
        *,
        statuses: Sequence[MessageStatus] = (),
        endpoint_id: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = 1000,
    ) -> DeletedAll:
        """Delete up to `limit` (1..1000) messages, newest first.

        Call it again until nothing was deleted.

        Args:
            statuses: only those that read so now; none: any.
            endpoint_id: only messages to this endpoint.
            created_after: accepted then or later; without a time zone UTC is meant.
            created_before: accepted before.
            limit: 1..1000.
        """
        return await self.services.operations.delete_all(
            self._project,
            statuses=statuses,
            endpoint_id=endpoint_id,
            created_after=created_after,
            created_before=created_before,
            limit=limit,
            by=None,
        )

    async def list_dlq(self, *, limit: int = 100, cursor: str | None = None) -> Page[DeadLetter]:
        """Return a page of the dead letter queue, newest message first; `limit` 1..1000."""
        return await self.services.operations.list_dead_letters(
            self._project, limit=limit, cursor=cursor
        )

    async def replay_from_dlq(self, message_id: str) -> None:
        """Replay a failed message; neither counted nor limited.

        Raises:
            NotFoundError: there is no such message.
            InvalidRequestError: it is not in the dead letter queue.
            PayloadUnavailableError: its payload is gone.
        """
        await self.services.operations.replay(
            self._project, message_id, kind=ReplayKind.DEAD_LETTER
        )
