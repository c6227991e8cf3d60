"""What a program that embeds Sluicegate asks of one project, by name and with plain values."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice

from sluicegate.engine.drafts import (
    EndpointDraft,
    EndpointPatch,
    MessageDraft,
    draft,
    json_text,
    message_draft,
)
from sluicegate.engine.errors import InvalidRequestError, SluicegateError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.messages import BATCH_MAX
from sluicegate.engine.model import (
    Accepted,
    ApiKey,
    Attempt,
    CreatedApiKey,
    CreatedEndpoint,
    CreatedSigningKey,
    Endpoint,
    LogEntry,
    Message,
    SigningKey,
)
from sluicegate.engine.services import Page, Services

__all__ = ["ProjectCalls"]


class ProjectCalls:
    """The use cases for one project: values are made drafts, answers are the use cases'.

    Every method raises the errors of `sluicegate.engine.errors`, whatever values it is given;
    and `RuntimeError` before there is a project, that is before the engine is open.
    """

    services: Services
    """The use cases, by project."""
    _project_id: str | None = None

    @property
    def _project(self) -> str:
        if self._project_id is None:
            msg = "the engine is not open: use `async with Engine(...) as engine:`"
            raise RuntimeError(msg)
        return self._project_id

    # -- endpoints --------------------------------------------------------------------------

    async def create_endpoint(self, url: str, **config: object) -> CreatedEndpoint:
        """Create an endpoint.

        Args:
            url: where to deliver; `https`, 12 to 2048 characters.
            **config: `description`, `rate_limit_rps`, `burst`, `headers`, `ordered`,
                `max_in_flight`, `timeout_s`, as in `EndpointConfig`.

        Raises:
            InvalidEndpointError, EndpointBlockedError, EndpointUnreachableError: the URL.
            DuplicateUrlError: an endpoint has it.
            InvalidRequestError, InvalidHeadersError: another field.
        """
        return await self.services.endpoints.create(
            self._project, draft(EndpointDraft, url=url, **config)
        )

    async def get_endpoint(self, endpoint_id: str) -> Endpoint:
        """Return an endpoint with the counts of its messages."""
        return await self.services.endpoints.get(self._project, endpoint_id)

    async def list_endpoints(self, *, limit: int = 50, cursor: str | None = None) -> Page[Endpoint]:
        """Return a page of endpoints, newest first; `limit` 1..100."""
        return await self.services.endpoints.list(self._project, limit=limit, cursor=cursor)

    async def update_endpoint(self, endpoint_id: str, **changes: object) -> Endpoint:
        """Change any field of `create_endpoint`; the next attempt uses the result."""
        patch = draft(EndpointPatch, **changes)
        return await self.services.endpoints.update(self._project, endpoint_id, patch)

    async def delete_endpoint(self, endpoint_id: str) -> None:
        """Delete an endpoint; what waits is given up."""
        await self.services.endpoints.delete(self._project, endpoint_id)

    async def pause(self, endpoint_id: str) -> None:
        """Pause: once this returns no attempt starts until a resume, whatever happens.

        Raises:
            AlreadyPausedError: it is paused.
        """
        await self.services.endpoints.pause(self._project, endpoint_id)

    async def resume(self, endpoint_id: str) -> int:
        """Make everything held due at once, in order; return how many messages that are.

        Raises:
            NotPausedError: it is not paused.
        """
        return await self.services.endpoints.resume(self._project, endpoint_id)

    async def create_signing_key(self, endpoint_id: str) -> CreatedSigningKey:
        """Add a second signing key; both sign until one is deleted."""
        return await self.services.endpoints.create_signing_key(self._project, endpoint_id)

    async def list_signing_keys(self, endpoint_id: str) -> list[SigningKey]:
        """Return the signing keys, newest first, without their secrets."""
        return await self.services.endpoints.list_signing_keys(self._project, endpoint_id)

    async def delete_signing_key(self, endpoint_id: str, key_id: str) -> None:
        """Delete one of two signing keys."""
        await self.services.endpoints.delete_signing_key(self._project, endpoint_id, key_id)

    # -- messages ---------------------------------------------------------------------------

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

    # -- API keys ---------------------------------------------------------------------------

    async def create_api_key(
        self, label: str | None = None, *, mode: str = "live"
    ) -> CreatedApiKey:
        """Create an API key for the HTTP server; it is told only here."""
        return await self.services.api_keys.create(self._project, label, mode)

    async def list_api_keys(self) -> list[ApiKey]:
        """Return the API keys, without the keys."""
        return await self.services.api_keys.list(self._project)

    async def delete_api_key(self, key_id: str) -> None:
        """Delete an API key; it stops working at once."""
        await self.services.api_keys.delete(self._project, key_id)


def _draft_or_error(fields: object) -> MessageDraft | SluicegateError:
    try:
        return message_draft(fields)
    except SluicegateError as error:
        return error


def _list(messages: object) -> Sequence[object]:
    if isinstance(messages, Sequence) and not isinstance(messages, str | bytes | bytearray):
        return messages
    raise InvalidRequestError("messages must be a list", details={"field": "messages"})
