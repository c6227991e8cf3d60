"""The disk of one machine: its files, how it fails, and what a crash leaves of it."""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import aiosqlite

from sluicegate.simulation.disk.connections import HostDiedError, connect_inline
from sluicegate.simulation.disk.statements import Statements, failure
from sluicegate.simulation.faults import CALM, Faults
from sluicegate.simulation.loop import SimulationLoop

__all__ = ["Disk"]

_DATABASE = "sluicegate.db"
_WRITE_S = (0.0001, 0.004)
_SLOW_S = (0.5, 5.0)


class Disk:
    """Holds a machine's database, which outlives its processes.

    The files are real, in a folder of their own. A crash of the process leaves what it had
    written; a loss of power leaves of the log what was synced, and of the rest a piece that ends
    at any byte.

    Attributes:
        faults: what goes wrong.
        writes: commits tried so far.
        checkpoints: whether SQLite brings its log into the file now and then, as it does by
            default. Off: a loss of power is then modelled exactly, but the log grows for ever.
            Set it before the engine starts; long runs without a loss of power need it.
    """

    def __init__(self, loop: SimulationLoop, seed: int | str, folder: Path) -> None:
        """Hold nothing yet, in an existing empty folder."""
        self._loop = loop
        self._random = random.Random(f"{seed}:disk")
        self._root = folder
        self._generation = 0
        self._folder = self._make_folder()
        self._connections: list[aiosqlite.Connection] = []
        self._opened: list[Statements] = []
        self._synced_bytes = 0
        self._crash_at: int | None = None
        self._crash_loses_power = False
        self._died: Callable[[bool], None] = lambda _: None
        self.faults: Faults = CALM
        self.full = False
        self.writes = 0
        self.checkpoints = False

    @property
    def database(self) -> str:
        """The path of the database file, for this life of the machine."""
        return str(self._folder / _DATABASE)

    def crash_at_write(self, count: int, *, power_loss: bool, died: Callable[[bool], None]) -> None:
        """Crash at the `count`-th commit from now: before it, within it, or right after it.

        Args:
            count: from 1.
            power_loss: whether the machine loses power, or only the process ends.
            died: called when it has happened, with `power_loss`.
        """
        assert count >= 1, count
        self._crash_at = self.writes + count
        self._crash_loses_power = power_loss
        self._died = died

    def take_over(self) -> None:
        """Let another process take the database over, as one does that was told the owner is dead.

        It does no more than raise the epoch: the owner, if it lives, must not write from then on.
        The database exists and is in use.
        """
        self._loop.trace.note("disk.taken_over")
        with closing(sqlite3.connect(self.database, isolation_level=None)) as db:
            db.execute("PRAGMA wal_autocheckpoint = 0")
            db.execute("UPDATE meta SET epoch = epoch + 1")
        self._synced_bytes = self._log_bytes()

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self.faults, self.full, self._crash_at = CALM, False, None

    # -- connections --------------------------------------------------------------------------

    def connect(self, path: str) -> aiosqlite.Connection:
        """Return a connection to a database file: the `connect` of `SqliteStorage`."""

        def connector() -> sqlite3.Connection:
            db = sqlite3.connect(
                path, isolation_level=None, cached_statements=256, factory=Statements
            )
            db.keeper = self
            self._opened.append(db)
            return db

        connection = connect_inline(connector, loop=self._loop, pace=self)
        self._connections.append(connection)
        return connection

    def operation_s(self) -> float:
        """Return how long the next operation takes."""
        slow = self._happens(self.faults.slow_disk)
        return self._random.uniform(*(_SLOW_S if slow else _WRITE_S))

    def died(self) -> None:
        """Hear that the host died within an operation."""
        self._died(self._crash_loses_power)

    def begin(self) -> None:
        """Let a transaction begin.

        Raises:
            sqlite3.OperationalError: another program holds the file, by a fault.
        """
        if self._happens(self.faults.busy):
            self._loop.trace.note("disk.busy")
            raise failure(sqlite3.SQLITE_BUSY, "SQLITE_BUSY", "database is locked")

    def commit(self, db: Statements, commit: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        """Carry out a commit, unless it fails or the host dies.

        Raises:
            sqlite3.OperationalError: by a fault; it may have been carried out.
            HostDiedError: the moment has come.
        """
        self.writes += 1
        if self.writes == self._crash_at:
            self._crash_at = None
            if self._random.random() < 0.6:  # noqa: PLR2004 - most harm is done right after
                self._commit(db, commit)
            self._loop.trace.note("disk.died", self.writes)
            raise HostDiedError
        if self.full:
            self._loop.trace.note("disk.full")
            raise failure(sqlite3.SQLITE_FULL, "SQLITE_FULL", "database or disk is full")
        if self._happens(self.faults.write_error):
            self._loop.trace.note("disk.write_failed", self.writes)
            raise failure(sqlite3.SQLITE_IOERR, "SQLITE_IOERR", "disk I/O error")
        cursor = self._commit(db, commit)
        if self._happens(self.faults.unknown_outcome):
            self._loop.trace.note("disk.sync_failed", self.writes)
            raise failure(sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC", "disk I/O error")
        return cursor

    def _commit(self, db: Statements, commit: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        cursor = commit()
        if db.syncs():
            self._synced_bytes = self._log_bytes()
        return cursor

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate

    # -- crashes --------------------------------------------------------------------------------

    def crash(self, *, power_loss: bool) -> None:
        """End every use of the files, and keep what a new process, or a new start, would find."""
        self._crash_at = None
        before = self._folder
        self._generation += 1
        self._folder = self._make_folder()
        for file in sorted(before.iterdir()):
            if file.is_dir():
                shutil.copytree(file, self._folder / file.name)
            elif not file.name.endswith(("-shm", ".lock")):
                shutil.copyfile(file, self._folder / file.name)
        if power_loss:
            self._tear_log()
        self._release(before)
        shutil.rmtree(before)

    def remove(self) -> None:
        """End every use of the files, and remove them."""
        self._release(self._folder)
        shutil.rmtree(self._root, ignore_errors=True)

    def _tear_log(self) -> None:
        size = self._log_bytes()
        if size > self._synced_bytes:
            kept = self._random.randrange(self._synced_bytes, size + 1)
            os.truncate(f"{self.database}-wal", kept)
            self._loop.trace.note("disk.tore", size - kept)

    def _log_bytes(self) -> int:
        try:
            return Path(f"{self.database}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _release(self, folder: Path) -> None:
        """Close what the dead process had open, as a kernel would."""
        for connection in self._connections:
            connection._connection = None  # noqa: SLF001 - else it would speak to a dead loop
        for db in self._opened:
            db.keeper = None
            db.close()
        self._connections.clear()
        self._opened.clear()
        _close_descriptors(folder)

    def _make_folder(self) -> Path:
        folder = self._root / f"life-{self._generation}"
        folder.mkdir(mode=0o700)
        return folder


def _close_descriptors(folder: Path) -> None:
    """Close every descriptor of this process whose file is in a folder."""
    files = {(each.stat().st_dev, each.stat().st_ino) for each in folder.rglob("*")}
    for entry in list(Path("/dev/fd").iterdir()):
        try:
            status = os.fstat(int(entry.name))
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in files:
            os.close(int(entry.name))
