"""The part of the storage port that keeps exports and reads what they hold."""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

import msgspec

from sluicegate.engine.export_model import Export, ExportQuery, NewExport

__all__ = ["ExportPage", "ExportStorage"]


class ExportPage(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an export's file."""

    text: bytes
    """CSV lines; empty when none of the messages looked at are exported."""
    rows: int
    seq: int | None
    """The last message looked at: go on after it. `None`: there are no more."""


class ExportStorage(Protocol):
    """Exports, and the pages of messages that their files are made of."""

    async def create_export(self, export: NewExport, *, live_max: int) -> Export:
        """Store a new export as `PENDING`.

        Raises:
            EndpointNotFoundError: the project never had the endpoint that it names.
            InvalidRequestError: the project has `live_max` exports that are pending, processing
                or completed.
        """
        ...

    async def get_export(self, project_id: str, export_id: str) -> Export | None:
        """Return an export; `None` when unknown or foreign."""
        ...

    async def find_export(self, export_id: str) -> Export | None:
        """Return an export, whosever it is: for who has a token for it."""
        ...

    async def list_exports(
        self, project_id: str, *, limit: int, before_no: int | None
    ) -> tuple[list[Export], int | None]:
        """Return exports newest first and, if there are more, where to go on."""
        ...

    async def delete_export(self, project_id: str, export_id: str) -> bool:
        """Forget an export; return whether there was one. Its file is not touched."""
        ...

    async def next_export(self) -> Export | None:
        """Return the oldest export that is processing or pending, of all projects.

        One that is processing comes before all that are pending.
        """
        ...

    async def begin_export(self, export_id: str, *, at_ms: int) -> ExportQuery | None:
        """Make an unfinished export `PROCESSING`, with nothing written, and return what it holds.

        `None` when there is no such export any more. What it holds is read when the change is
        durable: every message that was accepted before the call is looked at.
        """
        ...

    async def read_export_page(
        self, query: ExportQuery, *, after_seq: int, limit: int, in_flight: AbstractSet[str]
    ) -> ExportPage:
        """Look at up to `limit` messages after `after_seq`, and return those of the export."""
        ...

    async def progress_export(self, export_id: str, *, rows: int, size_bytes: int) -> None:
        """Record how far an export is that is processing; any other stays as it is."""
        ...

    async def complete_export(
        self, export_id: str, *, rows: int, size_bytes: int, at_ms: int, expires_at_ms: int
    ) -> bool:
        """Make an export that is processing `COMPLETED`; return whether there was one."""
        ...

    async def fail_export(self, export_id: str, *, error: str, at_ms: int) -> None:
        """Make an unfinished export `FAILED`; any other stays as it is."""
        ...

    async def expire_exports(self, *, at_ms: int, limit: int) -> list[str]:
        """Make up to `limit` completed exports `EXPIRED` whose time is over; return their ids."""
        ...

    async def forget_exports(self, *, created_before_ms: int, limit: int) -> int:
        """Forget up to `limit` failed and expired exports that are older; return how many."""
        ...

    async def export_times_ms(self) -> tuple[int | None, int | None]:
        """Return when the first completed export expires, and when the oldest that is over began.

        Of all projects; over are the failed and the expired ones. `None` where there is none.
        """
        ...

    async def completed_exports(self, export_ids: Sequence[str]) -> Collection[str]:
        """Return those of `export_ids` that are completed, and so have a file."""
        ...
