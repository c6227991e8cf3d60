"""Replays, cancels, deletes and the DLQ over HTTP: contract section 6."""

from typing import Annotated

import msgspec
from msgspec import Meta

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.message_operations import (
    BULK_MAX,
    DLQ_LISTED_MAX,
    IDS_MAX,
    REPLAYABLE,
    MessageOperations,
)
from sluicegate.engine.operations import ReplayKind, ReplayStatus
from sluicegate.http.answers import Answer, success
from sluicegate.http.api import operation_answers as answers
from sluicegate.http.api.fields import EndpointId, Moment
from sluicegate.http.api.parameters import CURSOR, limit
from sluicegate.http.api.route import Envelope, Query, Route
from sluicegate.http.bodies import Bodies
from sluicegate.http.calls import Call

__all__ = ["OperationHandlers"]

_BODY_BYTES_MAX = 65_536


class MessageIdsBody(msgspec.Struct, frozen=True):
    """The messages that are meant."""

    message_ids: Annotated[list[str], Meta(extra_json_schema={"minItems": 1, "maxItems": IDS_MAX})]
    """An id that is not known, or is none, is told in its place."""


_IDS = msgspec.json.Decoder(MessageIdsBody)

_REPLAY_STATUS = Query(
    name="status",
    description="Which messages.",
    type=Annotated[str, Meta(extra_json_schema={"enum": [str(each) for each in REPLAYABLE]})],
    required=True,
)
_DELETE_STATUS = Query(
    name="status",
    description="Only messages that read so now; comma-separated.",
    type=Annotated[list[MessageStatus], Meta(min_length=1)],
)
_ENDPOINT_ID = Query(
    name="endpoint_id",
    description="Only messages to this endpoint; an unknown one has none.",
    type=EndpointId,
)
_CREATED_AFTER = Query(
    name="created_after",
    description="Accepted then or later. Any offset; without one UTC is meant.",
    type=Moment,
)
_CREATED_BEFORE = Query(name="created_before", description="Accepted before.", type=Moment)
_BULK_LIMIT = Query(
    name="limit",
    description="How many messages at most. Call again until none is left.",
    type=Annotated[int, Meta(ge=1, le=BULK_MAX)],
    default=BULK_MAX,
)
_DLQ_LIMIT = limit(DLQ_LISTED_MAX, default=100)


