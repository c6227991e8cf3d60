"""The records that exports are made of."""

from datetime import datetime
from enum import StrEnum

import msgspec

from sluicegate.engine.lifecycle import MessageStatus

__all__ = ["EXPORTS_LISTED_MAX", "Export", "ExportQuery", "ExportRow", "ExportStatus", "NewExport"]

EXPORTS_LISTED_MAX = 100
"""Exports on one page."""


class ExportStatus(StrEnum):
    """What an export is doing now."""

    PENDING = "pending"
    """Accepted; its turn comes when those before it are done. A crash changes nothing."""
    PROCESSING = "processing"
    """Its file is being written. After a crash or a stop it is written anew, from its beginning."""
    COMPLETED = "completed"
    """Its file is on the disk, and can be downloaded until it expires."""
    FAILED = "failed"
    """Its file could not be written; `error_message` says why. Nothing is left of it."""
    EXPIRED = "expired"
    """Its time was over, and its file was removed."""


class NewExport(msgspec.Struct, frozen=True, kw_only=True):
    """A checked export on its way into storage."""

    id: str
    """UUIDv7 with dashes."""
    project_id: str
    start_at_ms: int
    end_at_ms: int
    """Later than `start_at_ms`."""
    status: MessageStatus | None
    endpoint_id: str | None
    created_at_ms: int


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """An export as its clients see it; field names are the contract's."""

    id: str
    project_id: str
    status: ExportStatus
    filter_start_time: datetime
    """Messages accepted then or later …"""
    filter_end_time: datetime
    """… and before this."""
    filter_status: MessageStatus | None = None
    filter_endpoint_id: str | None = None
    row_count: int | None = None
    """Messages written so far; `None` before it began."""
    file_size_bytes: int | None = None
    """Bytes written so far; `None` before it began."""
    error_message: str | None = None
    """Why it failed."""
    created_at: datetime
    started_at: datetime | None = None
    """When it last began to be written."""
    completed_at: datetime | None = None
    expires_at: datetime | None = None
    """When its file is removed."""


class ExportQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages a file holds, in the order of their acceptance."""

    project_id: str
    start_at_ms: int
    end_at_ms: int
    status: MessageStatus | None
    endpoint_id: str | None
    seq_first: int
    """No message before this one was accepted in the span of time."""
    seq_last: int
    """At most the newest message when the file was begun: later ones are not in it."""


class ExportRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message as one line of a file. Moments are milliseconds since the Unix epoch."""

    message_id: str
    endpoint_id: str
    endpoint: str
    """The endpoint's URL."""
    status: MessageStatus
    attempt_count: int
    replay_count: int
    created_at_ms: int
    updated_at_ms: int
    delivered_at_ms: int | None
    next_attempt_at_ms: int | None
    response_status: int | None
    response_latency_ms: int | None
    last_error: str | None
    idempotency_key: str | None
    size_bytes: int
    payload_sha256: str
    """Lower-case hex."""
    deleted_at_ms: int | None
