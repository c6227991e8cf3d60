"""The part of the storage port that changes messages after they were accepted."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.operations import DeadLetter, Moved, ReplayKind
from sluicegate.engine.ports.rows import LogQuery

__all__ = ["OperationStorage"]


class OperationStorage(Protocol):
    """Replays, cancels and deletes. Only the endpoint's owner calls what writes."""

    async def replay_messages(
        self,
        endpoint_id: str,
        message_ids: Sequence[str],
        *,
        kind: ReplayKind,
        in_flight: AbstractSet[str],
        at_ms: int,
    ) -> list[Moved | SluicegateError]:
        """Begin a new cycle of attempts for each, in one commit; each slot answers for itself.

        A slot may hold `NotFoundError`, `DeliveryInProgressError`, `RetryInProgressError`,
        `InvalidStatusError`, `PayloadUnavailableError`, `RetentionExpiredError`,
        `ReplayLimitExceededError`, `EndpointNotFoundError` (it is deleted) or, for
        `ReplayKind.DEAD_LETTER`, `InvalidRequestError`: nothing of that message was changed.
        """
        ...

    async def retry_message_now(
        self,
        endpoint_id: str,
        message_id: str,
        *,
        in_flight: AbstractSet[str],
        due_at_ms: int,
        at_ms: int,
    ) -> Moved:
        """Make a scheduled retry due at `due_at_ms`, on the steady clock.

        Raises:
            NotFoundError: the endpoint has no such message.
            InvalidStatusError: it does not wait on a retry.
        """
        ...

    async def cancel_message(
        self, endpoint_id: str, message_id: str, *, in_flight: AbstractSet[str], at_ms: int
    ) -> Moved:
        """Turn a message that waits on a retry into `FAILED_PERMANENT`.

        Raises:
            NotFoundError: the endpoint has no such message.
            InvalidStatusError: it does not wait on a retry.
        """
        ...

    async def delete_messages(
        self, endpoint_id: str, message_ids: Sequence[str], *, deleted_by: str | None, at_ms: int
    ) -> list[Moved | SluicegateError]:
        """Remove payloads, give up what waits, free idempotency keys; in one commit.

        Also of a deleted endpoint. A slot may hold `NotFoundError`.
        """
        ...

    async def find_endpoints(self, project_id: str, message_ids: Sequence[str]) -> dict[str, str]:
        """Return message id → endpoint id for those that the project has."""
        ...

    async def select_messages(
        self, queries: Sequence[LogQuery], *, in_flight: AbstractSet[str], limit: int
    ) -> list[tuple[str, str]]:
        """Return message id and endpoint id of up to `limit` messages that any query means.

        The newest first, each once: all queries see the same moment.
        """
        ...

    async def select_replayable(
        self, project_id: str, *, endpoint_id: str | None, limit: int
    ) -> list[tuple[str, str]]:
        """Return the oldest failed messages that a counted replay may begin anew, likewise."""
        ...

    async def select_slow_retries(
        self, project_id: str, *, endpoint_id: str | None, in_flight: AbstractSet[str], limit: int
    ) -> list[tuple[str, str]]:
        """Return messages that wait on a slow retry, not held and not in flight, likewise."""
        ...

    async def list_dead_letters(
        self, query: LogQuery, *, in_flight: AbstractSet[str]
    ) -> tuple[list[DeadLetter], int | None]:
        """Return a page of the dead letter queue and, if there are more, the `seq` to go on."""
        ...
