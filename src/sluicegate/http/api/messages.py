"""Messages over HTTP: contract sections 3 and 6."""

from datetime import datetime
from functools import partial

import msgspec
from aiohttp import web

from sluicegate.engine.drafts import CheckedPayload, MessageDraft
from sluicegate.engine.errors import InvalidRequestError, PayloadTooLargeError, SluicegateError
from sluicegate.engine.messages import BATCH_MAX, NESTING_MAX, Messages
from sluicegate.engine.moments import from_ms, parse_moment
from sluicegate.engine.settings import Settings
from sluicegate.engine.strict_json import check_json
from sluicegate.http.answers import listing, raw_json, success
from sluicegate.http.api.message_answers import (
    AcceptedAnswer,
    AttemptAnswer,
    BatchItemAnswer,
    LogEntryAnswer,
    MessageAnswer,
)
from sluicegate.http.api.route import Route
from sluicegate.http.batches import split_batch
from sluicegate.http.bodies import Bodies, decoded
from sluicegate.http.calls import Call
from sluicegate.http.queries import query_text, query_whole
from sluicegate.http.reading import Reading

__all__ = ["MessageHandlers"]

_ENVELOPE_BYTES = 16_384
"""For what stands in a send request beside payload and headers, white space included."""
_ESCAPE_GROWTH = 6
"""A header byte may be written as an escape of six."""
_BATCH_BYTES = 16_777_216


class _SendBody(msgspec.Struct, frozen=True):
    endpoint_id: str
    payload: msgspec.Raw
    headers: dict[str, str] | None = None
    idempotency_key: str | None = None
    retention_hours: int | None = None


_SEND = msgspec.json.Decoder(_SendBody)


class MessageHandlers:
    """Translates requests that send messages and ask about them."""

    def __init__(
        self, messages: Messages, bodies: Bodies, reading: Reading, settings: Settings
    ) -> None:
        self._messages = messages
        self._bodies = bodies
        self._reading = reading
        self._payload_bytes_max = settings.payload_bytes_max
        self._send_bytes_max = (
            settings.payload_bytes_max
            + settings.headers_bytes_max * _ESCAPE_GROWTH
            + _ENVELOPE_BYTES
        )
        self._batch_bytes_max = max(_BATCH_BYTES, self._send_bytes_max)

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        batch, one = "/v1/webhooks/send-batch", "/v1/messages/{message_id}"
        table = (
            ("POST", "/v1/webhooks/send", self.send, "send", "Send a message"),
            ("POST", batch, self.send_batch, "send_batch", "Send many messages"),
            ("GET", one, self.get, "get_message", "Get a message"),
            ("GET", one + "/payload", self.get_payload, "get_payload", "Get a message's payload"),
            ("GET", one + "/attempts", self.list_attempts, "list_attempts", "List attempts"),
            ("GET", "/v1/logs", self.list_logs, "list_logs", "List messages"),
        )
        return tuple(
            Route(method=m, path=path, handler=handler, name=name, tag="Messages", summary=text)
            for m, path, handler, name, text in table
        )

    async def send(self, call: Call) -> web.Response:
        """POST /v1/webhooks/send."""
        async with self._bodies.of(
            call.request, bytes_max=self._send_bytes_max, too_large=self._too_large()
        ) as body:
            draft = await self._reading.run(len(body), partial(_checked_draft, body))
            accepted = await self._messages.send(call.project_id, draft)
        return success(call.request_id, AcceptedAnswer.of(accepted), status=202)

    async def send_batch(self, call: Call) -> web.Response:
        """POST /v1/webhooks/send-batch."""
        maximum = self._batch_bytes_max
        too_large = InvalidRequestError(
            f"request body is over {maximum} bytes", details={"maximum": maximum}
        )
        async with self._bodies.of(call.request, bytes_max=maximum, too_large=too_large) as body:
            drafts = await self._reading.run(len(body), partial(self._drafts, body))
            slots = await self._messages.send_batch(call.project_id, drafts)
        return success(call.request_id, [BatchItemAnswer.of(slot) for slot in slots], status=202)

    def _drafts(self, body: bytes) -> list[MessageDraft | SluicegateError]:
        items = split_batch(
            body,
            items_max=BATCH_MAX,
            item_bytes_max=self._send_bytes_max,
            depth_max=NESTING_MAX,
        )
        return [self._too_large() if item is None else _draft_or_error(item) for item in items]

    def _too_large(self) -> PayloadTooLargeError:
        maximum = self._payload_bytes_max
        return PayloadTooLargeError(
            f"payload is over {maximum} bytes", details={"field": "payload", "maximum": maximum}
        )

    async def get(self, call: Call) -> web.Response:
        """GET /v1/messages/{message_id}."""
        message = await self._messages.get(call.project_id, call.path("message_id"))
        return success(call.request_id, MessageAnswer.of(message))

    async def get_payload(self, call: Call) -> web.Response:
        """GET /v1/messages/{message_id}/payload."""
        return raw_json(await self._messages.get_payload(call.project_id, call.path("message_id")))

    async def list_attempts(self, call: Call) -> web.Response:
        """GET /v1/messages/{message_id}/attempts."""
        attempts, has_more = await self._messages.list_attempts(
            call.project_id, call.path("message_id")
        )
        items = [AttemptAnswer.of(attempt) for attempt in attempts]
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
            [LogEntryAnswer.of(entry) for entry in page.items],
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


def _checked_draft(body: bytes) -> MessageDraft:
    check_json(body, depth_max=NESTING_MAX)
    return _draft(decoded(body, _SEND))


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
