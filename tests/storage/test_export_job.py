"""The job that writes exports, on a real database and real files, piece by piece."""

import csv
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.export_job import ExportJob
from sluicegate.engine.export_model import Export, ExportStatus, NewExport
from sluicegate.engine.settings import Settings
from sluicegate.storage import LocalExportFiles, SqliteStorage

if TYPE_CHECKING:
    from tests.storage.conftest import Place

START_MS = 1_780_000_000_000
PROJECT = "proj_" + "1" * 32
DAY_MS = 86_400_000
PAGE = 250


def cells(path: Path) -> list[list[str]]:
    """Return the cells of a file, without its first line."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


class Work:
    """A storage, its files and a job; a restart makes all three anew."""

    def __init__(self, place: "Place") -> None:
        self.place = place
        self.folder = place.folder / "place.db.exports"
        self.storage: SqliteStorage
        self.files: LocalExportFiles
        self.job: ExportJob

    async def start(self, *, free_bytes_min: int = 0) -> None:
        """Start, as an engine does."""
        self.storage = await self.place.opened()
        self.files = LocalExportFiles(str(self.place.path), free_bytes_min=free_bytes_min)
        self.job = ExportJob(
            storage=self.storage,
            files=self.files,
            clock=self.place.clock,
            settings=Settings(exports_keep_days=7),
            in_flight=frozenset,
        )

    async def stop(self) -> None:
        """End in order."""
        await self.files.close()
        await self.storage.close()

    async def create(self, **fields: Any) -> str:
        """Store an export of everything."""
        export = NewExport(
            id=self.place.chance.uuid7(),
            project_id=PROJECT,
            **{
                "start_at_ms": START_MS - DAY_MS,
                "end_at_ms": START_MS + DAY_MS,
                "status": None,
                "endpoint_id": None,
                "created_at_ms": self.place.clock.now_ms,
                **fields,
            },
        )
        await self.storage.create_export(export, live_max=1000)
        return export.id

    async def get(self, export_id: str) -> Export:
        """Return an export's record."""
        export = await self.storage.find_export(export_id)
        assert export is not None
        return export

    async def run(self) -> int:
        """Do everything there is to do; return how many pieces that were."""
        pieces = 0
        while await self.job.piece():
            pieces += 1
        return pieces

    async def until(self, status: ExportStatus, export_id: str) -> None:
        """Work until an export has a status."""
        while (await self.get(export_id)).status is not status:
            assert await self.job.piece()

    async def lines(self, export_id: str) -> list[list[str]]:
        """Return the cells of a file, without the first line."""
        path = await self.files.path(export_id)
        assert path is not None
        return cells(Path(path))

    def left(self) -> list[str]:
        """Return the names of the files there are."""
        return sorted(each.name for each in self.folder.iterdir())


@pytest.fixture
async def work(place: "Place") -> AsyncIterator[Work]:
    """A job that has nothing to do yet."""
    work = Work(place)
    await work.start()
    yield work
    await work.stop()


async def test_without_exports_there_is_nothing_to_do(work: Work) -> None:
    """Not even a folder is made."""
    assert await work.run() == 0
    assert not await work.job.expire()
    assert not work.folder.exists()


async def test_an_export_is_written_page_by_page(work: Work) -> None:
    """Its record tells, about once a second, how far it is; in the end exactly."""
    endpoint = await work.place.endpoint(work.storage)
    sent = [each for _ in range(4) for each in await work.place.send(work.storage, endpoint, PAGE)]
    export_id = await work.create()
    await work.until(ExportStatus.PROCESSING, export_id)
    seen: list[int | None] = []
    while await work.job.piece():
        export = await work.get(export_id)
        seen.append(export.row_count)
        part = work.folder / f"{export_id}.csv.part"
        if export.status is ExportStatus.PROCESSING and export.row_count:
            assert export.file_size_bytes == part.stat().st_size
        work.place.clock.now_ms += 1000
    assert seen == [0, PAGE * 2, PAGE * 3, PAGE * 4, PAGE * 4, PAGE * 4]
    export = await work.get(export_id)
    assert export.status is ExportStatus.COMPLETED
    assert [line[0] for line in await work.lines(export_id)] == sent
    assert export.file_size_bytes == (work.folder / f"{export_id}.csv").stat().st_size
    assert export.completed_at is not None
    assert export.expires_at is not None
    assert (export.expires_at - export.completed_at).days == 7
    assert work.left() == [f"{export_id}.csv"]


