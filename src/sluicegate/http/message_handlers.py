"""Messages over HTTP: contract sections 3 and 6."""

from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web

from sluicegate.engine.drafts import CheckedPayload, MessageDraft
from sluicegate.engine.errors import InvalidRequestError, PayloadTooLargeError, SluicegateError
from sluicegate.engine.messages import BATCH_MAX, NESTING_MAX, Messages
from sluicegate.engine.moments import from_ms, parse_moment
from sluicegate.engine.settings import Settings
from sluicegate.engine.strict_json import check_json
from sluicegate.http import responses
from sluicegate.http.answers import listing, raw_json, success
from sluicegate.http.batches import split_batch
from sluicegate.http.bodies import Bodies, decoded
from sluicegate.http.calls import Call
from sluicegate.http.queries import query_text, query_whole

__all__ = ["MessageHandlers"]

_ENVELOPE_BYTES = 16_384
"""For what stands in a send request beside payload and headers, white space included."""
_ESCAPE_GROWTH = 6
"""A header byte may be written as an escape of six."""
_BATCH_BYTES = 16_777_216
_BATCH_LEVELS = 2
"""The object and the array around each message."""


class _SendBody(msgspec.Struct, frozen=True):
    endpoint_id: str
    payload: msgspec.Raw
    headers: dict[str, str] | None = None
    idempotency_key: str | None = None
    retention_hours: int | None = None


class _BatchBody(msgspec.Struct, frozen=True):
    messages: Annotated[list[_SendBody], msgspec.Meta(max_length=BATCH_MAX)]


class _UnreadBatchBody(msgspec.Struct, frozen=True):
    messages: msgspec.Raw


_SEND = msgspec.json.Decoder(_SendBody)
_BATCH = msgspec.json.Decoder(_BatchBody)
_UNREAD_BATCH = msgspec.json.Decoder(_UnreadBatchBody)


class MessageHandlers:
    """Translates requests that send messages and ask about them."""

    def __init__(self, messages: Messages, bodies: Bodies, settings: Settings) -> None:
        self._messages = messages
        self._bodies = bodies
        self._payload_bytes_max = settings.payload_bytes_max
        self._send_bytes_max = (
            settings.payload_bytes_max
            + settings.headers_bytes_max * _ESCAPE_GROWTH
            + _ENVELOPE_BYTES
        )
        self._batch_bytes_max = max(_BATCH_BYTES, self._send_bytes_max)

    async def send(self, call: Call) -> web.Response:
        """POST /v1/webhooks/send."""
        maximum = self._payload_bytes_max
        too_large = PayloadTooLargeError(
            f"payload is over {maximum} bytes", details={"field": "payload", "maximum": maximum}
        )
        async with self._bodies.of(
            call.request, bytes_max=self._send_bytes_max, too_large=too_large
        ) as body:
            check_json(body, depth_max=NESTING_MAX)
            accepted = await self._messages.send(call.project_id, _draft(decoded(body, _SEND)))
        return success(call.request_id, responses.accepted_or_error(accepted), status=202)

    async def send_batch(self, call: Call) -> web.Response:
        """POST /v1/webhooks/send-batch."""
        maximum = self._batch_bytes_max
        too_large = InvalidRequestError(
            f"request body is over {maximum} bytes", details={"maximum": maximum}
        )
        async with self._bodies.of(call.request, bytes_max=maximum, too_large=too_large) as body:
            check_json(body, depth_max=NESTING_MAX + _BATCH_LEVELS)
            slots = await self._messages.send_batch(call.project_id, _drafts(body))
        return success(
            call.request_id, [responses.accepted_or_error(slot) for slot in slots], status=202
        )

    async def get(self, call: Call) -> web.Response:
        """GET /v1/messages/{message_id}."""
        message = await self._messages.get(call.project_id, call.path("message_id"))
        return success(call.request_id, responses.message(message))

    async def get_payload(self, call: Call) -> web.Response:
        """GET /v1/messages/{message_id}/payload."""
        return raw_json(await self._messages.get_payload(call.project_id, call.path("message_id")))

    async def list_attempts(self, call: Call) -> web.Response:
        """GET /v1/messages/{message_id}/attempts."""
        attempts, has_more = await self._messages.list_attempts(
            call.project_id, call.path("message_id")
        )
        items = [responses.attempt(attempt) for attempt in attempts]
        return listing(call.request_id, items, has_more=has_more)

    async def list_logs(self, call: Call) -> web.Response:
        """GET /v1/logs."""
        request = call.request
        page = await self._messages.list_logs(
            call.project_id,
            endpoint_id=query_text(request, "endpoint_id"),
            status=query_text(request, "status"),
            start_time=_moment(request, "start_time"),
            end_time=_moment(request, "end_time"),
            limit=query_whole(request, "limit", default=50),
            cursor=query_text(request, "cursor"),
        )
        return listing(
            call.request_id,
            [responses.log_entry(entry) for entry in page.items],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )


def _draft(body: _SendBody) -> MessageDraft:
    return MessageDraft(
        endpoint_id=body.endpoint_id,
        payload=CheckedPayload(bytes(body.payload)),
        headers=body.headers,
        idempotency_key=body.idempotency_key,
        retention_hours=body.retention_hours,
    )


def _drafts(body: bytes) -> list[MessageDraft | SluicegateError]:
    """Read a batch at once; if that fails one by one, so that each answers for itself."""
    try:
        return [_draft(each) for each in _BATCH.decode(body).messages]
    except msgspec.DecodeError:
        array = bytes(decoded(body, _UNREAD_BATCH).messages)
        return [_draft_or_error(item) for item in split_batch(array, items_max=BATCH_MAX)]


def _draft_or_error(item: bytes) -> MessageDraft | SluicegateError:
    try:
        return _draft(decoded(item, _SEND))
    except SluicegateError as error:
        return error


def _moment(request: web.Request, name: str) -> datetime | None:
    text = query_text(request, name)
    if text is None:
        return None
    try:
        return from_ms(parse_moment(text))
    except InvalidRequestError as error:
        raise InvalidRequestError(
            f"{name}: {error.message}", details={**error.details, "field": name}
        ) from None
