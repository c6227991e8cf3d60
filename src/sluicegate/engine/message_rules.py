"""What a message must be like to be accepted: everything that is known without storage."""

import hashlib
from typing import TYPE_CHECKING

from sluicegate.engine import bounds
from sluicegate.engine.bounds import Limits
from sluicegate.engine.drafts import CheckedPayload, MessageDraft
from sluicegate.engine.errors import (
    EndpointNotFoundError,
    InvalidRequestError,
    PayloadTooLargeError,
    SluicegateError,
)
from sluicegate.engine.filters import bad_endpoint_id
from sluicegate.engine.headers import check_headers
from sluicegate.engine.ids import is_endpoint_id, is_idempotency_key, is_message_id
from sluicegate.engine.model import NewMessage
from sluicegate.engine.outbox import OutboxEntry
from sluicegate.engine.settings import Settings
from sluicegate.engine.strict_json import check_json

if TYPE_CHECKING:
    from sluicegate.engine.ports import Clock, Random  # with all other ports: see `ids`

__all__ = ["NESTING_MAX", "RETENTION_HOURS", "MessageRules"]

NESTING_MAX = 100
"""Levels of a send request, the object around the payload included."""

RETENTION_HOURS = Limits(0, 876_000)
"""Up to a century: what is beyond it overflows nothing, but means nothing."""


class MessageRules:
    """Makes drafts messages, or refuses them. Keeps no state; safe from any thread."""

    def __init__(self, *, clock: "Clock", random: "Random", settings: Settings) -> None:
        """Take what ids, moments and limits come from."""
        self._clock = clock
        self._random = random
        self._settings = settings

    def checked(self, project_id: str, draft: MessageDraft) -> NewMessage:
        """Return the message that a draft makes, with a new id, accepted now.

        Raises:
            InvalidRequestError: a field of the wrong type, form or range.
            PayloadTooLargeError: the payload is over the limit.
            InvalidHeadersError: a header is reserved, malformed, or one too many.
            EndpointNotFoundError: no endpoint can have this id.
        """
        return self._message(
            project_id,
            draft,
            message_id=self._random.uuid7(),
            accepted_at_ms=self._clock.wall_ms(),
        )

    def checked_or_refused(
        self, project_id: str, draft: MessageDraft | SluicegateError
    ) -> NewMessage | SluicegateError:
        """Return what `checked` returns or raises; an error stays one."""
        if isinstance(draft, SluicegateError):
            return draft
        try:
            return self.checked(project_id, draft)
        except SluicegateError as error:
            return error

    def relayed_or_refused(
        self, project_id: str, entry: OutboxEntry
    ) -> NewMessage | SluicegateError:
        """Return the message that an outbox's entry makes, or why it makes none.

        All is checked again: other settings may hold by now, and others may write to an outbox.
        """
        if isinstance(entry.draft, SluicegateError):
            return entry.draft
        try:
            if not is_message_id(entry.id):
                raise InvalidRequestError(
                    "id must be a UUIDv7 in lower case with dashes", details={"field": "id"}
                )
            now_ms = self._clock.wall_ms()
            return self._message(
                project_id,
                entry.draft,
                message_id=entry.id,
                # Another machine's clock may be fast: nothing is accepted before it is here.
                accepted_at_ms=max(0, min(entry.accepted_at_ms, now_ms)),
            )
        except SluicegateError as error:
            return error

    def _message(
        self, project_id: str, draft: MessageDraft, *, message_id: str, accepted_at_ms: int
    ) -> NewMessage:
        if not is_endpoint_id(draft.endpoint_id):
            raise _no_endpoint(draft.endpoint_id)
        payload = self._checked_payload(draft.payload)
        headers: dict[str, str] = {}
        if given := bounds.headers_of(draft.headers):
            headers = check_headers(
                given,
                count_max=self._settings.headers_count_max,
                bytes_max=self._settings.headers_bytes_max,
            )
        _check_idempotency_key(draft.idempotency_key)
        hours = draft.retention_hours
        if hours is not None:
            bounds.whole(
                "retention_hours",
                hours,
                minimum=RETENTION_HOURS.minimum,
                maximum=RETENTION_HOURS.maximum,
            )
        return NewMessage(
            id=message_id,
            project_id=project_id,
            endpoint_id=draft.endpoint_id,
            payload=payload,
            payload_sha256=hashlib.sha256(payload).digest(),
            headers=headers,
            idempotency_key=draft.idempotency_key,
            retention_hours=hours,
            accepted_at_ms=accepted_at_ms,
        )

    def _checked_payload(self, payload: bytes | CheckedPayload) -> bytes:
        text = payload.text if isinstance(payload, CheckedPayload) else payload
        if not isinstance(text, bytes):
            raise InvalidRequestError("payload must be bytes of JSON", details={"field": "payload"})
        maximum = self._settings.payload_bytes_max
        if len(text) > maximum:
            raise PayloadTooLargeError(
                f"payload is {len(text)} bytes, at most {maximum} are allowed",
                details={"field": "payload", "maximum": maximum},
            )
        if not isinstance(payload, CheckedPayload):
            try:
                check_json(text, depth_max=NESTING_MAX - 1)
            except InvalidRequestError as error:
                raise InvalidRequestError(
                    error.message.replace("request body", "payload", 1),
                    details={**error.details, "field": "payload"},
                ) from None
        return text


def _no_endpoint(endpoint_id: object) -> SluicegateError:
    """Return why a malformed id is refused: it is an unknown one if it begins as ids do."""
    if isinstance(endpoint_id, str) and endpoint_id.startswith("ep_"):
        return EndpointNotFoundError()
    return bad_endpoint_id()


def _check_idempotency_key(key: object) -> None:
    if key is not None and not (isinstance(key, str) and is_idempotency_key(key)):
        raise InvalidRequestError(
            "idempotency_key must be 1 to 255 of a-z, A-Z, 0-9, _ and -",
            details={"field": "idempotency_key", "minimum": 1, "maximum": 255},
        )