async def test_one_export_is_written_after_the_other(work: Work) -> None:
    """The oldest first; the others wait."""
    endpoint = await work.place.endpoint(work.storage)
    await work.place.send(work.storage, endpoint, 3)
    exports = [await work.create() for _ in range(3)]
    for done, export_id in enumerate(exports):
        await work.until(ExportStatus.COMPLETED, export_id)
        statuses = [(await work.get(each)).status for each in exports]
        assert statuses == [ExportStatus.COMPLETED] * (done + 1) + [ExportStatus.PENDING] * (
            2 - done
        )


async def test_what_a_stop_left_is_written_anew(work: Work) -> None:
    """Every row once, though half of them stood in the file already."""
    endpoint = await work.place.endpoint(work.storage)
    sent = [each for _ in range(3) for each in await work.place.send(work.storage, endpoint, PAGE)]
    export_id, waiting = await work.create(), await work.create()
    await work.until(ExportStatus.PROCESSING, export_id)
    await work.job.piece()
    await work.job.piece()
    assert (work.folder / f"{export_id}.csv.part").stat().st_size > 10_000
    await work.stop()
    await work.start()
    assert (await work.get(export_id)).status is ExportStatus.PROCESSING
    await work.run()
    assert [line[0] for line in await work.lines(export_id)] == sent
    assert (await work.get(export_id)).row_count == len(sent)
    assert (await work.get(waiting)).status is ExportStatus.COMPLETED
    assert work.left() == sorted([f"{export_id}.csv", f"{waiting}.csv"])


async def test_files_that_a_crash_left_are_removed_at_the_start(work: Work) -> None:
    """Half-written ones, and whole ones whose record never said so or is gone; no others."""
    done = await work.create()
    await work.run()
    gone, unrecorded = await work.create(), await work.create()
    await work.until(ExportStatus.PROCESSING, gone)
    await work.storage.delete_export(PROJECT, gone)
    await work.storage.begin_export(unrecorded, at_ms=1)
    (work.folder / f"{unrecorded}.csv").write_bytes(b"whole, but not recorded")
    (work.folder / "notes.txt").touch()
    await work.stop()
    await work.start()
    assert await work.job.piece()
    assert work.left() == [f"{done}.csv", "notes.txt"]
    await work.run()
    assert await work.lines(unrecorded) == []
    assert work.left() == sorted([f"{done}.csv", f"{unrecorded}.csv", "notes.txt"])


@pytest.mark.parametrize("pieces", range(5))
async def test_a_deletion_stops_the_job_wherever_it_is(work: Work, pieces: int) -> None:
    """Nothing is left of it, and the next one has its turn."""
    endpoint = await work.place.endpoint(work.storage)
    await work.place.send(work.storage, endpoint, PAGE)
    export_id, following = await work.create(), await work.create()
    for _ in range(pieces):
        await work.job.piece()
    assert await work.storage.delete_export(PROJECT, export_id)
    await work.files.remove(export_id)
    await work.run()
    assert await work.storage.find_export(export_id) is None
    assert (await work.get(following)).status is ExportStatus.COMPLETED
    assert work.left() == [f"{following}.csv"]


