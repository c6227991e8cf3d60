"""The files of exports, in a folder beside the database."""

import asyncio
import contextlib
import errno
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.ids import is_message_id
from sluicegate.engine.log import log
from sluicegate.engine.ports.export_files import ExportFileError
from sluicegate.storage.database_file import real_path
from sluicegate.storage.disk_space import FreeBytes, free_bytes

__all__ = ["LocalExportFiles"]

_T = TypeVar("_T")

_FINISHED = ".csv"
_PARTIAL = ".csv.part"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_MORE = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class LocalExportFiles:
    """Files in `<database>.exports/`, for their owner only.

    Implements `sluicegate.engine.ports.export_files.ExportFiles`. One thread does everything, in
    the order of asking; it is started by the first export. The database's lock keeps a second
    process out of the folder, and no two databases share one.
    """

    def __init__(
        self, database: str, *, free_bytes_min: int, free_bytes: FreeBytes = free_bytes
    ) -> None:
        """Take what it needs; nothing is made yet.

        Args:
            database: the path of the database file.
            free_bytes_min: what is left free on the disk for the database, whatever is exported.
            free_bytes: tells how much is free.
        """
        self._free_bytes = free_bytes
        self._folder = Path(f"{real_path(database)}.exports")
        self._free_bytes_min = free_bytes_min
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sluicegate-exports")
        self._asked = False
        self._closed = False

    async def begin(self, export_id: str, text: bytes) -> None:
        """Begin a file anew, with `text`."""
        await self._run(lambda: self._begin(export_id, text))

    async def append(self, export_id: str, text: bytes) -> None:
        """Write more into a file that was begun."""
        await self._run(lambda: self._append(export_id, text, flags=_MORE))

    async def finish(self, export_id: str) -> None:
        """Give a file its name, durably. Twice is fine."""
        await self._run(lambda: self._finish(export_id))

    async def remove(self, export_id: str) -> None:
        """Remove a file, finished or not, if there is one."""
        await self._run(lambda: self._remove(export_id))

    async def path(self, export_id: str) -> str | None:
        """Return where a finished file is; `None` when there is none."""
        path = self._path(export_id, _FINISHED)
        return str(path) if await self._run(path.is_file) else None

    async def names(self) -> list[str]:
        """Return the ids of all exports of which there is a file; other files are passed over."""
        return await self._run(self._names)

    async def close(self) -> None:
        """Wait until what runs has ended, and take no more. Twice is fine."""
        if not self._closed:
            self._closed = True
            if self._asked:
                with contextlib.suppress(UnavailableError):  # then it has ended
                    await self._submit(_nothing)
            self._executor.shutdown(wait=False)

    async def _run(self, work: Callable[[], _T]) -> _T:
        if self._closed:
            raise UnavailableError("shutting down")
        self._asked = True
        return await self._submit(work)

    async def _submit(self, work: Callable[[], _T]) -> _T:
        try:
            running = asyncio.get_running_loop().run_in_executor(self._executor, work)
        except RuntimeError as error:  # the interpreter ends: its pools have ended already
            raise UnavailableError("shutting down") from error
        return await running

    # -- on the thread ----------------------------------------------------------------------

    def _path(self, export_id: str, ending: str) -> Path:
        assert is_message_id(export_id), export_id  # no path but one in the folder
        return self._folder / f"{export_id}{ending}"

    def _begin(self, export_id: str, text: bytes) -> None:
        try:
            _make_folder(self._folder)
            # Never into a file that a thread of an engine before this one may still write to.
            self._path(export_id, _PARTIAL).unlink(missing_ok=True)
        except OSError as error:
            raise _failed(error) from error
        self._append(export_id, text, flags=_NEW)

    def _append(self, export_id: str, text: bytes, *, flags: int) -> None:
        try:
            self._require_room(len(text))
            fd = os.open(self._path(export_id, _PARTIAL), flags, 0o600)
            try:
                left = memoryview(text)
                while left:
                    left = left[os.write(fd, left) :]
            finally:
                os.close(fd)
        except OSError as error:
            raise _failed(error) from error

    def _require_room(self, size_bytes: int) -> None:
        if self._free_bytes(self._folder) - size_bytes < self._free_bytes_min:
            raise ExportFileError(
                f"the disk is nearly full: exports leave {self._free_bytes_min} bytes free"
            )

    def _finish(self, export_id: str) -> None:
        partial, finished = self._path(export_id, _PARTIAL), self._path(export_id, _FINISHED)
        try:
            if partial.exists() or not finished.exists():
                _sync(partial)
                partial.rename(finished)
            _sync(self._folder)
        except OSError as error:
            raise _failed(error) from error

    def _remove(self, export_id: str) -> None:
        for ending in (_PARTIAL, _FINISHED):
            try:
                self._path(export_id, ending).unlink(missing_ok=True)
            except OSError as error:
                log.error("export.remove_failed", export_id=export_id, exc_info=error)

    def _names(self) -> list[str]:
        found: set[str] = set()
        with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                name = entry.name.removesuffix(".part")
                if name.endswith(_FINISHED) and is_message_id(name.removesuffix(_FINISHED)):
                    found.add(name.removesuffix(_FINISHED))
        return sorted(found)


def _make_folder(folder: Path) -> None:
    """Make the folder, durably, for its owner only; or see to it that it is one."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
        if stat.S_IMODE(status.st_mode) != 0o700:  # noqa: PLR2004 - a mode
            folder.chmod(0o700)
    else:
        _sync(folder.parent)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _failed(error: OSError) -> ExportFileError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return ExportFileError("the disk is full")
    return ExportFileError(f"the file cannot be written: {error.strerror}")


def _nothing() -> None:
    """Take the place in the queue behind everything that was asked for."""
