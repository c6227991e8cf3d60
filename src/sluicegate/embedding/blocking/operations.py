"""The calls of `sluicegate.engine.calls.operations`, each of which blocks until it is answered.

Made by `make blocking-calls`; a test compares.
"""

from collections.abc import Sequence
from datetime import datetime

from sluicegate.embedding.blocking.scope import BlockingScope
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.operations import DeadLetter, DeletedAll, Deletion, ReplaySummary
from sluicegate.engine.pages import Page

__all__ = ["BlockingOperationCalls"]


class BlockingOperationCalls(BlockingScope):
    """Replays, cancels and deletes of one project's messages."""

    def replay(self, message_id: str, *, timeout_s: float | None = None) -> None:
        """Begin a new cycle of attempts; on a paused endpoint the message is held.

        Raises:
            NotFoundError: there is no such message.
            DeliveryInProgressError, RetryInProgressError, InvalidStatusError: not now.
            PayloadUnavailableError: its payload is gone.
            ReplayLimitExceededError: it was replayed 10 times.
        """
        self._call(lambda engine: engine.replay(message_id), timeout_s)

    def retry_now(self, message_id: str, *, timeout_s: float | None = None) -> None:
        """Make a scheduled retry due at once; on a paused endpoint it stays held.

        Raises:
            NotFoundError: there is no such message.
            InvalidStatusError: it does not wait on a retry.
        """
        self._call(lambda engine: engine.retry_now(message_id), timeout_s)

    def cancel(self, message_id: str, *, timeout_s: float | None = None) -> None:
        """Give up a message that waits on a retry.

        Raises:
            NotFoundError: there is no such message.
            InvalidStatusError: it does not wait on a retry.
        """
        self._call(lambda engine: engine.cancel(message_id), timeout_s)

    def replay_messages(
        self, message_ids: Sequence[str], *, timeout_s: float | None = None
    ) -> ReplaySummary:
        """Replay 1 to 100 messages; each answers for itself."""
        return self._call(lambda engine: engine.replay_messages(message_ids), timeout_s)

    def replay_all(
        self,
        status: MessageStatus,
        *,
        endpoint_id: str | None = None,
        limit: int = 1000,
        timeout_s: float | None = None,
    ) -> ReplaySummary:
        """Replay up to `limit` (1..1000) messages that read `failed_permanent` or `pending_retry`.

        Call it again until nothing was replayed.
        """
        return self._call(
            lambda engine: engine.replay_all(status, endpoint_id=endpoint_id, limit=limit),
            timeout_s,
        )

    def delete_message(self, message_id: str, *, timeout_s: float | None = None) -> Deletion:
        """Delete a message: its payload is gone at once; its record stays. Twice is fine.

        Raises:
            NotFoundError: there is no such message.
        """
        return self._call(lambda engine: engine.delete_message(message_id), timeout_s)

    def delete_messages(
        self, message_ids: Sequence[str], *, timeout_s: float | None = None
    ) -> list[Deletion]:
        """Delete 1 to 100 messages; each answers for itself."""
        return self._call(lambda engine: engine.delete_messages(message_ids), timeout_s)

    def delete_all(
        self,
        *,
        statuses: Sequence[MessageStatus] = (),
        endpoint_id: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = 1000,
        timeout_s: float | None = None,
    ) -> DeletedAll:
        """Delete up to `limit` (1..1000) messages, newest first.

        Call it again until nothing was deleted.

        Args:
            statuses: only those that read so now; none: any.
            endpoint_id: only messages to this endpoint.
            created_after: accepted then or later; without a time zone UTC is meant.
            created_before: accepted before.
            limit: 1..1000.
            timeout_s: how long to wait, in seconds; the engine's own when not given.
        """
        return self._call(
            lambda engine: engine.delete_all(
                statuses=statuses,
                endpoint_id=endpoint_id,
                created_after=created_after,
                created_before=created_before,
                limit=limit,
            ),
            timeout_s,
        )

    def list_dlq(
        self, *, limit: int = 100, cursor: str | None = None, timeout_s: float | None = None
    ) -> Page[DeadLetter]:
        """Return a page of the dead letter queue, newest message first; `limit` 1..1000."""
        return self._call(lambda engine: engine.list_dlq(limit=limit, cursor=cursor), timeout_s)

    def replay_from_dlq(self, message_id: str, *, timeout_s: float | None = None) -> None:
        """Replay a failed message; neither counted nor limited.

        Raises:
            NotFoundError: there is no such message.
            InvalidRequestError: it is not in the dead letter queue.
            PayloadUnavailableError: its payload is gone.
        """
        self._call(lambda engine: engine.replay_from_dlq(message_id), timeout_s)
