"""The use cases of exports: ask for one, look at it, download its file, delete it."""

from collections.abc import Callable
from datetime import datetime

from sluicegate.engine import bounds
from sluicegate.engine.cursors import encode_cursor
from sluicegate.engine.download_tokens import DownloadTokens
from sluicegate.engine.errors import (
    ExportExpiredError,
    ExportNotReadyError,
    InvalidRequestError,
    NotFoundError,
)
from sluicegate.engine.export_model import EXPORTS_LISTED_MAX, Export, ExportStatus, NewExport
from sluicegate.engine.filters import checked_endpoint_id, checked_status, moment_ms
from sluicegate.engine.ids import is_message_id
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.moments import from_ms
from sluicegate.engine.pages import Page, position_of
from sluicegate.engine.ports import Clock, Random, Storage
from sluicegate.engine.ports.export_files import ExportFiles
from sluicegate.engine.settings import Settings

__all__ = ["Exports"]


class Exports:
    """The exports of every project. Used on the engine's event loop only.

    Every method takes the project that asks; another project's export is an unknown one.
    """

    def __init__(
        self,
        storage: Storage,
        files: ExportFiles,
        clock: Clock,
        random: Random,
        settings: Settings,
        *,
        on_created: Callable[[], None],
    ) -> None:
        """Take what it needs.

        Args:
            storage: keeps the records.
            files: keeps the files.
            clock: dates the records and ends the tokens.
            random: makes ids, and the key of the tokens.
            settings: how many there may be.
            on_created: called when there is a new one, so that it is begun at once.
        """
        self._storage = storage
        self._files = files
        self._clock = clock
        self._random = random
        self._live_max = settings.exports_live_max
        self._on_created = on_created
        self._tokens = DownloadTokens(clock, random)

    async def create(
        self,
        project_id: str,
        *,
        start_time: datetime,
        end_time: datetime,
        status: MessageStatus | str | None = None,
        endpoint_id: str | None = None,
    ) -> Export:
        """Accept an export; its file is written in the background, also after a restart.

        Args:
            project_id: whose.
            start_time: messages accepted then or later; without a time zone UTC is meant.
            end_time: … and before this.
            status: only messages that read so when their line is written.
            endpoint_id: only messages to this endpoint, which may be deleted.

        Raises:
            InvalidRequestError: a value of the wrong type or form, a span that is empty, or the
                project has too many exports already.
            EndpointNotFoundError: the project never had such an endpoint.
        """
        start_at_ms = _required_ms("start_time", start_time)
        end_at_ms = _required_ms("end_time", end_time)
        if end_at_ms <= start_at_ms:
            raise InvalidRequestError(
                "end_time must be after start_time", details={"field": "end_time"}
            )
        export = NewExport(
            id=self._random.uuid7(),
            project_id=project_id,
            start_at_ms=start_at_ms,
            end_at_ms=end_at_ms,
            status=None if status is None else checked_status(status),
            endpoint_id=checked_endpoint_id(endpoint_id),
            created_at_ms=self._clock.wall_ms(),
        )
        created = await self._storage.create_export(export, live_max=self._live_max)
        self._on_created()
        return created

    async def get(self, project_id: str, export_id: str) -> Export:
        """Return an export as it stands; while it is processing at most about a second old.

        Raises:
            NotFoundError: the project has no such export.
        """
        export = None
        if is_message_id(export_id):
            export = await self._storage.get_export(project_id, export_id)
        if export is None:
            raise _not_found()
        return export

    async def list(
        self, project_id: str, *, limit: int = EXPORTS_LISTED_MAX, cursor: str | None = None
    ) -> Page[Export]:
        """Return a page of exports, newest first.

        Args:
            project_id: whose.
            limit: 1 to `EXPORTS_LISTED_MAX`.
            cursor: the `next_cursor` of the page before.

        Raises:
            InvalidRequestError: a limit out of range, or a broken or foreign cursor.
        """
        bounds.whole("limit", limit, minimum=1, maximum=EXPORTS_LISTED_MAX)
        filters = {"project_id": project_id}
        items, position = await self._storage.list_exports(
            project_id, limit=limit, before_no=position_of(cursor, "exports", filters)
        )
        following = None if position is None else encode_cursor("exports", filters, position)
        return Page(items, following)

    async def delete(self, project_id: str, export_id: str) -> None:
        """Delete an export and its file; one that is being written is stopped.

        Raises:
            NotFoundError: the project has no such export.
        """
        await self.get(project_id, export_id)
        if not await self._storage.delete_export(project_id, export_id):
            raise _not_found()
        await self._files.remove(export_id)

    async def download_token(self, project_id: str, export_id: str) -> str:
        """Return what `file_by_token` takes instead of a key, for `DOWNLOAD_S` seconds.

        Raises:
            NotFoundError, ExportNotReadyError, ExportExpiredError: as `file`.
        """
        await self.file(project_id, export_id)
        return self._tokens.make(export_id)

    async def file(self, project_id: str, export_id: str) -> str:
        """Return the path of an export's file: CSV, UTF-8. Leave the file as it is.

        Raises:
            NotFoundError: the project has no such export.
            ExportNotReadyError: it is not completed yet, or has failed.
            ExportExpiredError: its file was removed.
        """
        return await self._file(await self.get(project_id, export_id))

    async def file_by_token(self, export_id: str, token: str) -> str:
        """Return the same to whoever shows a token for it.

        Raises:
            NotFoundError: the token is not for this export, or its time is over; or the export
                was deleted.
            ExportExpiredError: its file was removed.
        """
        if not self._tokens.is_good(token, export_id):
            raise NotFoundError("this download link is wrong or too old: ask for a new one")
        export = await self._storage.find_export(export_id)
        if export is None:
            raise _not_found()
        return await self._file(export)

    async def _file(self, export: Export) -> str:
        match export.status:
            case ExportStatus.COMPLETED:
                path = await self._files.path(export.id)
                if path is None:
                    raise ExportExpiredError("the export's file was removed")
                return path
            case ExportStatus.EXPIRED:
                raise ExportExpiredError
            case ExportStatus.FAILED:
                raise ExportNotReadyError(f"the export has failed: {export.error_message}")
            case ExportStatus.PENDING | ExportStatus.PROCESSING:
                raise ExportNotReadyError(f"the export is not ready (status: {export.status})")


def _required_ms(field: str, moment: object) -> int:
    at_ms = moment_ms(field, moment)
    if at_ms is None:
        raise InvalidRequestError(f"{field} is required", details={"field": field})
    try:
        from_ms(at_ms)
    except OverflowError:
        raise InvalidRequestError(
            f"{field} must be in the years 1 to 9999 in UTC", details={"field": field}
        ) from None
    return at_ms


def _not_found() -> NotFoundError:
    return NotFoundError("Export not found")
