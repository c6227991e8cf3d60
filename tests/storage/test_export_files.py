"""The files of exports: whole or not there, for their owner only, and never in anybody's way."""

import os
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.ports.export_files import ExportFileError
from sluicegate.storage import LocalExportFiles

ONE = "019603a1-7c3e-7d42-9b1a-5f6e8d7c4b3a"
TWO = "019603a1-7c3e-7d42-9b1a-5f6e8d7c4b3b"


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[LocalExportFiles]:
    """The files of a database that need not exist."""
    files = LocalExportFiles(str(tmp_path / "place.db"), free_bytes_min=0)
    yield files
    await files.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where they are."""
    return tmp_path / "place.db.exports"


def content(path: Path | str) -> bytes:
    """Return what a file holds."""
    return Path(path).read_bytes()


def names_in(folder: Path) -> list[str]:
    """Return what a folder holds."""
    return sorted(each.name for each in folder.iterdir())


def mode_of(path: Path) -> int:
    """Return who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def link(path: Path, target: Path) -> None:
    """Make a symbolic link."""
    path.symlink_to(target)


def make_folder(path: Path) -> Path:
    """Make a folder that everybody may write to."""
    path.mkdir()
    path.chmod(0o777)
    return path


async def write(files: LocalExportFiles, export_id: str, text: bytes = b"a\r\n") -> None:
    """Write a file."""
    await files.begin(export_id, text)
    await files.finish(export_id)


async def test_a_file_has_its_name_when_it_is_whole(files: LocalExportFiles, folder: Path) -> None:
    """Until then there is none to be downloaded."""
    assert await files.path(ONE) is None
    await files.begin(ONE, b"one,")
    await files.append(ONE, b"two\r\n")
    assert await files.path(ONE) is None
    await files.finish(ONE)
    path = await files.path(ONE)
    assert path == str(folder / f"{ONE}.csv")
    assert content(path) == b"one,two\r\n"
    assert names_in(folder) == [f"{ONE}.csv"]
    await files.finish(ONE)
    assert content(path) == b"one,two\r\n"


async def test_only_the_owner_may_read(
    files: LocalExportFiles, folder: Path, tmp_path: Path
) -> None:
    """Whatever the umask is, and also in a folder that was there before."""
    mask = os.umask(0)
    try:
        make_folder(folder)
        await write(files, ONE)
    finally:
        os.umask(mask)
    assert mode_of(folder) == 0o700
    assert mode_of(folder / f"{ONE}.csv") == 0o600
    assert names_in(tmp_path) == [folder.name]


async def test_a_file_is_begun_anew_from_its_beginning(files: LocalExportFiles) -> None:
    """Nothing of what a crash left is in it, nor of what somebody still writes to the old one."""
    await files.begin(ONE, b"half")
    await write(files, ONE, b"new")
    path = await files.path(ONE)
    assert path is not None
    assert content(path) == b"new"


async def test_a_file_is_removed_finished_or_not(files: LocalExportFiles, folder: Path) -> None:
    """And may have been removed before; what is written afterwards fails."""
    await write(files, ONE)
    await files.begin(TWO, b"half")
    for export_id in (ONE, TWO, TWO):
        await files.remove(export_id)
    assert names_in(folder) == []
    for work in (files.append(TWO, b"more"), files.finish(TWO)):
        with pytest.raises(ExportFileError, match="No such file"):
            await work
    assert names_in(folder) == []


async def test_names_are_those_of_exports_and_of_nothing_else(
    files: LocalExportFiles, folder: Path
) -> None:
    """What an operator put there is none of our business."""
    assert await files.names() == []
    await write(files, ONE)
    await files.begin(TWO, b"half")
    for name in ("README", "x.csv", f"{ONE}.txt", ".csv", f"{ONE.upper()}.csv"):
        (folder / name).touch()
    assert await files.names() == [ONE, TWO]


@pytest.mark.parametrize(
    "name", ["", "..", "../place", f"../{ONE}", f"{ONE}/../x", f"{ONE}\0", "/"]
)
async def test_no_name_leads_out_of_the_folder(
    files: LocalExportFiles, tmp_path: Path, name: str
) -> None:
    """Such a name never comes from storage: it is a bug, and nothing is touched."""
    make_folder(tmp_path / "place.db.exports")
    for work in (files.begin(name, b"x"), files.remove(name), files.path(name)):
        with pytest.raises(AssertionError):
            await work
    assert names_in(tmp_path) == ["place.db.exports"]
    assert names_in(tmp_path / "place.db.exports") == []


async def test_a_link_in_place_of_the_folder_is_not_followed(
    files: LocalExportFiles, folder: Path, tmp_path: Path
) -> None:
    """Two databases would share a folder, and remove each other's files."""
    elsewhere = make_folder(tmp_path / "elsewhere")
    link(folder, elsewhere)
    with pytest.raises(ExportFileError, match="Not a directory"):
        await files.begin(ONE, b"x")
    assert names_in(elsewhere) == []


async def test_a_link_in_place_of_a_file_is_not_followed(
    files: LocalExportFiles, folder: Path, tmp_path: Path
) -> None:
    """Somebody who could make one could have us write anywhere."""
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    await files.begin(ONE, b"x")
    (folder / f"{ONE}.csv.part").unlink()
    link(folder / f"{ONE}.csv.part", target)
    with pytest.raises(ExportFileError):
        await files.append(ONE, b"y")
    await files.begin(ONE, b"z")
    assert target.read_bytes() == b"precious"


async def test_the_files_of_two_databases_are_apart(
    files: LocalExportFiles, tmp_path: Path
) -> None:
    """Beside each other in one folder."""
    other = LocalExportFiles(str(tmp_path / "other.db"), free_bytes_min=0)
    await write(files, ONE, b"one")
    await write(other, TWO, b"two")
    assert (await files.names(), await other.names()) == ([ONE], [TWO])
    assert await other.path(ONE) is None
    await other.close()


async def test_a_file_leaves_so_much_room_on_the_disk(tmp_path: Path) -> None:
    """The database needs it more: no disk has as much as this asks for."""
    files = LocalExportFiles(str(tmp_path / "place.db"), free_bytes_min=1 << 60)
    with pytest.raises(ExportFileError, match="nearly full: exports leave 1152921504606846976"):
        await files.begin(ONE, b"x")
    assert names_in(tmp_path / "place.db.exports") == []
    await files.close()


async def test_when_closed_it_takes_nothing_and_leaves_no_thread(tmp_path: Path) -> None:
    """Twice is fine; what was asked for before is done."""
    before = set(threading.enumerate())
    files = LocalExportFiles(str(tmp_path / "place.db"), free_bytes_min=0)
    await write(files, ONE)
    await files.close()
    await files.close()
    with pytest.raises(UnavailableError):
        await files.path(ONE)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()
