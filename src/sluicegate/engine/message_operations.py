"""The use cases of what happens to messages later: replay, retry now, cancel, delete, the DLQ."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from sluicegate.engine import bounds
from sluicegate.engine.cursors import encode_cursor
from sluicegate.engine.errors import (
    DeliveryInProgressError,
    InvalidRequestError,
    NotFoundError,
    PartialDeleteFailureError,
    RetryInProgressError,
    SluicegateError,
    UnavailableError,
)
from sluicegate.engine.filters import checked_endpoint_id, checked_status, moment_ms
from sluicegate.engine.ids import is_message_id
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.moments import from_ms
from sluicegate.engine.operations import (
    DeadLetter,
    DeletedAll,
    Deletion,
    DeletionOutcome,
    Moved,
    ReplayKind,
    ReplayResult,
    ReplayStatus,
    ReplaySummary,
)
from sluicegate.engine.pages import Page, position_of
from sluicegate.engine.ports import LogQuery, Owners, Storage

__all__ = ["BULK_MAX", "DLQ_LISTED_MAX", "IDS_MAX", "REPLAYABLE", "MessageOperations"]

BULK_MAX = 1000
"""Messages of one replay or delete by filter."""
IDS_MAX = 100
"""Messages of one replay or delete by id."""
_RACES_MAX = 10
"""How often a delete by filter looks again when others have deleted all that it found."""
DLQ_LISTED_MAX = 1000
"""Messages on one page of the dead letter queue."""
REPLAYABLE = (MessageStatus.FAILED_PERMANENT, MessageStatus.PENDING_RETRY)
"""The statuses that messages are replayed by."""


class MessageOperations:
    """Operations on messages of every project. Used on the engine's event loop only.

    Every method takes the project that asks; another project's message is an unknown one. Each
    goes through the owner of the message's endpoint, so what races it happens before or after.
    """

    def __init__(self, storage: Storage, owners: Owners) -> None:
        self._storage = storage
        self._owners = owners

    async def replay(
        self, project_id: str, message_id: str, *, kind: ReplayKind = ReplayKind.COUNTED
    ) -> None:
        """Begin a new cycle of attempts; on a paused endpoint the message is held.

        Raises:
            NotFoundError: the project has no such message.
            DeliveryInProgressError: an attempt is in flight.
            RetryInProgressError: it waits on a fast retry.
            InvalidStatusError: it is queued already.
            PayloadUnavailableError: the payload was deleted; or, `RetentionExpiredError`, removed.
            ReplayLimitExceededError: it was replayed 10 times.
            EndpointNotFoundError: its endpoint was deleted.
            InvalidRequestError: for `ReplayKind.DEAD_LETTER`, it is not in the DLQ.
        """
        endpoint_id = await self._endpoint_of(project_id, message_id)
        slots = await self._owners.replay(project_id, {endpoint_id: [message_id]}, kind=kind)
        _moved(slots[message_id])

    async def retry_now(self, project_id: str, message_id: str) -> None:
        """Make a scheduled retry due at once; on a paused endpoint it stays held.

        Raises:
            NotFoundError: the project has no such message.
            InvalidStatusError: it does not wait on a retry.
        """
        endpoint_id = await self._endpoint_of(project_id, message_id)
        await self._owners.retry_now(project_id, endpoint_id, message_id)

    async def cancel(self, project_id: str, message_id: str) -> None:
        """Give up a message that waits on a retry: it is in the DLQ then.

        Raises:
            NotFoundError: the project has no such message.
            InvalidStatusError: it does not wait on a retry.
        """
        endpoint_id = await self._endpoint_of(project_id, message_id)
        await self._owners.cancel(project_id, endpoint_id, message_id)

    async def replay_batch(self, project_id: str, message_ids: Sequence[str]) -> ReplaySummary:
        """Replay messages by id, as `replay`; each answers for itself.

        Args:
            project_id: whose.
            message_ids: 1 to `IDS_MAX`; a repeated one counts once.

        Raises:
            InvalidRequestError: it is no list of so many texts.
        """
        ids = _checked_ids(message_ids)
        owned = await self._owned(project_id, ids)
        slots = await self._owners.replay(project_id, owned, kind=ReplayKind.COUNTED)
        unknown = NotFoundError("Message not found")
        return ReplaySummary(results=[_replayed(each, slots.get(each, unknown)) for each in ids])

    async def replay_all(
        self,
        project_id: str,
        *,
        status: MessageStatus | str,
        endpoint_id: str | None = None,
        limit: int = BULK_MAX,
    ) -> ReplaySummary:
        """Replay up to `limit` messages that can be replayed, the oldest of an endpoint first.

        Call it again until nothing was replayed: what was, has left the status. Failed messages
        whose payload is gone, or that were replayed too often, are passed over; as is what waits
        on a fast retry, is held or is in flight.

        Args:
            project_id: whose.
            status: one of `REPLAYABLE`.
            endpoint_id: only this endpoint's; an unknown one has none.
            limit: 1 to `BULK_MAX`.

        Raises:
            InvalidRequestError: a value out of range or form.
        """
        wanted = checked_status(status, allowed=REPLAYABLE)
        endpoint_id = checked_endpoint_id(endpoint_id)
        bounds.whole("limit", limit, minimum=1, maximum=BULK_MAX)
        if wanted is MessageStatus.FAILED_PERMANENT:
            found = await self._storage.select_replayable(
                project_id, endpoint_id=endpoint_id, limit=limit
            )
        else:
            found = await self._storage.select_slow_retries(
                project_id,
                endpoint_id=endpoint_id,
                in_flight=self._owners.in_flight(),
                limit=limit,
            )
        slots = await self._owners.replay(project_id, _by_owner(found), kind=ReplayKind.COUNTED)
        return ReplaySummary(results=[_replayed(each, slots[each]) for each, _ in found])

    async def delete(self, project_id: str, message_id: str, *, by: str | None) -> Deletion:
        """Delete a message: its payload is gone at once, a retry cancelled, its key free again.

        The row, its status and its attempts stay listed. Twice is fine.

        Args:
            project_id: whose.
            message_id: which.
            by: the id of the API key that asks; `None`: a program.

        Raises:
            NotFoundError: the project has no such message.
        """
        endpoint_id = await self._endpoint_of(project_id, message_id)
        slots = await self._owners.delete_messages(
            project_id, {endpoint_id: [message_id]}, deleted_by=by
        )
        return _deletion(_moved(slots[message_id]))

    async def delete_batch(
        self, project_id: str, message_ids: Sequence[str], *, by: str | None
    ) -> list[Deletion]:
        """Delete messages by id, as `delete`; each answers for itself.

        Args:
            project_id: whose.
            message_ids: 1 to `IDS_MAX`; a repeated one counts once.
            by: the id of the API key that asks; `None`: a program.

        Raises:
            InvalidRequestError: it is no list of so many texts.
            UnavailableError: some were not deleted; ask again.
        """
        ids = _checked_ids(message_ids)
        owned = await self._owned(project_id, ids)
        slots = await self._owners.delete_messages(project_id, owned, deleted_by=by)
        return [_deletion_or_unknown(each, slots.get(each)) for each in ids]

    async def delete_all(
        self,
        project_id: str,
        *,
        statuses: Sequence[MessageStatus | str] = (),
        endpoint_id: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = BULK_MAX,
        by: str | None,
    ) -> DeletedAll:
        """Delete up to `limit` messages that are not deleted yet, the newest first.

        Call it again until nothing was deleted.

        Args:
            project_id: whose.
            statuses: only those that read so now; none: any.
            endpoint_id: only this endpoint's; an unknown one has none.
            created_after: accepted then or later; without a time zone UTC is meant.
            created_before: accepted before.
            limit: 1 to `BULK_MAX`.
            by: the id of the API key that asks; `None`: a program.

        Raises:
            InvalidRequestError: a value out of range or form.
            UnavailableError: nothing was deleted; ask again.
        """
        bounds.whole("limit", limit, minimum=1, maximum=BULK_MAX)
        wanted = dict.fromkeys(checked_status(status) for status in statuses)
        query = LogQuery(
            project_id=project_id,
            limit=limit,
            endpoint_id=checked_endpoint_id(endpoint_id),
            start_at_ms=moment_ms("created_after", created_after),
            end_at_ms=moment_ms("created_before", created_before),
            deleted=False,
        )
        queries = [msgspec.structs.replace(query, status=each) for each in wanted] or [query]
        for _ in range(_RACES_MAX):
            found = await self._storage.select_messages(
                queries, in_flight=self._owners.in_flight(), limit=limit
            )
            slots = await self._owners.delete_messages(project_id, _by_owner(found), deleted_by=by)
            deleted = [
                each
                for each, _ in found
                if isinstance(slot := slots[each], Moved) and not slot.already_deleted
            ]
            # Where another delete was faster with all of these, there may be more.
            if deleted or not all(isinstance(slot, Moved) for slot in slots.values()) or not found:
                break
        errors = [slot for slot in slots.values() if isinstance(slot, UnavailableError)]
        if errors and not deleted:
            raise errors[0]
        return DeletedAll(
            message_ids=deleted,
            error=PartialDeleteFailureError(errors[0].message) if errors else None,
        )

    async def list_dead_letters(
        self, project_id: str, *, limit: int = 100, cursor: str | None = None
    ) -> Page[DeadLetter]:
        """Return a page of the dead letter queue, newest message first; deleted ones left out.

        Args:
            project_id: whose.
            limit: 1 to `DLQ_LISTED_MAX`.
            cursor: the `next_cursor` of the page before.

        Raises:
            InvalidRequestError: a value out of range, or a broken or foreign cursor.
        """
        bounds.whole("limit", limit, minimum=1, maximum=DLQ_LISTED_MAX)
        filters = {"project_id": project_id}
        query = LogQuery(
            project_id=project_id,
            limit=limit,
            before_seq=position_of(cursor, "dlq", filters),
            status=MessageStatus.FAILED_PERMANENT,
            deleted=False,
        )
        items, position = await self._storage.list_dead_letters(
            query, in_flight=self._owners.in_flight()
        )
        return Page(items, None if position is None else encode_cursor("dlq", filters, position))

    async def _endpoint_of(self, project_id: str, message_id: str) -> str:
        owned = await self._owned(project_id, [message_id])
        for endpoint_id in owned:
            return endpoint_id
        raise NotFoundError("Message not found")

    async def _owned(self, project_id: str, message_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return endpoint id → those of the messages that the project has."""
        known = [each for each in message_ids if is_message_id(each)]
        found = await self._storage.find_endpoints(project_id, known) if known else {}
        return _by_owner(list(found.items()))


