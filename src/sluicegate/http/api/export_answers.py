"""What is answered about exports: contract section 6."""

from typing import Self

import msgspec

from sluicegate.engine.export_model import Export, ExportStatus
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.moments import format_moment
from sluicegate.http.api.fields import EndpointId, Moment, ProjectId, Uuid7, known_moment

__all__ = ["ExportAnswer"]


class ExportAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An export; what is not known is absent."""

    id: Uuid7
    project_id: ProjectId
    status: ExportStatus
    filter_start_time: Moment
    """Messages accepted then or later."""
    filter_end_time: Moment
    """Messages accepted before."""
    created_at: Moment
    filter_status: MessageStatus | None = None
    filter_endpoint_id: EndpointId | None = None
    row_count: int | None = None
    """Messages written so far."""
    file_size_bytes: int | None = None
    """Bytes written so far."""
    error_message: str | None = None
    """Why it failed."""
    started_at: Moment | None = None
    completed_at: Moment | None = None
    """When it ended, well or not."""
    expires_at: Moment | None = None
    """When its file is removed."""

    @classmethod
    def of(cls, export: Export) -> Self:
        """Write an export."""
        return cls(
            id=export.id,
            project_id=export.project_id,
            status=export.status,
            filter_start_time=format_moment(export.filter_start_time),
            filter_end_time=format_moment(export.filter_end_time),
            created_at=format_moment(export.created_at),
            filter_status=export.filter_status,
            filter_endpoint_id=export.filter_endpoint_id,
            row_count=export.row_count,
            file_size_bytes=export.file_size_bytes,
            error_message=export.error_message,
            started_at=known_moment(export.started_at),
            completed_at=known_moment(export.completed_at),
            expires_at=known_moment(export.expires_at),
        )
