"""The work of exports, piece by piece: one file at a time, page by page.

The records are the truth: each piece asks storage which export is to be written, so an export that
was deleted meanwhile, or one that a crash left behind, needs no special way. What a file holds is
fixed when it is begun: the messages accepted until then, each looked at exactly once, in the order
of acceptance. Each line shows its message as it is when the line is written.
"""

import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet

import msgspec

from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.export_csv import csv_header
from sluicegate.engine.export_model import Export, ExportQuery
from sluicegate.engine.log import log
from sluicegate.engine.ports import Clock, Storage
from sluicegate.engine.ports.export_files import ExportFileError, ExportFiles
from sluicegate.engine.removal_time import removal_ms
from sluicegate.engine.settings import Settings

__all__ = ["ExportJob"]

_PAGE = 250
"""Messages looked at in one piece: a few milliseconds of the interpreter's time."""
_TOLD_EVERY_S = 1.0
_SWEPT_AT_ONCE = 500
_EXPIRED_AT_ONCE = 20
_FORGOTTEN_AT_ONCE = 500
_DAY_MS = 86_400_000
_REMEMBERED_MS = 30 * _DAY_MS
"""How long the record of an export stays after its file's time."""


class _Writing(msgspec.Struct, kw_only=True):
    """The file that is being written."""

    export_id: str
    query: ExportQuery
    after_seq: int
    size_bytes: int
    told_at_s: float
    """When the record was last told how far it is."""
    rows: int = 0
    done: bool = False
    """Nothing is to be added."""


class ExportJob:
    """Writes the files of exports and removes them when their time is over.

    `piece` and `expire` each do one bounded piece of work. Both may be cancelled at any moment,
    with the process or without it: the next start begins the file anew.
    """

    def __init__(
        self,
        storage: Storage,
        files: ExportFiles,
        clock: Clock,
        settings: Settings,
        in_flight: Callable[[], AbstractSet[str]],
    ) -> None:
        """Take what it needs.

        Args:
            storage: keeps the records, and has the messages.
            files: keeps the files.
            clock: dates the records.
            settings: how long files are kept.
            in_flight: tells the messages that are being delivered, as `Owners.in_flight`.
        """
        self._storage = storage
        self._files = files
        self._clock = clock
        self._in_flight = in_flight
        self._keep_ms = settings.exports_keep_days * _DAY_MS
        self._forgotten_after_ms = self._keep_ms + _REMEMBERED_MS
        self._writing: _Writing | None = None
        self._unswept: list[str] | None = None

    async def piece(self) -> bool:
        """Do the next piece of the oldest export; return whether there is more to do.

        Raises:
            UnavailableError: storage is; what was done so far is kept.
        """
        if self._unswept is None:
            self._unswept = list(await self._files.names())
        if self._unswept:
            await self._sweep(self._unswept)
            return True
        export = await self._storage.next_export()
        writing = self._writing
        if writing is not None and (export is None or export.id != writing.export_id):
            self._writing = None  # it was deleted
            await self._files.remove(writing.export_id)
        if export is None:
            return False
        try:
            if self._writing is None:
                await self._begin(export)
            elif self._writing.done:
                await self._complete(self._writing)
            else:
                await self._go_on(self._writing)
        except ExportFileError as error:
            await self._fail(export, error.message)
        except UnavailableError:
            raise
        except Exception:
            # A bug of ours, told with its traceback by whoever runs the pieces. Tried again it
            # would only keep all other exports waiting.
            await self._fail(export, "internal error")
            raise
        return True

    async def expire(self) -> bool:
        """Remove some files whose time is over; return whether there may be more.

        Raises:
            UnavailableError: storage is.
        """
        now_ms = removal_ms(self._clock)
        expires_ms, forgotten_ms = await self._ends_ms()
        expired: list[str] = []
        forgotten = 0
        if expires_ms <= now_ms:
            expired = await self._storage.expire_exports(at_ms=now_ms, limit=_EXPIRED_AT_ONCE)
        for export_id in expired:
            await self._files.remove(export_id)
            log.info("export.expired", export_id=export_id)
        if forgotten_ms < now_ms:
            forgotten = await self._storage.forget_exports(
                created_before_ms=now_ms - self._forgotten_after_ms, limit=_FORGOTTEN_AT_ONCE
            )
        return len(expired) == _EXPIRED_AT_ONCE or forgotten == _FORGOTTEN_AT_ONCE

    async def expires_in_s(self) -> float:
        """Return in how many seconds `expire` will have something to do; `math.inf` for never.

        Raises:
            UnavailableError: storage is.
        """
        return (min(await self._ends_ms()) - removal_ms(self._clock)) / 1000

    async def _ends_ms(self) -> tuple[float, float]:
        """Return when the next export expires, and when the next one is forgotten."""
        expires_ms, began_ms = await self._storage.export_times_ms()
        return (
            math.inf if expires_ms is None else expires_ms,
            math.inf if began_ms is None else began_ms + self._forgotten_after_ms,
        )

    async def _sweep(self, names: list[str]) -> None:
        """Remove files that a crash left: half-written ones, and those without a record."""
        some = names[-_SWEPT_AT_ONCE:]
        kept = await self._storage.completed_exports(some)
        for export_id in some:
            if export_id not in kept:
                await self._files.remove(export_id)
        del names[-_SWEPT_AT_ONCE:]

    async def _begin(self, export: Export) -> None:
        query = await self._storage.begin_export(export.id, at_ms=self._clock.wall_ms())
        if query is None:
            return
        header = csv_header()
        await self._files.begin(export.id, header)
        self._writing = _Writing(
            export_id=export.id,
            query=query,
            after_seq=query.seq_first - 1,
            size_bytes=len(header),
            told_at_s=self._clock.monotonic_s(),
        )
        log.info("export.begun", export_id=export.id, project_id=export.project_id)

    async def _go_on(self, writing: _Writing) -> None:
        page = await self._storage.read_export_page(
            writing.query,
            after_seq=writing.after_seq,
            limit=_PAGE,
            in_flight=self._in_flight(),
        )
        if page.text:
            await self._files.append(writing.export_id, page.text)
        writing.rows += page.rows
        writing.size_bytes += len(page.text)
        if page.seq is None:
            writing.done = True
        else:
            writing.after_seq = page.seq
        now_s = self._clock.monotonic_s()
        if now_s - writing.told_at_s >= _TOLD_EVERY_S:
            writing.told_at_s = now_s
            await self._storage.progress_export(
                writing.export_id, rows=writing.rows, size_bytes=writing.size_bytes
            )

    async def _complete(self, writing: _Writing) -> None:
        # Twice, if storage was unavailable after the first time: then there is nothing to do.
        await self._files.finish(writing.export_id)
        now_ms = self._clock.wall_ms()
        completed = await self._storage.complete_export(
            writing.export_id,
            rows=writing.rows,
            size_bytes=writing.size_bytes,
            at_ms=now_ms,
            expires_at_ms=now_ms + self._keep_ms,
        )
        self._writing = None
        if not completed:
            await self._files.remove(writing.export_id)
            return
        log.info(
            "export.completed",
            export_id=writing.export_id,
            rows=writing.rows,
            size_bytes=writing.size_bytes,
        )

    async def _fail(self, export: Export, why: str) -> None:
        self._writing = None
        await self._files.remove(export.id)  # first: it makes room
        await self._storage.fail_export(export.id, error=why, at_ms=self._clock.wall_ms())
        log.error("export.failed", export_id=export.id, reason=why)
