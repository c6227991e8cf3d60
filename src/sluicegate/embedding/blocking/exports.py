"""The calls of `sluicegate.engine.calls.exports`, each of which blocks until it is answered.

Made by `make blocking-calls`; a test compares.
"""

from datetime import datetime

from sluicegate.embedding.blocking.scope import BlockingScope
from sluicegate.engine.export_model import EXPORTS_LISTED_MAX, Export
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.pages import Page

__all__ = ["BlockingExportCalls"]


class BlockingExportCalls(BlockingScope):
    """Exports of one project: messages as CSV files, written in the background."""

    def create_export(
        self,
        *,
        start_time: datetime,
        end_time: datetime,
        status: MessageStatus | None = None,
        endpoint_id: str | None = None,
        timeout_s: float | None = None,
    ) -> Export:
        """Ask for a file of messages; it is written in the background, also after a restart.

        Args:
            start_time: messages accepted then or later; without a time zone UTC is meant.
            end_time: … and before this.
            status: only messages that read so when their line is written.
            endpoint_id: only messages to this endpoint.
            timeout_s: how long to wait, in seconds; the engine's own when not given.

        Raises:
            InvalidRequestError: a bad value, or too many exports.
            EndpointNotFoundError: there never was such an endpoint.
        """
        return self._call(
            lambda engine: engine.create_export(
                start_time=start_time, end_time=end_time, status=status, endpoint_id=endpoint_id
            ),
            timeout_s,
        )

    def get_export(self, export_id: str, *, timeout_s: float | None = None) -> Export:
        """Return an export as it stands."""
        return self._call(lambda engine: engine.get_export(export_id), timeout_s)

    def list_exports(
        self,
        *,
        limit: int = EXPORTS_LISTED_MAX,
        cursor: str | None = None,
        timeout_s: float | None = None,
    ) -> Page[Export]:
        """Return a page of exports, newest first; `limit` 1..100."""
        return self._call(lambda engine: engine.list_exports(limit=limit, cursor=cursor), timeout_s)

    def export_file(self, export_id: str, *, timeout_s: float | None = None) -> str:
        """Return the path of a completed export's file (CSV, UTF-8); leave the file as it is.

        Raises:
            ExportNotReadyError: it is not completed yet, or has failed.
            ExportExpiredError: its file was removed.
        """
        return self._call(lambda engine: engine.export_file(export_id), timeout_s)

    def delete_export(self, export_id: str, *, timeout_s: float | None = None) -> None:
        """Delete an export and its file; one that is being written is stopped."""
        self._call(lambda engine: engine.delete_export(export_id), timeout_s)
