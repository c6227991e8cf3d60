"""What an embedding program asks about exports."""

from datetime import datetime

from sluicegate.engine.calls.scope import ProjectScope
from sluicegate.engine.export_model import EXPORTS_LISTED_MAX, Export
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.pages import Page

__all__ = ["ExportCalls"]


class ExportCalls(ProjectScope):
    """Exports of one project: messages as CSV files, written in the background."""

    async def create_export(
        self,
        *,
        start_time: datetime,
        end_time: datetime,
        status: MessageStatus | None = None,
        endpoint_id: str | None = None,
    ) -> Export:
        """Ask for a file of messages; it is written in the background, also after a restart.

        Args:
            start_time: messages accepted then or later; without a time zone UTC is meant.
            end_time: … and before this.
            status: only messages that read so when their line is written.
            endpoint_id: only messages to this endpoint.

        Raises:
            InvalidRequestError: a bad value, or too many exports.
            EndpointNotFoundError: there never was such an endpoint.
        """
        return await self.services.exports.create(
            self._project,
            start_time=start_time,
            end_time=end_time,
            status=status,
            endpoint_id=endpoint_id,
        )

    async def get_export(self, export_id: str) -> Export:
        """Return an export as it stands."""
        return await self.services.exports.get(self._project, export_id)

    async def list_exports(
        self, *, limit: int = EXPORTS_LISTED_MAX, cursor: str | None = None
    ) -> Page[Export]:
        """Return a page of exports, newest first; `limit` 1..100."""
        return await self.services.exports.list(self._project, limit=limit, cursor=cursor)

    async def export_file(self, export_id: str) -> str:
        """Return the path of a completed export's file (CSV, UTF-8); leave the file as it is.

        Raises:
            ExportNotReadyError: it is not completed yet, or has failed.
            ExportExpiredError: its file was removed.
        """
        return await self.services.exports.file(self._project, export_id)

    async def delete_export(self, export_id: str) -> None:
        """Delete an export and its file; one that is being written is stopped."""
        await self.services.exports.delete(self._project, export_id)
