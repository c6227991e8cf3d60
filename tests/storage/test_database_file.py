"""One real file, one owner, whatever it is called; and what is no file for us is let alone."""

import asyncio
import os
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.errors import SettingError, StorageLockedError, StorageVersionError
from sluicegate.storage import SecretBox

if TYPE_CHECKING:
    from tests.storage.conftest import Place


def names(folder: Path) -> set[str]:
    """Return the names of the files in a folder."""
    return {file.name for file in folder.iterdir()}


async def test_a_symbolic_link_to_a_file_in_use_is_refused(place: "Place") -> None:
    """It is the same file; the message names it, and nothing is made beside the link."""
    await place.opened()
    elsewhere = place.folder / "elsewhere"
    elsewhere.mkdir()
    real, place.path = place.path, elsewhere / "link.db"
    place.path.symlink_to(real)
    with pytest.raises(StorageLockedError, match=rf"^{real} is in use .*\(pid {os.getpid()}\)$"):
        await place.storage().open()
    assert names(elsewhere) == {"link.db"}


async def test_a_linked_folder_or_a_detour_is_the_same_file(place: "Place") -> None:
    """However the path is spelled."""
    await place.opened()
    folder = place.folder / "folder"
    folder.symlink_to(place.folder, target_is_directory=True)
    for path in (folder / "place.db", place.folder / "folder" / ".." / place.folder.name):
        place.path = path if path.name == "place.db" else path / "place.db"
        with pytest.raises(StorageLockedError):
            await place.storage().open()


async def test_a_database_is_opened_through_a_link(place: "Place") -> None:
    """Also before it exists: its files stand beside the real one."""
    real = place.folder / "real"
    real.mkdir()
    place.path.symlink_to(real / "data.db")
    storage = await place.opened()
    await storage.close()
    assert names(place.folder) == {"place.db", "real"}
    assert names(real) == {"data.db", "data.db.key", "data.db.lock", "data.db.reserve"}


async def test_a_hard_link_to_a_file_in_use_is_refused(place: "Place") -> None:
    """It would have a lock and a write-ahead log of its own; nothing is made beside it."""
    storage = await place.opened()
    box = place.box()
    other = place.folder / "other"
    other.mkdir()
    place.path, first = other / "hard.db", place.path
    place.path.hardlink_to(first)
    with pytest.raises(SettingError, match=r"hard\.db: it has 2 names \(hard links\)"):
        place.box()
    with pytest.raises(SettingError, match=r"hard\.db: it has 2 names \(hard links\)"):
        await place.storage(box=box).open()
    assert names(other) == {"hard.db"}
    await place.endpoint(storage)


async def test_a_database_with_a_second_name_is_refused_under_its_first_too(
    place: "Place",
) -> None:
    """Nobody knows who opens the other. Without the second name it opens again."""
    await (await place.opened()).close()
    second = place.folder / "second.db"
    second.hardlink_to(place.path)
    with pytest.raises(SettingError, match="hard links"):
        await place.storage(box=SecretBox(bytes(32), random=place.chance)).open()
    second.unlink()
    await place.opened()


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
async def test_what_is_no_regular_file_is_refused(place: "Place", kind: str) -> None:
    """At once, with nothing made beside it and no thread started."""
    if kind == "fifo":
        os.mkfifo(place.path)
    elif kind == "folder":
        place.path.mkdir()
    else:
        place.path.symlink_to("/dev/null")
    before, threads = names(place.folder), threading.active_count()
    with pytest.raises(SettingError, match="not a regular file"):
        place.box()
    with pytest.raises(SettingError, match="not a regular file"):
        await place.storage(box=SecretBox(bytes(32), random=place.chance)).open()
    assert names(place.folder) == before
    assert threading.active_count() == threads
    assert "null.lock" not in names(Path("/dev"))


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("kind", ["table", "version", "mark", "text", "short"])
async def test_another_programs_file_is_told_as_that_without_a_key_file(
    place: "Place", kind: str, *, locked: bool
) -> None:
    """Not as a missing key; it keeps its bytes, and nothing is made beside it."""
    if kind in ("text", "short"):
        place.path.write_text("dear diary, " * (100 if kind == "text" else 1))
    else:
        with closing(place.raw()) as db:
            if kind == "table":
                db.execute("CREATE TABLE theirs (x)")
            else:
                what = "user_version" if kind == "version" else "application_id"
                db.execute(f"PRAGMA {what} = 7")
    if locked:
        (place.folder / "place.db.lock").touch()
    content, before = place.path.read_bytes(), names(place.folder)
    with pytest.raises(StorageVersionError, match=r"another program|not a SQLite database"):
        place.box()
    with pytest.raises(StorageVersionError, match=r"another program|not a SQLite database"):
        await place.storage(box=SecretBox(bytes(32), random=place.chance)).open()
    assert place.path.read_bytes() == content
    assert names(place.folder) == before


async def test_a_database_whose_commits_stand_in_the_log_is_ours(place: "Place") -> None:
    """After a crash the file itself may not say yet whose it is: then the key is asked for."""
    await place.opened()
    (place.folder / "place.db.key").unlink()
    copy = place.folder / "copy"
    copy.mkdir()
    for suffix in ("", "-wal"):
        data = (place.folder / f"place.db{suffix}").read_bytes()
        (copy / f"place.db{suffix}").write_bytes(data)
    place.path = copy / "place.db"
    with pytest.raises(SettingError, match="key file"):
        place.box()


async def test_a_refused_second_opening_leaves_the_first_its_locks(place: "Place") -> None:
    """Closing any descriptor of the file would drop SQLite's locks of the whole process.

    Then another program, closing the file as the supposedly last one, removes the log.
    """
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    with pytest.raises(StorageLockedError):
        await place.storage().open()
    (place.folder / "place.db.key").unlink()
    with pytest.raises(SettingError, match="key file"):
        place.box()
    await run_python(
        "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM meta')",
        str(place.path),
    )
    assert (place.folder / "place.db-wal").exists()
    await place.send(storage, endpoint)


async def run_python(script: str, *arguments: str) -> None:
    """Run a script in a process of its own."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, *arguments)
    assert await child.wait() == 0


def test_a_path_that_no_file_can_have_is_refused(place: "Place") -> None:
    """As a setting, not as a traceback."""
    with pytest.raises(SettingError, match="cannot open database"):
        SecretBox.for_database("a\0b", secret_key=None, random=place.chance)
    place.path.symlink_to(place.path)
    with pytest.raises(SettingError, match=r"place\.db"):
        place.box()
