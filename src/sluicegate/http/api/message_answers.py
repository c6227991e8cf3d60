"""What is answered about messages and their attempts: contract sections 3 and 6."""

from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import Accepted, Attempt, LogEntry, Message, RetryType
from sluicegate.engine.moments import format_moment
from sluicegate.http.api.fields import ApiKeyId, EndpointId, Moment, ProjectId, Uuid7, known_moment

__all__ = [
    "AcceptedAnswer",
    "AttemptAnswer",
    "BatchItemAnswer",
    "ItemErrorAnswer",
    "LogEntryAnswer",
    "MessageAnswer",
]


class AcceptedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is stored and will be delivered."""

    message_id: Uuid7
    status: Literal["queued"] = "queued"
    """Always `queued`, also on a paused endpoint."""

    @classmethod
    def of(cls, accepted: Accepted) -> Self:
        """Write what became of a message that was sent."""
        return cls(message_id=accepted.message_id)


class ItemErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Why one item of many was refused."""

    code: str
    message: str


class BatchItemAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one message of a batch: `message_id` and `status`, or `error`."""

    message_id: Uuid7 | None = None
    status: Literal["queued"] | None = None
    error: ItemErrorAnswer | None = None

    @classmethod
    def of(cls, slot: Accepted | SluicegateError) -> Self:
        """Write what became of one message of a batch."""
        if isinstance(slot, Accepted):
            return cls(message_id=slot.message_id, status="queued")
        return cls(error=ItemErrorAnswer(code=slot.code, message=slot.message))


class MessageAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message; what is not known is absent."""

    id: Uuid7
    project_id: ProjectId
    endpoint_id: EndpointId
    status: MessageStatus
    attempt_count: int
    """Attempts so far, over all replays."""
    replay_count: int
    content_type: str
    size_bytes: int
    """Of the payload."""
    payload_sha256: Annotated[str, Meta(extra_json_schema={"pattern": "^[0-9a-f]{64}$"})]
    created_at: Moment
    updated_at: Moment
    idempotency_key: str | None = None
    next_attempt_at: Moment | None = None
    """When a retry is due."""
    last_error: str | None = None
    response_status: int | None = None
    """Of the last attempt that was answered."""
    response_latency_ms: int | None = None
    delivered_at: Moment | None = None
    queue_wait_ms: int | None = None
    """From acceptance to the start of the first attempt."""
    total_delivery_ms: int | None = None
    """From acceptance to the end of the attempt that succeeded."""
    retention_hours: int | None = None
    deleted_at: Moment | None = None
    deleted_by_api_key_id: ApiKeyId | None = None

    @classmethod
    def of(cls, message: Message) -> Self:
        """Write a message."""
        return cls(
            id=message.id,
            project_id=message.project_id,
            endpoint_id=message.endpoint_id,
            status=message.status,
            attempt_count=message.attempt_count,
            replay_count=message.replay_count,
            content_type=message.content_type,
            size_bytes=message.size_bytes,
            payload_sha256=message.payload_sha256,
            created_at=format_moment(message.created_at),
            updated_at=format_moment(message.updated_at),
            idempotency_key=message.idempotency_key,
            next_attempt_at=known_moment(message.next_attempt_at),
            last_error=message.last_error,
            response_status=message.response_status,
            response_latency_ms=message.response_latency_ms,
            delivered_at=known_moment(message.delivered_at),
            queue_wait_ms=message.queue_wait_ms,
            total_delivery_ms=message.total_delivery_ms,
            retention_hours=message.retention_hours,
            deleted_at=known_moment(message.deleted_at),
            deleted_by_api_key_id=message.deleted_by_api_key_id,
        )


class AttemptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request to the receiver; what did not happen is null."""

    id: Uuid7
    attempt_no: int
    """From 1, over all replays."""
    created_at: Moment
    """When it started."""
    response_status: int | None
    response_latency_ms: int | None
    processing_ms: int | None
    error_text: str | None
    response_headers: dict[str, str] | None
    retry_type: RetryType | None
    """Which schedule the retry after it follows: `fast` after 429, `slow` after anything else;
    null when there is no retry."""
    retry_after_seconds: int | None
    """What the receiver asked for."""
    resolved_ip: str | None
    """The address that was connected to."""
    request_headers: dict[str, str] | None
    dns_ms: int | None
    tcp_connect_ms: int | None
    tls_handshake_ms: int | None
    ttfb_ms: int | None
    """From the end of the request to the first byte of the answer."""
    transfer_ms: int | None
    conn_reused: bool
    response_body: str | None
    """The first 4 KiB as text."""
    response_body_truncated: bool

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """Write an attempt; times are whole milliseconds."""
        return cls(
            id=attempt.id,
            attempt_no=attempt.attempt_no,
            created_at=format_moment(attempt.created_at),
            response_status=attempt.response_status,
            response_latency_ms=attempt.response_latency_ms,
            processing_ms=attempt.processing_ms,
            error_text=attempt.error_text,
            response_headers=attempt.response_headers,
            retry_type=attempt.retry_type,
            retry_after_seconds=attempt.retry_after_seconds,
            resolved_ip=attempt.resolved_ip,
            request_headers=attempt.request_headers,
            dns_ms=_whole(attempt.dns_ms),
            tcp_connect_ms=_whole(attempt.tcp_connect_ms),
            tls_handshake_ms=_whole(attempt.tls_handshake_ms),
            ttfb_ms=_whole(attempt.ttfb_ms),
            transfer_ms=_whole(attempt.transfer_ms),
            conn_reused=attempt.conn_reused,
            response_body=attempt.response_body,
            response_body_truncated=attempt.response_body_truncated,
        )


class LogEntryAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message in short; what is not known is absent."""

    message_id: Uuid7
    endpoint: str
    """The endpoint's URL."""
    status: MessageStatus
    attempt_count: int
    created_at: Moment
    delivered_at: Moment | None = None
    next_attempt_at: Moment | None = None
    response_status: int | None = None
    response_latency_ms: int | None = None
    last_error: str | None = None
    deleted_at: Moment | None = None

    @classmethod
    def of(cls, entry: LogEntry) -> Self:
        """Write a message in short."""
        return cls(
            message_id=entry.message_id,
            endpoint=entry.endpoint,
            status=entry.status,
            attempt_count=entry.attempt_count,
            created_at=format_moment(entry.created_at),
            delivered_at=known_moment(entry.delivered_at),
            next_attempt_at=known_moment(entry.next_attempt_at),
            response_status=entry.response_status,
            response_latency_ms=entry.response_latency_ms,
            last_error=entry.last_error,
            deleted_at=known_moment(entry.deleted_at),
        )


def _whole(ms: float | None) -> int | None:
    return None if ms is None else round(ms)  # clients in typed languages expect integers