class OperationHandlers:
    """Translates requests that change messages after they were accepted."""

    def __init__(self, operations: MessageOperations, bodies: Bodies) -> None:
        self._operations = operations
        self._bodies = bodies

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        return (*self._single(), *self._bulk(), *self._dead_letters())

    def _single(self) -> tuple[Route, ...]:
        one = "/v1/messages/{message_id}"
        return (
            Route(
                method="POST",
                path=one + "/replay",
                handler=self.replay,
                name="replay_message",
                tag="Messages",
                summary="Replay a message",
                description="Begins a new cycle of attempts for a message that failed, succeeded "
                "or waits on a slow retry, while its payload lives; 10 times at most. Earlier "
                "attempts stay listed, and `attempt_no` goes on counting. On a paused endpoint "
                "the message is held.",
                status=202,
                answer=answers.ReplayAnswer,
                envelope=Envelope.MESSAGE,
                errors=(
                    "NOT_FOUND",
                    "ENDPOINT_NOT_FOUND",
                    "PAYLOAD_UNAVAILABLE",
                    "RETENTION_EXPIRED",
                    "DELIVERY_IN_PROGRESS",
                    "INVALID_STATUS",
                    "RETRY_IN_PROGRESS",
                    "REPLAY_LIMIT_EXCEEDED",
                ),
            ),
            Route(
                method="POST",
                path=one + "/retry-now",
                handler=self.retry_now,
                name="retry_message_now",
                tag="Messages",
                summary="Retry a message now",
                description="Makes a scheduled retry due at once, whatever `Retry-After` asked "
                "for. On a paused endpoint the message stays held.",
                answer=answers.RetryAnswer,
                envelope=Envelope.MESSAGE,
                errors=("NOT_FOUND", "INVALID_STATUS"),
            ),
            Route(
                method="POST",
                path=one + "/cancel",
                handler=self.cancel,
                name="cancel_retry",
                tag="Messages",
                summary="Cancel a message's retry",
                description="Gives a message up that waits on a retry, held or not: it is in the "
                "dead letter queue then.",
                answer=answers.CancelAnswer,
                errors=("NOT_FOUND", "INVALID_STATUS"),
            ),
            Route(
                method="DELETE",
                path=one,
                handler=self.delete,
                name="delete_message",
                tag="Messages",
                summary="Delete a message",
                description="The payload is unreadable at once, a retry is cancelled, the "
                "idempotency key is free again. The message, its status and its attempts stay "
                "listed, with `deleted_at`. An attempt in flight may finish. Twice is fine.",
                answer=answers.DeletionAnswer,
                errors=("NOT_FOUND",),
            ),
        )

    def _bulk(self) -> tuple[Route, ...]:
        return (
            Route(
                method="POST",
                path="/v1/messages/replay-all",
                handler=self.replay_all,
                name="replay_all_messages",
                tag="Messages",
                summary="Replay messages by status",
                description="The oldest of an endpoint first. What cannot be replayed, is held, in "
                "flight or waits on a fast retry is passed over.",
                query=(_REPLAY_STATUS, _ENDPOINT_ID, _BULK_LIMIT),
                answer=answers.ReplayAllAnswer,
                envelope=Envelope.MESSAGE,
                errors=("INVALID_REQUEST",),
            ),
            Route(
                method="POST",
                path="/v1/messages/replay-batch",
                handler=self.replay_batch,
                name="replay_batch_messages",
                tag="Messages",
                summary="Replay messages by id",
                description=f"1 to {IDS_MAX} messages; each answers for itself.",
                body=MessageIdsBody,
                answer=answers.ReplayBatchAnswer,
                envelope=Envelope.MESSAGE,
                errors=("INVALID_REQUEST",),
            ),
            Route(
                method="POST",
                path="/v1/messages/delete-batch",
                handler=self.delete_batch,
                name="delete_messages_batch",
                tag="Messages",
                summary="Delete messages by id",
                description=f"1 to {IDS_MAX} messages; each answers for itself.",
                body=MessageIdsBody,
                answer=answers.DeletedBatchAnswer,
                errors=("INVALID_REQUEST",),
            ),
            Route(
                method="POST",
                path="/v1/messages/delete-all",
                handler=self.delete_all,
                name="delete_messages_all",
                tag="Messages",
                summary="Delete messages by filter",
                description="The newest first. If storage could not go on half-way, `error` stands "
                "beside `data`, with the code `PARTIAL_DELETE_FAILURE`; `data` says what was "
                "deleted until then.",
                query=(
                    _DELETE_STATUS,
                    _ENDPOINT_ID,
                    _CREATED_AFTER,
                    _CREATED_BEFORE,
                    _BULK_LIMIT,
                ),
                answer=answers.DeletedAllAnswer,
                errors=("INVALID_REQUEST",),
            ),
        )

    def _dead_letters(self) -> tuple[Route, ...]:
        return (
            Route(
                method="GET",
                path="/v1/dlq/messages",
                handler=self.list_dead_letters,
                name="list_dlq_messages",
                tag="Dead letter queue",
                summary="List the dead letter queue",
                description="The messages that were given up and are not deleted. Here, "
                "`has_more` and `next_cursor` stand inside `data`.",
                query=(_DLQ_LIMIT, CURSOR),
                answer=answers.DeadLettersAnswer,
                errors=("INVALID_REQUEST",),
            ),
            Route(
                method="POST",
                path="/v1/dlq/replay/{message_id}",
                handler=self.replay_dead_letter,
                name="replay_dlq_message",
                tag="Dead letter queue",
                summary="Replay a dead letter",
                description="As `replay`, but neither counted nor limited.",
                answer=answers.DlqReplayAnswer,
                errors=(
                    "INVALID_REQUEST",
                    "NOT_FOUND",
                    "ENDPOINT_NOT_FOUND",
                    "RETENTION_EXPIRED",
                ),
            ),
        )

    async def replay(self, call: Call) -> Answer:
        """POST /v1/messages/{message_id}/replay."""
        message_id = call.path("message_id")
        await self._operations.replay(call.project_id, message_id)
        return success(
            call.request_id,
            answers.ReplayAnswer(message_id=message_id),
            status=202,
            message="Message queued for replay",
        )

    async def retry_now(self, call: Call) -> Answer:
        """POST /v1/messages/{message_id}/retry-now."""
        message_id = call.path("message_id")
        await self._operations.retry_now(call.project_id, message_id)
        return success(
            call.request_id,
            answers.RetryAnswer(message_id=message_id),
            message="Retry scheduled for immediate pickup",
        )

    async def cancel(self, call: Call) -> Answer:
        """POST /v1/messages/{message_id}/cancel."""
        message_id = call.path("message_id")
        await self._operations.cancel(call.project_id, message_id)
        return success(call.request_id, answers.CancelAnswer(message_id=message_id))

    async def delete(self, call: Call) -> Answer:
        """DELETE /v1/messages/{message_id}."""
        deletion = await self._operations.delete(
            call.project_id, call.path("message_id"), by=call.api_key_id
        )
        return success(call.request_id, answers.DeletionAnswer.of(deletion))

    async def replay_all(self, call: Call) -> Answer:
        """POST /v1/messages/replay-all."""
        request = call.request
        summary = await self._operations.replay_all(
            call.project_id,
            status=_REPLAY_STATUS.text(request) or "",
            endpoint_id=_ENDPOINT_ID.text(request),
            limit=_BULK_LIMIT.whole(request),
        )
        count = len(summary.ids(ReplayStatus.REPLAYED))
        return success(
            call.request_id, answers.ReplayAllAnswer.of(summary), message=_queued_for_replay(count)
        )

    async def replay_batch(self, call: Call) -> Answer:
        """POST /v1/messages/replay-batch."""
        ids = await self._message_ids(call)
        summary = await self._operations.replay_batch(call.project_id, ids)
        count = len(summary.ids(ReplayStatus.REPLAYED))
        return success(
            call.request_id,
            answers.ReplayBatchAnswer.of(summary),
            message=_queued_for_replay(count),
        )

    async def delete_batch(self, call: Call) -> Answer:
        """POST /v1/messages/delete-batch."""
        ids = await self._message_ids(call)
        deletions = await self._operations.delete_batch(call.project_id, ids, by=call.api_key_id)
        return success(call.request_id, answers.DeletedBatchAnswer.of(deletions))

    async def delete_all(self, call: Call) -> Answer:
        """POST /v1/messages/delete-all."""
        request = call.request
        statuses = _DELETE_STATUS.text(request)
        deleted = await self._operations.delete_all(
            call.project_id,
            statuses=() if statuses is None else statuses.split(","),
            endpoint_id=_ENDPOINT_ID.text(request),
            created_after=_CREATED_AFTER.moment(request),
            created_before=_CREATED_BEFORE.moment(request),
            limit=_BULK_LIMIT.whole(request),
            by=call.api_key_id,
        )
        return success(call.request_id, answers.DeletedAllAnswer.of(deleted), error=deleted.error)

    async def list_dead_letters(self, call: Call) -> Answer:
        """GET /v1/dlq/messages."""
        page = await self._operations.list_dead_letters(
            call.project_id,
            limit=_DLQ_LIMIT.whole(call.request),
            cursor=CURSOR.text(call.request),
        )
        return success(call.request_id, answers.DeadLettersAnswer.of(page))

    async def replay_dead_letter(self, call: Call) -> Answer:
        """POST /v1/dlq/replay/{message_id}."""
        message_id = call.path("message_id")
        await self._operations.replay(call.project_id, message_id, kind=ReplayKind.DEAD_LETTER)
        return success(call.request_id, answers.DlqReplayAnswer(message_id=message_id))

    async def _message_ids(self, call: Call) -> list[str]:
        body = await self._bodies.json(call.request, _IDS, bytes_max=_BODY_BYTES_MAX)
        return body.message_ids


def _queued_for_replay(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'} queued for replay"
