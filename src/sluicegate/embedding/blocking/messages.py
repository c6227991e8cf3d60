"""The calls of `sluicegate.engine.calls.messages`, each of which blocks until it is answered.

Made by `make blocking-calls`; a test compares.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sluicegate.embedding.blocking.scope import BlockingScope
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import Accepted, Attempt, LogEntry, Message
from sluicegate.engine.pages import Page

__all__ = ["BlockingMessageCalls"]


class BlockingMessageCalls(BlockingScope):
    """Messages of one project, by name and with plain values."""

    def send(
        self,
        endpoint_id: str,
        payload: object,
        *,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        retention_hours: int | None = None,
        timeout_s: float | None = None,
    ) -> Accepted:
        """Accept a message; when this returns it survives `kill -9` and power loss.

        Args:
            endpoint_id: where to.
            payload: any JSON value; `bytes` are JSON text, delivered byte for byte.
            headers: sent beside the endpoint's own.
            idempotency_key: 1 to 255 of `[a-zA-Z0-9_-]`; the same key and payload again give
                the same message.
            retention_hours: how long the payload is kept once delivered; 0 = not at all.
            timeout_s: how long to wait, in seconds; the engine's own when not given.

        Raises:
            EndpointNotFoundError: there is no such endpoint.
            IdempotencyMismatchError: the key stands for another payload.
            PayloadTooLargeError, InvalidHeadersError, InvalidRequestError: the message.
        """
        return self._call(
            lambda engine: engine.send(
                endpoint_id,
                payload,
                headers=headers,
                idempotency_key=idempotency_key,
                retention_hours=retention_hours,
            ),
            timeout_s,
        )

    def send_batch(
        self, messages: Sequence[Mapping[str, object]], *, timeout_s: float | None = None
    ) -> list[Accepted | SluicegateError]:
        """Accept 1 to 1,000 messages in one durable commit; each answers for itself.

        Args:
            messages: the arguments of `send`, by name.
            timeout_s: how long to wait, in seconds; the engine's own when not given.

        Returns:
            For each message, in order, its id; or the error that `send` would have raised.

        Raises:
            InvalidRequestError: it is no list, or there are none or too many.
            UnavailableError: nothing was stored; try again later.
        """
        return self._call(lambda engine: engine.send_batch(messages), timeout_s)

    def get_message(self, message_id: str, *, timeout_s: float | None = None) -> Message:
        """Return a message as it stands."""
        return self._call(lambda engine: engine.get_message(message_id), timeout_s)

    def get_payload(self, message_id: str, *, timeout_s: float | None = None) -> bytes:
        """Return a message's payload, byte for byte."""
        return self._call(lambda engine: engine.get_payload(message_id), timeout_s)

    def list_attempts(self, message_id: str, *, timeout_s: float | None = None) -> list[Attempt]:
        """Return a message's attempts, oldest first, at most `attempts_listed_max`."""
        return self._call(lambda engine: engine.list_attempts(message_id), timeout_s)

    def list_logs(
        self,
        *,
        endpoint_id: str | None = None,
        status: MessageStatus | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
        timeout_s: float | None = None,
    ) -> Page[LogEntry]:
        """Return a page of the log, newest first.

        Args:
            endpoint_id: only messages to this endpoint.
            status: only messages that read so now.
            start_time: accepted then or later; without a time zone UTC is meant.
            end_time: accepted before.
            limit: 1..500.
            cursor: the `next_cursor` of the page before, with the same filters.
            timeout_s: how long to wait, in seconds; the engine's own when not given.
        """
        return self._call(
            lambda engine: engine.list_logs(
                endpoint_id=endpoint_id,
                status=status,
                start_time=start_time,
                end_time=end_time,
                limit=limit,
                cursor=cursor,
            ),
            timeout_s,
        )
