"""Exports, on SQLite."""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet

from sluicegate.engine.export_model import Export, ExportQuery, NewExport
from sluicegate.engine.ports.export_storage import ExportPage
from sluicegate.storage import export_reads, export_writes
from sluicegate.storage.access import Access

__all__ = ["SqliteExportStorage"]


class SqliteExportStorage(Access):
    """Implements `sluicegate.engine.ports.export_storage.ExportStorage`."""

    async def create_export(self, export: NewExport, *, live_max: int) -> Export:
        """Store a new export as pending, if the project may have one more."""
        return await self._write(export_writes.CreateExport(export=export, live_max=live_max))

    async def get_export(self, project_id: str, export_id: str) -> Export | None:
        """Return an export; `None` when unknown or foreign."""
        return await self._read.read(export_reads.get_export, project_id, export_id)

    async def find_export(self, export_id: str) -> Export | None:
        """Return an export, whosever it is."""
        return await self._read.read(export_reads.read_export, export_id)

    async def list_exports(
        self, project_id: str, *, limit: int, before_no: int | None
    ) -> tuple[list[Export], int | None]:
        """Return exports newest first and, if there are more, where to go on."""
        return await self._read.read(
            export_reads.list_exports, project_id, limit=limit, before_no=before_no
        )

    async def delete_export(self, project_id: str, export_id: str) -> bool:
        """Forget an export; return whether there was one."""
        return await self._write(
            export_writes.DeleteExport(project_id=project_id, export_id=export_id)
        )

    async def next_export(self) -> Export | None:
        """Return the oldest export that is processing; else the oldest that is pending."""
        return await self._read.read(export_reads.next_export)

    async def begin_export(self, export_id: str, *, at_ms: int) -> ExportQuery | None:
        """Make an unfinished export processing, with nothing written; return what it holds."""
        begun = await self._write(export_writes.BeginExport(export_id=export_id, at_ms=at_ms))
        return await self._read.read(export_reads.read_query, export_id) if begun else None

    async def read_export_page(
        self, query: ExportQuery, *, after_seq: int, limit: int, in_flight: AbstractSet[str]
    ) -> ExportPage:
        """Look at up to `limit` messages after `after_seq`, and return those of the export."""
        return await self._read.read(
            export_reads.read_export_page,
            query,
            after_seq=after_seq,
            limit=limit,
            in_flight=frozenset(in_flight),
        )

    async def progress_export(self, export_id: str, *, rows: int, size_bytes: int) -> None:
        """Record how far an export is that is processing."""
        await self._write(
            export_writes.ProgressExport(export_id=export_id, rows=rows, size_bytes=size_bytes)
        )

    async def complete_export(
        self, export_id: str, *, rows: int, size_bytes: int, at_ms: int, expires_at_ms: int
    ) -> bool:
        """Make an export that is processing completed; return whether there was one."""
        return await self._write(
            export_writes.CompleteExport(
                export_id=export_id,
                rows=rows,
                size_bytes=size_bytes,
                at_ms=at_ms,
                expires_at_ms=expires_at_ms,
            )
        )

    async def fail_export(self, export_id: str, *, error: str, at_ms: int) -> None:
        """Make an unfinished export failed."""
        await self._write(export_writes.FailExport(export_id=export_id, error=error, at_ms=at_ms))

    async def expire_exports(self, *, at_ms: int, limit: int) -> list[str]:
        """Make up to `limit` completed exports expired whose time is over; return their ids."""
        return await self._write(export_writes.ExpireExports(at_ms=at_ms, limit=limit))

    async def forget_exports(self, *, created_before_ms: int, limit: int) -> int:
        """Forget up to `limit` failed and expired exports that are older; return how many."""
        return await self._write(
            export_writes.ForgetExports(created_before_ms=created_before_ms, limit=limit)
        )

    async def export_times_ms(self) -> tuple[int | None, int | None]:
        """Return when the first completed one expires, and when the oldest that is over began."""
        return await self._read.read(export_reads.export_times_ms)

    async def completed_exports(self, export_ids: Sequence[str]) -> Collection[str]:
        """Return those of `export_ids` that are completed."""
        return await self._read.read(export_reads.completed_exports, list(export_ids))