async def test_a_file_that_vanishes_fails_its_export_and_no_other(work: Work) -> None:
    """Somebody cleaned up while it was written."""
    endpoint = await work.place.endpoint(work.storage)
    await work.place.send(work.storage, endpoint, PAGE)
    export_id, following = await work.create(), await work.create()
    await work.until(ExportStatus.PROCESSING, export_id)
    (work.folder / f"{export_id}.csv.part").unlink()
    await work.run()
    export = await work.get(export_id)
    assert export.status is ExportStatus.FAILED
    assert export.error_message == "the file cannot be written: No such file or directory"
    assert (await work.get(following)).status is ExportStatus.COMPLETED


async def test_a_disk_that_is_nearly_full_fails_an_export(work: Work) -> None:
    """Before it takes the room that the database needs; nothing is left of it."""
    await work.stop()
    await work.start(free_bytes_min=1 << 50)
    export_id = await work.create()
    assert await work.run() > 0
    export = await work.get(export_id)
    assert export.status is ExportStatus.FAILED
    assert export.error_message is not None
    assert "the disk is nearly full" in export.error_message
    assert export.completed_at is not None
    assert work.left() == []


async def test_while_storage_is_unavailable_nothing_is_lost(work: Work) -> None:
    """The piece is done again later; also when only the last record could not be written."""
    endpoint = await work.place.endpoint(work.storage)
    sent = await work.place.send(work.storage, endpoint, 3)
    export_id = await work.create()
    await work.until(ExportStatus.PROCESSING, export_id)
    while (work.folder / f"{export_id}.csv.part").exists():
        other = work.place.raw()
        other.execute("BEGIN IMMEDIATE")  # as another program that holds the file
        try:
            await work.job.piece()
        except UnavailableError:
            assert (await work.get(export_id)).status is ExportStatus.PROCESSING
        finally:
            other.execute("ROLLBACK")
            other.close()
    assert (work.folder / f"{export_id}.csv").exists()
    assert (await work.get(export_id)).status is ExportStatus.PROCESSING
    await work.run()
    assert (await work.get(export_id)).status is ExportStatus.COMPLETED
    assert [line[0] for line in await work.lines(export_id)] == sent


async def test_a_file_is_removed_when_its_time_is_over(work: Work) -> None:
    """The record stays for a month, then it is forgotten too."""
    first = await work.create()
    await work.run()
    work.place.clock.now_ms += DAY_MS
    second = await work.create()
    await work.run()
    work.place.clock.now_ms += 6 * DAY_MS - 1
    assert not await work.job.expire()
    assert (await work.get(first)).status is ExportStatus.COMPLETED
    work.place.clock.now_ms += 1
    assert not await work.job.expire()
    assert (await work.get(first)).status is ExportStatus.EXPIRED
    assert work.left() == [f"{second}.csv"]
    work.place.clock.now_ms += 30 * DAY_MS + 1
    assert not await work.job.expire()
    assert await work.storage.find_export(first) is None
    assert (await work.get(second)).status is ExportStatus.EXPIRED
    assert work.left() == []


async def test_many_files_expire_a_few_at_a_time(work: Work) -> None:
    """No piece is long, whatever there is to remove."""
    for _ in range(45):
        await work.create()
    await work.run()
    work.place.clock.now_ms += 7 * DAY_MS
    assert [await work.job.expire() for _ in range(4)] == [True, True, False, False]
    assert work.left() == []


async def test_a_bug_fails_one_export_and_is_told(work: Work) -> None:
    """Tried again and again it would keep all others waiting."""
    endpoint = await work.place.endpoint(work.storage)
    await work.place.send(work.storage, endpoint)
    db = work.place.raw()
    # Beyond the year 9999: no code of ours writes this.
    db.execute("UPDATE messages SET updated_at_ms = 1 << 60")
    db.close()
    export_id, following = await work.create(), await work.create(start_at_ms=0, end_at_ms=1)
    await work.until(ExportStatus.PROCESSING, export_id)
    with pytest.raises(Exception, match="out of range"):
        await work.run()
    export = await work.get(export_id)
    assert (export.status, export.error_message) == (ExportStatus.FAILED, "internal error")
    await work.run()
    assert (await work.get(following)).status is ExportStatus.COMPLETED
