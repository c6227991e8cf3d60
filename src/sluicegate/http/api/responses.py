"""The records of the engine as the contract writes them (sections 3 to 6)."""

from collections.abc import Mapping

from sluicegate.engine.errors import SluicegateError
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
from sluicegate.engine.moments import format_moment

__all__ = [
    "accepted_or_error",
    "api_key",
    "attempt",
    "created_api_key",
    "created_endpoint",
    "created_signing_key",
    "endpoint",
    "endpoint_summary",
    "log_entry",
    "message",
    "signing_key",
]

Json = dict[str, object]


def accepted_or_error(slot: Accepted | SluicegateError) -> Json:
    """Write what became of one message that was sent."""
    if isinstance(slot, Accepted):
        return {"message_id": slot.message_id, "status": "queued"}
    return {"error": {"code": slot.code, "message": slot.message}}


def created_endpoint(created: CreatedEndpoint) -> Json:
    """Write a new endpoint with its secret."""
    return {
        "id": created.endpoint.id,
        "url": created.endpoint.config.url,
        "description": created.endpoint.config.description,
        "signing_key_id": created.signing_key.id,
        "signing_secret": created.signing_key.signing_secret,
        "key_hint": created.signing_key.key_hint,
        "created_at": format_moment(created.endpoint.created_at),
    }


def endpoint_summary(one: Endpoint) -> Json:
    """Write an endpoint as a list shows it."""
    return {
        "id": one.id,
        "url": one.config.url,
        "description": one.config.description,
        "paused": one.paused,
        "created_at": format_moment(one.created_at),
    }


def endpoint(one: Endpoint) -> Json:
    """Write everything about an endpoint but its secrets."""
    config, counts = one.config, one.counts
    return {
        "id": one.id,
        "url": config.url,
        "description": config.description,
        "rate_limit_rps": config.rate_limit_rps,
        "burst": config.burst,
        "headers": config.headers,
        "paused": one.paused,
        "paused_at": None if one.paused_at is None else format_moment(one.paused_at),
        "pause_reason": one.pause_reason,
        "ordered": config.ordered,
        "max_in_flight": config.max_in_flight,
        "timeout_s": _shortest(config.timeout_s),
        "counts": {
            "queued": counts.queued,
            "delivering": counts.delivering,
            "pending_retry": counts.pending_retry,
            "paused": counts.paused,
            "failed_permanent": counts.failed_permanent,
        },
        "created_at": format_moment(one.created_at),
        "updated_at": format_moment(one.updated_at),
    }


def signing_key(key: SigningKey) -> Json:
    """Write a signing key without its secret."""
    return {"id": key.id, "key_hint": key.key_hint, "created_at": format_moment(key.created_at)}


def created_signing_key(key: CreatedSigningKey) -> Json:
    """Write a new signing key with its secret."""
    return {
        "id": key.id,
        "signing_secret": key.signing_secret,
        "key_hint": key.key_hint,
        "created_at": format_moment(key.created_at),
    }


def message(one: Message) -> Json:
    """Write a message; what is not known is absent."""
    known = {
        "idempotency_key": one.idempotency_key,
        "next_attempt_at": one.next_attempt_at and format_moment(one.next_attempt_at),
        "last_error": one.last_error,
        "response_status": one.response_status,
        "response_latency_ms": one.response_latency_ms,
        "delivered_at": one.delivered_at and format_moment(one.delivered_at),
        "queue_wait_ms": one.queue_wait_ms,
        "total_delivery_ms": one.total_delivery_ms,
        "retention_hours": one.retention_hours,
        "deleted_at": one.deleted_at and format_moment(one.deleted_at),
        "deleted_by_api_key_id": one.deleted_by_api_key_id,
    }
    return {
        "id": one.id,
        "project_id": one.project_id,
        "endpoint_id": one.endpoint_id,
        "status": one.status,
        "attempt_count": one.attempt_count,
        "replay_count": one.replay_count,
        "content_type": one.content_type,
        "size_bytes": one.size_bytes,
        "payload_sha256": one.payload_sha256,
        "created_at": format_moment(one.created_at),
        "updated_at": format_moment(one.updated_at),
        **_present(known),
    }


def attempt(one: Attempt) -> Json:
    """Write an attempt; what did not happen is null. Times are whole milliseconds."""
    return {
        "id": one.id,
        "attempt_no": one.attempt_no,
        "created_at": format_moment(one.created_at),
        "response_status": one.response_status,
        "response_latency_ms": one.response_latency_ms,
        "processing_ms": one.processing_ms,
        "error_text": one.error_text,
        "response_headers": one.response_headers,
        "retry_type": one.retry_type,
        "retry_after_seconds": one.retry_after_seconds,
        "resolved_ip": one.resolved_ip,
        "request_headers": one.request_headers,
        "dns_ms": _whole(one.dns_ms),
        "tcp_connect_ms": _whole(one.tcp_connect_ms),
        "tls_handshake_ms": _whole(one.tls_handshake_ms),
        "ttfb_ms": _whole(one.ttfb_ms),
        "transfer_ms": _whole(one.transfer_ms),
        "conn_reused": one.conn_reused,
        "response_body": one.response_body,
        "response_body_truncated": one.response_body_truncated,
    }


def log_entry(entry: LogEntry) -> Json:
    """Write a message in short; what is not known is absent."""
    known = {
        "delivered_at": entry.delivered_at and format_moment(entry.delivered_at),
        "next_attempt_at": entry.next_attempt_at and format_moment(entry.next_attempt_at),
        "response_status": entry.response_status,
        "response_latency_ms": entry.response_latency_ms,
        "last_error": entry.last_error,
        "deleted_at": entry.deleted_at and format_moment(entry.deleted_at),
    }
    return {
        "message_id": entry.message_id,
        "endpoint": entry.endpoint,
        "status": entry.status,
        "attempt_count": entry.attempt_count,
        "created_at": format_moment(entry.created_at),
        **_present(known),
    }


def api_key(key: ApiKey) -> Json:
    """Write an API key without the key."""
    known = {"last_used_at": key.last_used_at and format_moment(key.last_used_at)}
    return {
        "key_id": key.key_id,
        "label": key.label,
        "prefix": key.prefix,
        "created_at": format_moment(key.created_at),
        **_present(known),
    }


def created_api_key(key: CreatedApiKey) -> Json:
    """Write a new API key with the key."""
    return {
        "key_id": key.key_id,
        "key": key.key,
        "prefix": key.prefix,
        "label": key.label,
        "created_at": format_moment(key.created_at),
    }


def _present(fields: Mapping[str, object]) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _whole(ms: float | None) -> int | None:
    return None if ms is None else round(ms)  # clients in typed languages expect integers


def _shortest(value: float) -> float:
    return int(value) if value == int(value) else value
