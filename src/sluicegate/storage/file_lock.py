"""One process per database file: an advisory lock beside it."""

import contextlib
import os
import sys
import weakref

from sluicegate.engine.errors import StorageLockedError

if sys.platform != "win32":
    import fcntl

__all__ = ["FileLock"]


class FileLock:
    """An exclusive lock on `<database>.lock`, held from `acquire` to `release`.

    The kernel drops the lock when the process ends, however it ends; the file stays and only
    says, for people, which process wrote it last. The file is never unlinked: a second process
    could then lock a new file of the same name while the first still holds the old one.

    A child of a fork does not hold it: it would, as long as it lives, also when its parent is gone.
    Nor may it ever take it, if its parent held it at that moment: SQLite would go by locks that
    only the parent had, and another program that opens the file could delete the log of the child's
    commits (https://sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork).
    """

    def __init__(self, database: str) -> None:
        """Take the database file's real path: another spelling would be another lock."""
        self._database = database
        self._path = f"{database}.lock"
        self._fd: int | None = None

    def exists(self) -> bool:
        """Say whether anyone ever took the lock."""
        return os.path.lexists(self._path)

    def acquire(self) -> None:
        """Take the lock or fail at once; never waits.

        Raises:
            StorageLockedError: another process (or another storage of this one) has it, the
                parent had it when this process was forked, or this platform has no `flock`.
        """
        if sys.platform == "win32":
            message = f"cannot lock {self._path}: this platform has no flock; use a POSIX system"
            raise StorageLockedError(message)
        fd = -1
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            who = f"another process (pid {owner})"
            if owner == str(os.getpid()):
                who = f"another engine of this process (pid {owner})"
            message = f"{self._database} is in use by {who}"
            details = {"file": self._database, "pid": owner}
            raise StorageLockedError(message, details=details) from None
        except OSError as error:
            if fd >= 0:
                os.close(fd)
            message = f"cannot lock {self._path}: {error.strerror}"
            raise StorageLockedError(message, details={"file": self._path}) from error
        if self._database in _parents:
            os.close(fd)
            message = (
                f"{self._database} was open in this process's parent when it was forked: "
                "open it only after the fork, or in a program that is started anew"
            )
            raise StorageLockedError(message, details={"file": self._database})
        os.ftruncate(fd, 0)
        # A full disk must not keep us from starting: the pid is only for the message.
        with contextlib.suppress(OSError):
            os.pwrite(fd, f"{os.getpid()}\n".encode("ascii"), 0)
        self._fd = fd
        _held.add(self)

    def leave_to_parent(self) -> None:
        """Begin as a child: close its own descriptor, the parent's goes on holding."""
        if self._fd is not None:
            _parents.add(self._database)
        self.release()

    def release(self) -> None:
        """Give the lock back. Twice is fine."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


_held: "weakref.WeakSet[FileLock]" = weakref.WeakSet()
_parents: set[str] = set()
"""The databases that were in use when this process was forked."""


def _after_fork_in_child() -> None:
    for lock in list(_held):
        lock.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
