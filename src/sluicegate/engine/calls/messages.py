"""What an embedding program asks about messages."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice

from sluicegate.engine.calls.scope import ProjectScope
from sluicegate.engine.drafts import (
    BATCH_MAX,
    MessageDraft,
    draft,
    json_text,
    message_draft,
)
from sluicegate.engine.errors import InvalidRequestError, SluicegateError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import (
    Accepted,
    Attempt,
    LogEntry,
    Message,
)
from sluicegate.engine.pages import Page

__all__ = ["MessageCalls"]


class MessageCalls(ProjectScope):
    """Messages of one project, by name and with plain values."""

    async def send(
        self,
        endpoint_id: str,
        payload: object,
        *,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        retention_hours: int | None = None,
    ) -> Accepted:
        """Accept a message; when this returns it survives `kill -9` and power loss.

        Args:
            endpoint_id: where to.
            payload: any JSON value; `bytes` are JSON text, delivered byte for byte.
            headers: sent beside the endpoint's own.
            idempotency_key: 1 to 255 of `[a-zA-Z0-9_-]`; the same key and payload again give
                the same message.
            retention_hours: how long the payload is kept once delivered; 0 = not at all.

        Raises:
            EndpointNotFoundError: there is no such endpoint.
            IdempotencyMismatchError: the key stands for another payload.
            PayloadTooLargeError, InvalidHeadersError, InvalidRequestError: the message.
        """
        message = draft(
            MessageDraft,
            endpoint_id=endpoint_id,
            payload=json_text(payload),
            headers=headers,
            idempotency_key=idempotency_key,
            retention_hours=retention_hours,
        )
        return await self.services.messages.send(self._project, message)

    async def send_batch(
        self, messages: Sequence[Mapping[str, object]]
    ) -> list[Accepted | SluicegateError]:
        """Accept 1 to 1,000 messages in one durable commit; each answers for itself.

        Args:
            messages: the arguments of `send`, by name.

        Returns:
            For each message, in order, its id; or the error that `send` would have raised.

        Raises:
            InvalidRequestError: it is no list, or there are none or too many.
            UnavailableError: nothing was stored; try again later.
        """
        drafts = [_draft_or_error(each) for each in islice(_list(messages), BATCH_MAX + 1)]
        return await self.services.messages.send_batch(self._project, drafts)

    async def get_message(self, message_id: str) -> Message:
        """Return a message as it stands."""
        return await self.services.messages.get(self._project, message_id)

    async def get_payload(self, message_id: str) -> bytes:
        """Return a message's payload, byte for byte."""
        return await self.services.messages.get_payload(self._project, message_id)

    async def list_attempts(self, message_id: str) -> list[Attempt]:
        """Return a message's attempts, oldest first, at most `attempts_listed_max`."""
        attempts, _ = await self.services.messages.list_attempts(self._project, message_id)
        return attempts

    async def list_logs(
        self,
        *,
        endpoint_id: str | None = None,
        status: MessageStatus | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[LogEntry]:
        """Return a page of the log, newest first.

        Args:
            endpoint_id: only messages to this endpoint.
            status: only messages that read so now.
            start_time: accepted then or later; without a time zone UTC is meant.
            end_time: accepted before.
            limit: 1..500.
            cursor: the `next_cursor` of the page before, with the same filters.
        """
        return await self.services.messages.list_logs(
            self._project,
            endpoint_id=endpoint_id,
            status=status,
            start_time=start_time,
            end_time=end_time,
            limit=limit,
            cursor=cursor,
        )


def _draft_or_error(fields: object) -> MessageDraft | SluicegateError:
    try:
        return message_draft(fields)
    except SluicegateError as error:
        return error


def _list(messages: object) -> Sequence[object]:
    if isinstance(messages, Sequence) and not isinstance(messages, str | bytes | bytearray):
        return messages
    raise InvalidRequestError("messages must be a list", details={"field": "messages"})
