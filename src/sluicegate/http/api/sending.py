"""Sending over HTTP: contract section 3."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from sluicegate.engine.drafts import BATCH_MAX, CheckedPayload, HeadersDraft, MessageDraft
from sluicegate.engine.errors import PayloadTooLargeError, SluicegateError
from sluicegate.engine.ids import IDEMPOTENCY_KEY
from sluicegate.engine.message_rules import NESTING_MAX, RETENTION_HOURS
from sluicegate.engine.messages import Messages, only
from sluicegate.engine.model import Accepted
from sluicegate.engine.settings import Settings
from sluicegate.engine.strict_json import check_json
from sluicegate.http.answers import Answer, success
from sluicegate.http.api.fields import EndpointId
from sluicegate.http.api.message_answers import AcceptedAnswer, BatchItemAnswer
from sluicegate.http.api.route import Route
from sluicegate.http.batches import split_batch
from sluicegate.http.bodies import Bodies, body_too_large, decoded
from sluicegate.http.calls import Call
from sluicegate.http.coming import Coming
from sluicegate.http.reading import Reading
from sluicegate.http.whole_requests import WholeRequest

__all__ = ["SendHandlers"]

D = TypeVar("D")

_ENVELOPE_BYTES = 16_384
"""For what stands in a send request beside payload and headers, white space included."""
_ESCAPE_GROWTH = 6
"""A header byte may be written as an escape of six."""
_BATCH_BYTES = 16_777_216

_SEND_TEXT = """\
202 is answered once the message would survive a crash of the process **and** a power loss; from
then on it is delivered at least once. On a paused endpoint it is accepted all the same, and held.

The receiver gets the bytes of `payload` exactly as they stand in the request, number and key
formatting included.

With an `idempotency_key`, sending again is safe: the same payload gets the `message_id` of the
first time and is not delivered twice; another payload gets 409 `IDEMPOTENCY_MISMATCH`. The key
belongs to the endpoint and holds for as long as the message exists.
"""
_BATCH_TEXT = f"""\
1 to {BATCH_MAX} messages in one durable commit. Each item of `data` answers for the message in the
same place: `message_id` and `status`, or an `error`. So 202 does not mean that all were accepted.
"""


class MessageBody(msgspec.Struct, frozen=True):
    """A message that is to be sent."""

    endpoint_id: EndpointId
    """Where to; a malformed id that begins with `ep_` is an unknown one."""
    payload: msgspec.Raw
    """Any JSON value, delivered byte for byte; 1 MiB unless the server is set otherwise."""
    headers: HeadersDraft | None = None
    """Sent with this message; they win over the endpoint's."""
    idempotency_key: (
        Annotated[str, Meta(extra_json_schema={"pattern": f"^{IDEMPOTENCY_KEY.pattern}$"})] | None
    ) = None
    """1 to 255 of `[a-zA-Z0-9_-]`."""
    retention_hours: Annotated[int, RETENTION_HOURS.of_number()] | None = None
    """Hours that the payload is kept after delivery; 0 = none, null = as the server is set."""


class BatchBody(msgspec.Struct, frozen=True):
    """Messages that are to be sent."""

    # It only describes: `split_batch` takes a batch apart.

    messages: Annotated[
        list[MessageBody], Meta(extra_json_schema={"minItems": 1, "maxItems": BATCH_MAX})
    ]
    """Each is accepted or refused on its own."""


_SEND = msgspec.json.Decoder(MessageBody)


class SendHandlers:
    """Translates requests that send messages."""

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
        return (
            Route(
                method="POST",
                path="/v1/webhooks/send",
                handler=self.send,
                in_line=True,
                name="send",
                tag="Sending",
                summary="Send a message",
                description=_SEND_TEXT,
                body=MessageBody,
                status=202,
                answer=AcceptedAnswer,
                gives={"message_id": "/data/message_id"},
                errors=(
                    "INVALID_REQUEST",
                    "INVALID_HEADERS",
                    "PAYLOAD_TOO_LARGE",
                    "ENDPOINT_NOT_FOUND",
                    "IDEMPOTENCY_MISMATCH",
                ),
            ),
            Route(
                method="POST",
                path="/v1/webhooks/send-batch",
                handler=self.send_batch,
                in_line=True,
                name="send_batch",
                tag="Sending",
                summary="Send many messages",
                description=_BATCH_TEXT,
                body=BatchBody,
                status=202,
                answer=list[BatchItemAnswer],
                errors=("INVALID_REQUEST",),
            ),
        )

    def send(self, call: Call) -> Awaitable[Answer]:
        """POST /v1/webhooks/send."""
        return self._accepted(
            call,
            bytes_max=self._send_bytes_max,
            too_large=self._too_large,
            read=_checked_draft,
            accept=self._accept,
        )

    def send_batch(self, call: Call) -> Awaitable[Answer]:
        """POST /v1/webhooks/send-batch."""
        return self._accepted(
            call,
            bytes_max=self._batch_bytes_max,
            too_large=partial(body_too_large, self._batch_bytes_max),
            read=self._drafts,
            accept=self._accept_batch,
        )

    def _accepted(
        self,
        call: Call,
        *,
        bytes_max: int,
        too_large: Callable[[], SluicegateError],
        read: Callable[[bytes], D],
        accept: Callable[[Call, D], Coming[Answer]],
    ) -> Awaitable[Answer]:
        """Answer with what `accept` makes of a body: without a task, if that is short and there."""
        request = call.request
        if isinstance(request, WholeRequest) and self._reading.is_short(len(request.body)):
            body = self._bodies.of_whole(request, bytes_max=bytes_max, too_large=too_large)
            return accept(call, read(body))

        async def accepted() -> Answer:
            async with self._bodies.of(request, bytes_max=bytes_max, too_large=too_large) as body:
                draft = await self._reading.run(len(body), partial(read, body))
                return await accept(call, draft)

        return accepted()

    def _accept(self, call: Call, draft: MessageDraft) -> Coming[Answer]:
        def answer(answers: list[Accepted | SluicegateError]) -> Answer:
            return success(call.request_id, AcceptedAnswer.of(only(answers)), status=202)

        return Coming(self._messages.begin_send(call.project_id, draft), answer)

    def _accept_batch(
        self, call: Call, drafts: list[MessageDraft | SluicegateError]
    ) -> Coming[Answer]:
        def answer(slots: list[Accepted | SluicegateError]) -> Answer:
            data = [BatchItemAnswer.of(slot) for slot in slots]
            return success(call.request_id, data, status=202)

        return Coming(self._messages.send_batch(call.project_id, drafts), answer)

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


def _draft(body: MessageBody) -> MessageDraft:
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
