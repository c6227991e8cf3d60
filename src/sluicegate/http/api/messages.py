"""Messages over HTTP, as they are read: contract section 6."""

from msgspec import Raw

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.messages import LOGS_LISTED_MAX, Messages
from sluicegate.http.answers import Answer, listing, raw_json, success
from sluicegate.http.api.fields import EndpointId, Moment
from sluicegate.http.api.message_answers import AttemptAnswer, LogEntryAnswer, MessageAnswer
from sluicegate.http.api.parameters import CURSOR, limit
from sluicegate.http.api.route import Envelope, Query, Route
from sluicegate.http.calls import Call

__all__ = ["MessageHandlers"]

_ONE = "/v1/messages/{message_id}"
_LIMIT = limit(LOGS_LISTED_MAX, default=50)
_ENDPOINT_ID = Query(
    name="endpoint_id",
    description="Only messages to this endpoint; an unknown one has none.",
    type=EndpointId,
)
_STATUS = Query(name="status", description="Only messages that read so now.", type=MessageStatus)
_START_TIME = Query(
    name="start_time",
    description="Accepted then or later. Any offset; without one UTC is meant.",
    type=Moment,
)
_END_TIME = Query(name="end_time", description="Accepted before.", type=Moment)


class MessageHandlers:
    """Translates requests that ask about messages."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        return (
            Route(
                method="GET",
                path=_ONE,
                handler=self.get,
                name="get_message",
                tag="Messages",
                summary="Get a message",
                description="Its status is what it reads now: `paused` while its endpoint is, "
                "`delivering` while an attempt is in flight.",
                answer=MessageAnswer,
                errors=("NOT_FOUND",),
            ),
            Route(
                method="GET",
                path=f"{_ONE}/payload",
                handler=self.get_payload,
                name="get_payload",
                tag="Messages",
                summary="Get a message's payload",
                description="The bytes that were sent, without an envelope. 410 once they were "
                "removed.",
                answer=Raw,
                envelope=Envelope.NONE,
                errors=("NOT_FOUND", "PAYLOAD_UNAVAILABLE", "RETENTION_EXPIRED"),
            ),
            Route(
                method="GET",
                path=f"{_ONE}/attempts",
                handler=self.list_attempts,
                name="list_attempts",
                tag="Messages",
                summary="List a message's attempts",
                description="Oldest first, at most 200 unless the server is set otherwise; "
                "`has_more` says whether there are more. An unknown message has none.",
                answer=AttemptAnswer,
                envelope=Envelope.LIST,
            ),
            Route(
                method="GET",
                path="/v1/logs",
                handler=self.list_logs,
                name="list_logs",
                tag="Messages",
                summary="List messages",
                description="Newest first. Pages stay in step while messages arrive: none is "
                "seen twice, none is skipped.",
                query=(_ENDPOINT_ID, _STATUS, _START_TIME, _END_TIME, _LIMIT, CURSOR),
                answer=LogEntryAnswer,
                envelope=Envelope.LIST,
                errors=("INVALID_REQUEST",),
            ),
        )

    async def get(self, call: Call) -> Answer:
        """GET /v1/messages/{message_id}."""
        message = await self._messages.get(call.project_id, call.path("message_id"))
        return success(call.request_id, MessageAnswer.of(message))

    async def get_payload(self, call: Call) -> Answer:
        """GET /v1/messages/{message_id}/payload."""
        return raw_json(await self._messages.get_payload(call.project_id, call.path("message_id")))

    async def list_attempts(self, call: Call) -> Answer:
        """GET /v1/messages/{message_id}/attempts."""
        attempts, has_more = await self._messages.list_attempts(
            call.project_id, call.path("message_id")
        )
        items = [AttemptAnswer.of(attempt) for attempt in attempts]
        return listing(call.request_id, items, has_more=has_more)

    async def list_logs(self, call: Call) -> Answer:
        """GET /v1/logs."""
        request = call.request
        page = await self._messages.list_logs(
            call.project_id,
            endpoint_id=_ENDPOINT_ID.text(request),
            status=_STATUS.text(request),
            start_time=_START_TIME.moment(request),
            end_time=_END_TIME.moment(request),
            limit=_LIMIT.whole(request),
            cursor=CURSOR.text(request),
        )
        return listing(
            call.request_id,
            [LogEntryAnswer.of(entry) for entry in page.items],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )
