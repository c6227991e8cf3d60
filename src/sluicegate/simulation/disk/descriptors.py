"""What a kernel does for a dead process: its files are closed, and with them its locks go."""

import contextlib
import os
from pathlib import Path

__all__ = ["Descriptors"]

_LIMIT = 4096


class Descriptors:
    """Closes the files of dead processes, whose numbers the dead still believe in.

    A dead program's code may yet run once: Python runs the `finally` of a generator when it is
    collected, and that may close "its" descriptor, whose number somebody else has by then. So
    each number stays taken, by a file that means nothing, until the world ends.
    """

    def __init__(self, folder: Path) -> None:
        """Make the file that means nothing in a folder."""
        self._tombstone = folder / "tombstone"
        self._tombstone.touch(mode=0o600)

    def close_all_in(self, folder: Path) -> None:
        """Close every descriptor of this process whose file is in a folder."""
        found = _descriptors_of({_identity(each.stat()) for each in folder.rglob("*")})
        if not found:
            return
        grave = os.open(self._tombstone, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for number in found:
                os.dup2(grave, number, inheritable=False)
        finally:
            os.close(grave)

    def bury(self) -> None:
        """Give the numbers back. Nothing of the dead may run any more. Twice is fine."""
        with contextlib.suppress(FileNotFoundError):
            for number in _descriptors_of({_identity(self._tombstone.stat())}):
                os.close(number)


def _descriptors_of(files: set[tuple[int, int]]) -> list[int]:
    """Return this process's descriptors of some files."""
    found: list[int] = []
    for number in _open_numbers():
        with contextlib.suppress(OSError):
            if _identity(os.fstat(number)) in files:
                found.append(number)
    return found


def _open_numbers() -> list[int]:
    """Return every number that may be an open descriptor."""
    try:  # Linux and macOS
        return sorted(int(name) for name in os.listdir("/dev/fd"))  # noqa: PTH208 - names suffice
    except OSError:
        return list(range(_LIMIT))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
