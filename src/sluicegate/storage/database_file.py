"""Which file a database's path means, and whether that file may be used at all."""

import os
import stat
from pathlib import Path

from sluicegate.engine.errors import SettingError, StorageLockedError, StorageVersionError
from sluicegate.storage.file_lock import FileLock
from sluicegate.storage.schema import APPLICATION_ID

__all__ = ["create_file", "real_path", "refuse_foreign", "refuse_unfit"]

_MAGIC = b"SQLite format 3\0"
# https://sqlite.org/fileformat.html: the header, then the first page's own header.
_USER_VERSION = slice(60, 64)
_APPLICATION_ID = slice(68, 72)
_PAGE_KIND = 100
_PAGE_CELLS = slice(103, 105)
_READ_BYTES = 108
_TABLE_LEAF = 0x0D


def real_path(path: str) -> str:
    """Return the one absolute path of a file, whatever symbolic links lead to it.

    The lock, the key and SQLite's own files stand beside the real file, so that every spelling
    of its path finds the same ones. The file need not exist yet.

    Raises:
        SettingError: no file can have this path.
    """
    try:
        return os.path.realpath(path)
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error


def refuse_unfit(path: str) -> None:
    """Let a file pass that is absent, or regular and has this one name. Opens nothing.

    A second name (a hard link) would have a lock and a write-ahead log of its own: two processes
    would each think that they are alone, and destroy the file.

    Raises:
        SettingError: it is something else, has a second name, or cannot be looked at.
    """
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        if not Path(path).parent.is_dir():
            raise _unusable(path, "its folder does not exist") from None
        return
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise _unusable(path, "it is not a regular file")
    if status.st_nlink > 1:
        raise _unusable(
            path, f"it has {status.st_nlink} names (hard links), and may have only this one"
        )


def refuse_foreign(path: str) -> None:
    """Refuse a file that is recognised as another program's; create and change nothing.

    Without its lock the file is not opened: closing it would drop the locks of SQLite, if this
    process uses it already (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks).

    Raises:
        StorageVersionError: it is another program's.
        SettingError: it cannot be read.
    """
    lock = FileLock(path)
    if lock.exists():
        try:
            lock.acquire()
        except StorageLockedError:
            return  # in use, hence ours
    try:
        with Path(path).open("rb") as file:
            head = file.read(_READ_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unusable(path, error) from error
    finally:
        lock.release()
    if not head:
        return
    if not head.startswith(_MAGIC):
        raise StorageVersionError(f"{path} is not a SQLite database", details={"file": path})
    if not _may_be_ours(head) and not _has_log(path):
        raise StorageVersionError(
            f"{path} is a SQLite database of another program", details={"file": path}
        )


def create_file(path: str) -> None:
    """Create an empty database file that only its owner reads, unless there is one.

    SQLite gives its `-wal` and `-shm` files the mode of the database file. The caller holds the
    file's lock: see `refuse_foreign` for what closing the file would do otherwise.

    Raises:
        SettingError: the folder does not exist or must not be written.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600))
    except OSError as error:
        raise _unusable(path, error) from error


def _may_be_ours(head: bytes) -> bool:
    """Say whether a SQLite file's beginning is ours, or that of a database without content."""
    if head[_APPLICATION_ID] == APPLICATION_ID.to_bytes(4, "big"):
        return True
    marked = any(head[_APPLICATION_ID]) or any(head[_USER_VERSION])
    filled = len(head) < _READ_BYTES or head[_PAGE_KIND] != _TABLE_LEAF or any(head[_PAGE_CELLS])
    return not marked and not filled


def _has_log(path: str) -> bool:
    """Say whether the beginning may be out of date, because commits still stand in the log."""
    try:
        return Path(f"{path}-wal").stat().st_size > 0
    except OSError:
        return False


def _unusable(path: str, why: str | Exception) -> SettingError:
    if isinstance(why, OSError):
        why = why.strerror or "it cannot be used"
    return SettingError(f"cannot open database {path}: {why}", details={"setting": "database"})
