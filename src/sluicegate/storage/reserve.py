"""Disk space put aside, so that a full disk does not lose the results of attempts."""

import contextlib
import os
from pathlib import Path

from sluicegate.storage.disk_space import FreeBytes, free_bytes

__all__ = ["RESERVE_BYTES", "Reserve"]

RESERVE_BYTES = 4 << 20
"""How much is put aside."""

_CHUNK = bytes(1 << 20)


class Reserve:
    """A preallocated file that is given up when the disk is full and made again later.

    Called on the writing connection's thread only; each call may block on the disk.
    """

    def __init__(self, path: str, *, size_bytes: int, free_bytes: FreeBytes = free_bytes) -> None:
        """Take the file's path, its size, and who knows of room; nothing is written yet."""
        self._path = Path(path)
        self._free_bytes = free_bytes
        self._size_bytes = size_bytes
        self.held = False
        """Whether the space is put aside."""

    def make(self) -> bool:
        """Put the space aside, if the disk has as much again to spare; return whether it is.

        The margin keeps the space that was just freed from being taken again at once.
        """
        with contextlib.suppress(OSError):
            if self._path.stat().st_size == self._size_bytes:
                self.held = True
                return True
        try:
            self._write()
        except OSError:
            self.give_up()
        else:
            self.held = True
        return self.held

    def give_up(self) -> bool:
        """Free the space; return whether there was any to free."""
        self.held = False
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def _write(self) -> None:
        if self._free_bytes(self._path.parent) < 2 * self._size_bytes:
            raise OSError(f"no room for {self._path}")
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            left = self._size_bytes
            while left:
                left -= os.write(fd, _CHUNK[:left])
            os.fsync(fd)
        finally:
            os.close(fd)