def _by_owner(found: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    owned: dict[str, list[str]] = {}
    for message_id, endpoint_id in found:
        owned.setdefault(endpoint_id, []).append(message_id)
    return owned


def _checked_ids(message_ids: object) -> list[str]:
    if (
        not isinstance(message_ids, Sequence)
        or isinstance(message_ids, str | bytes | bytearray)
        or not 1 <= len(message_ids) <= IDS_MAX
        or not all(isinstance(each, str) for each in message_ids)
    ):
        raise InvalidRequestError(
            f"message_ids must be a list of 1 to {IDS_MAX} ids",
            details={"field": "message_ids", "minimum": 1, "maximum": IDS_MAX},
        )
    return list(dict.fromkeys(message_ids))


def _moved(slot: Moved | SluicegateError) -> Moved:
    if isinstance(slot, SluicegateError):
        raise slot
    return slot


def _replayed(message_id: str, slot: Moved | SluicegateError) -> ReplayResult:
    match slot:
        case Moved():
            return ReplayResult(message_id=message_id, status=ReplayStatus.REPLAYED)
        case DeliveryInProgressError() | RetryInProgressError():
            return ReplayResult(message_id=message_id, status=ReplayStatus.STUCK, error=slot)
        case _:
            return ReplayResult(message_id=message_id, status=ReplayStatus.FAILED, error=slot)


def _deletion(moved: Moved) -> Deletion:
    assert moved.deleted_at_ms is not None
    return Deletion(
        message_id=moved.message_id,
        outcome=(
            DeletionOutcome.ALREADY_DELETED if moved.already_deleted else DeletionOutcome.DELETED
        ),
        deleted_at=from_ms(moved.deleted_at_ms),
    )


def _deletion_or_unknown(message_id: str, slot: Moved | SluicegateError | None) -> Deletion:
    if slot is None or isinstance(slot, NotFoundError):
        return Deletion(message_id=message_id, outcome=DeletionOutcome.NOT_FOUND)
    return _deletion(_moved(slot))
