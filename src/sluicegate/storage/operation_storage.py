"""Changing messages after they were accepted, on SQLite."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.operations import DeadLetter, Moved, ReplayKind
from sluicegate.engine.ports import LogQuery
from sluicegate.storage import logs, replayable
from sluicegate.storage.access import Access
from sluicegate.storage.operation_writes import (
    CancelRetry,
    DeleteMessages,
    ReplayMessages,
    RetryNow,
)

__all__ = ["SqliteOperationStorage"]


class SqliteOperationStorage(Access):
    """Implements `sluicegate.engine.ports.operation_storage.OperationStorage`."""

    async def replay_messages(
        self,
        endpoint_id: str,
        message_ids: Sequence[str],
        *,
        kind: ReplayKind,
        in_flight: AbstractSet[str],
        at_ms: int,
    ) -> list[Moved | SluicegateError]:
        """Begin a new cycle of attempts for each message that can be replayed."""
        return await self._write(
            ReplayMessages(
                endpoint_id=endpoint_id,
                message_ids=message_ids,
                kind=kind,
                in_flight=in_flight & frozenset(message_ids),
                at_ms=at_ms,
            )
        )

    async def retry_message_now(
        self,
        endpoint_id: str,
        message_id: str,
        *,
        in_flight: AbstractSet[str],
        due_at_ms: int,
        at_ms: int,
    ) -> Moved:
        """Make a scheduled retry due."""
        return await self._write(
            RetryNow(
                endpoint_id=endpoint_id,
                message_id=message_id,
                in_flight=in_flight & {message_id},
                due_at_ms=due_at_ms,
                at_ms=at_ms,
            )
        )

    async def cancel_message(
        self, endpoint_id: str, message_id: str, *, in_flight: AbstractSet[str], at_ms: int
    ) -> Moved:
        """Give a message up that waits on a retry."""
        return await self._write(
            CancelRetry(
                endpoint_id=endpoint_id,
                message_id=message_id,
                in_flight=in_flight & {message_id},
                at_ms=at_ms,
            )
        )

    async def delete_messages(
        self, endpoint_id: str, message_ids: Sequence[str], *, deleted_by: str | None, at_ms: int
    ) -> list[Moved | SluicegateError]:
        """Delete messages; what is deleted stays as it is."""
        return await self._write(
            DeleteMessages(
                endpoint_id=endpoint_id,
                message_ids=message_ids,
                deleted_by=deleted_by,
                at_ms=at_ms,
            )
        )

    async def find_endpoints(self, project_id: str, message_ids: Sequence[str]) -> dict[str, str]:
        """Return message id → endpoint id for those that the project has."""
        return await self._read.read(replayable.find_endpoints, project_id, message_ids)

    async def select_messages(
        self, queries: Sequence[LogQuery], *, in_flight: AbstractSet[str], limit: int
    ) -> list[tuple[str, str]]:
        """Return message id and endpoint id of up to `limit` messages that any query means."""
        return await self._read.read(
            logs.select_messages, queries, in_flight=frozenset(in_flight), limit=limit
        )

    async def select_replayable(
        self, project_id: str, *, endpoint_id: str | None, limit: int
    ) -> list[tuple[str, str]]:
        """Return the oldest failed messages that a counted replay may begin anew."""
        return await self._read.read(
            replayable.select_failed, project_id, endpoint_id=endpoint_id, limit=limit
        )

    async def select_slow_retries(
        self, project_id: str, *, endpoint_id: str | None, in_flight: AbstractSet[str], limit: int
    ) -> list[tuple[str, str]]:
        """Return messages that wait on a slow retry, not held and not in flight."""
        return await self._read.read(
            replayable.select_slow_retries,
            project_id,
            endpoint_id=endpoint_id,
            in_flight=frozenset(in_flight),
            limit=limit,
        )

    async def list_dead_letters(
        self, query: LogQuery, *, in_flight: AbstractSet[str]
    ) -> tuple[list[DeadLetter], int | None]:
        """Return a page of the dead letter queue and, if there are more, the `seq` to go on."""
        return await self._read.read(logs.list_dead_letters, query, in_flight=frozenset(in_flight))
