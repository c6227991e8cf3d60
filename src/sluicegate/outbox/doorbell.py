"""How the owner of a database hears that something was put into its inbox: a socket beside it.

A Unix datagram socket: whoever rings while nobody listens goes away at once, whether the name is
missing or was left behind by a process that was killed. (A FIFO has no limit on its path, but a
program that copies the folder's files would hang in it.) An owner looks into its inbox when it
starts, so no ring is needed for what was put there before.
"""

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from sluicegate.engine.log import log

__all__ = ["Doorbell", "doorbell_path", "ring"]

_ADDRESS_BYTES_MAX = 103
"""What the smallest `sun_path` of our platforms has room for (macOS; Linux has 107)."""
_RING = b"!"
_DEAF_S = 1.0


def doorbell_path(database: str) -> str:
    """Return where the doorbell of a database is; `database` as `real_path` gives it."""
    return f"{database}.inbox.bell"


def ring(path: str) -> bool:
    """Wake who listens; return whether anybody does. Never waits, and is safe from any thread."""
    try:
        with _socket() as ringing, _address_of(path) as address:
            ringing.sendto(_RING, address)
    except BlockingIOError:
        return True  # full of rings that were not heard yet: this one adds nothing
    except OSError:
        return False
    return True


class Doorbell:
    """The listening end, of the one who owns the database. Lives on one event loop."""

    def __init__(self, path: str, *, database: str) -> None:
        """Take where it is, and the file whose mode says who may ring."""
        self._path = path
        self._database = database
        self._socket: socket.socket | None = None
        self._rung = asyncio.Event()

    def open(self) -> None:
        """Listen from now on. Twice is fine.

        Where that is not possible (a path that is too long, a file system without sockets) it is
        logged, and `wait` just waits for a second.
        """
        if self._socket is not None:
            return
        listening = _socket()
        try:
            self._unlink()
            with _address_of(self._path) as address:
                listening.bind(address)
            mode = stat.S_IMODE(Path(self._database).stat().st_mode) & 0o666
            Path(self._path).chmod(mode)
        except OSError as error:
            listening.close()
            log.warning("inbox.doorbell_missing", path=self._path, reason=error.strerror)
            return
        self._socket = listening
        asyncio.get_running_loop().add_reader(listening, self._hear, listening)

    def close(self) -> None:
        """Listen no more. Twice is fine."""
        listening, self._socket = self._socket, None
        if listening is not None:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
            with contextlib.suppress(OSError):
                self._unlink()

    async def wait(self) -> None:
        """Wait until it has rung since the last wait ended."""
        if self._socket is None:
            await asyncio.sleep(_DEAF_S)
            return
        await self._rung.wait()
        self._rung.clear()

    def _unlink(self) -> None:
        """Remove what a process before this one left; anything but a socket stays."""
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(Path(self._path).lstat().st_mode):
                raise FileExistsError(errno.EEXIST, "it is there, and no socket")
            Path(self._path).unlink()

    def _hear(self, listening: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while listening.recv(len(_RING)):
                pass
        self._rung.set()


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.settimeout(0.0)
    return made


@contextlib.contextmanager
def _address_of(path: str) -> Iterator[str]:
    """Give a path that fits into an address. On Linux every folder has a short one while open."""
    if len(os.fsencode(path)) <= _ADDRESS_BYTES_MAX:
        yield path
        return
    folder = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{Path(path).name}"
    finally:
        os.close(folder)
