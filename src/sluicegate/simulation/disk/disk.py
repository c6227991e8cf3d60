"""The disk of one machine: its files, how it fails, and what a crash leaves of it.

Theory of operation
===================

SQLite is the real one, on real files in a folder; the engine's own code decides what is written,
synced and checkpointed. `Statements` asks the disk before each statement: there it fails, is full,
or ends in the death of the machine.

A crash of the process leaves what was written: the files as they stand. A loss of power leaves
what was synced, and of the rest any part. What SQLite has synced follows from what it promises
(https://sqlite.org/wal.html): with `synchronous = FULL` the log up to the end of each commit, with
`NORMAL` the log up to the last checkpoint. So the content of the log as of the last sync is kept
as soon as something is written that is not synced, and a loss of power leaves of what changed
since then a piece that ends at any byte, or any of its sectors.

Checkpoints are the real ones: those that the engine asks for, and those that SQLite does by
itself, which here come by chance instead of every thousand pages, for runs are short. A crash may
come in the middle of one: the log is then whole and synced, and any page, or after a loss of power
any sector, of the database file may be the old one. After one the log begins anew, over the old
one.

What a crash leaves of the other files: the key file and finished exports are whole, for they are
synced before they get their names; of an export that is being written a loss of power leaves any
piece; the reserve may be gone, for its name is not synced. Locks are gone.

Not modelled: an fsync that reports success after one that failed, though the data of the first
are lost (that takes a disk that has lied); rotten bits; the rollback journal with which SQLite
turns a new, empty file into one with a log; what readers do during a checkpoint, for each
operation on the disk happens at one moment; a loss of power in the middle of making a key file.
"""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import aiosqlite

from sluicegate.simulation.disk.capacity import Capacity
from sluicegate.simulation.disk.connections import HostDiedError, connect_inline
from sluicegate.simulation.disk.crash_points import CrashPoint, Moment
from sluicegate.simulation.disk.files import Files
from sluicegate.simulation.disk.statements import Statements, failure
from sluicegate.simulation.faults import CALM, Faults
from sluicegate.simulation.lives import OUTSIDE
from sluicegate.simulation.loop import SimulationLoop

__all__ = ["Disk"]

_OPERATION_S = (0.0001, 0.004)
_SLOW_S = (0.5, 5.0)
_FULL_S = (5.0, 120.0)
_LEFT_BYTES_MAX = 40_000
_CHECKPOINT = 0.02
_STATEMENTS_MAX = 8


class Disk:
    """Holds a machine's database, which outlives its processes.

    Attributes:
        faults: what goes wrong.
        writes: commits tried so far.
        operations: statements tried so far, commits and reads among them.
    """

    def __init__(self, loop: SimulationLoop, seed: int | str, folder: Path) -> None:
        """Hold nothing yet, in an existing empty folder."""
        self._loop = loop
        self._random = random.Random(f"{seed}:disk")
        self._files = Files(folder, self._random, loop.trace)
        self._connections: list[aiosqlite.Connection] = []
        self._opened: list[Statements] = []
        self._capacity = Capacity()
        self._doomed: int | None = None  # how many statements a transaction has that will fail
        self._write_point: CrashPoint | None = None
        self._operation_point: CrashPoint | None = None
        self._death: CrashPoint | None = None
        self._died: Callable[[bool], None] = lambda _: None
        self.faults: Faults = CALM
        self.writes = 0
        self.operations = 0

    @property
    def database(self) -> str:
        """The path of the database file, for this life of the machine."""
        return str(self._files.database)

    # -- what a tester orders -------------------------------------------------------------------

    def crash_at_write(
        self,
        count: int,
        *,
        power_loss: bool,
        died: Callable[[bool], None],
        moment: Moment | None = None,
    ) -> None:
        """Crash at the `count`-th commit from now.

        Args:
            count: from 1.
            power_loss: whether the machine loses power, or only the process ends.
            died: called when it has happened, with `power_loss`.
            moment: before, within or after the commit; by chance if not given.
        """
        assert count >= 1, count
        self._write_point = CrashPoint(
            at=self.writes + count,
            power_loss=power_loss,
            moment=moment or CrashPoint.draw(self._random),
        )
        self._died = died

    def crash_at_operation(
        self, count: int, *, power_loss: bool, died: Callable[[bool], None]
    ) -> None:
        """Crash before the `count`-th statement from now, a read or a write; else the same."""
        assert count >= 1, count
        self._operation_point = CrashPoint(
            at=self.operations + count, power_loss=power_loss, moment=Moment.BEFORE
        )
        self._died = died

    def fill(self, leaving_bytes: int = 0) -> None:
        """Let something else fill the disk, but for some bytes; until `make_room` or `heal`."""
        assert leaving_bytes >= 0, leaving_bytes
        self._capacity.total_bytes = self._capacity.used_bytes(self._files.folder) + leaving_bytes
        self._loop.trace.note("disk.filled", leaving_bytes)

    def make_room(self) -> None:
        """Let there be as much room as anybody wants."""
        if self._capacity.total_bytes is not None:
            self._capacity.total_bytes = None
            self._loop.trace.note("disk.has_room")

    def free_bytes(self, _folder: Path | None = None) -> int:
        """Return how much more may be stored: the `free_bytes` of `SqliteStorage`."""
        return self._capacity.free_bytes(self._files.folder)

    def take_over(self) -> None:
        """Let another process take the database over, as one does that was told the owner is dead.

        It does no more than raise the epoch: the owner, if it lives, must not write from then on.
        The database exists and is in use.
        """
        self._loop.trace.note("disk.taken_over")
        with closing(sqlite3.connect(self.database, isolation_level=None)) as db:
            db.execute("PRAGMA wal_autocheckpoint = 0")
            db.execute("UPDATE meta SET epoch = epoch + 1")
        self._files.synced_log = None

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self.faults = CALM
        self._write_point = self._operation_point = self._doomed = None
        self.make_room()

    # -- connections --------------------------------------------------------------------------

    def connect(self, path: str) -> aiosqlite.Connection:
        """Return a connection to a database file: the `connect` of `SqliteStorage`."""

        def connector() -> sqlite3.Connection:
            if self._happens(self.faults.open_error):
                self._loop.trace.note("disk.not_opened")
                raise failure(
                    sqlite3.SQLITE_CANTOPEN, "SQLITE_CANTOPEN", "unable to open database file"
                )
            if not self._files.log.exists():
                self._files.synced_log = None
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
        return self._random.uniform(*(_SLOW_S if slow else _OPERATION_S))

    def died(self) -> None:
        """Hear that the host died within an operation."""
        assert self._death is not None
        self._died(self._death.power_loss)

    # -- statements ---------------------------------------------------------------------------

    def carry_out(
        self, db: Statements, sql: str, run: Callable[[], sqlite3.Cursor]
    ) -> sqlite3.Cursor:
        """Carry out a statement, unless it fails or the host dies.

        Raises:
            sqlite3.OperationalError: by a fault; a commit may have been carried out all the same.
            HostDiedError: the moment has come, or has passed.
        """
        self.operations += 1
        point = self._operation_point
        if self._death is not None or (point is not None and point.at <= self.operations):
            self._operation_point = None
            self._die(self._death or point)
        if sql == "COMMIT":
            return self._commit(db, run)
        if sql in {"BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"}:
            self._begin(db)
        elif sql.startswith("PRAGMA wal_"):
            return self._checkpoint_as_told(db, sql, run)
        elif sql == "PRAGMA query_only = ON":
            db.only_reads = True
        elif db.only_reads:
            self._read(sql)
        elif self._doomed is not None and db.in_transaction:
            self._doomed -= 1
            if self._doomed <= 0:
                self._fail(db)
        return run()

    def _begin(self, db: Statements) -> None:
        self._doomed = None
        if self._happens(self.faults.busy):
            self._loop.trace.note("disk.busy")
            raise failure(sqlite3.SQLITE_BUSY, "SQLITE_BUSY", "database is locked")
        if self._happens(self.faults.write_error):
            self._doomed = self._random.randint(1, _STATEMENTS_MAX)
        if self._happens(self.faults.disk_full) and self._capacity.total_bytes is None:
            self.fill(self._random.randint(0, _LEFT_BYTES_MAX))
            full_s = self._random.uniform(*_FULL_S)
            self._loop.call_later(full_s, self.make_room, context=OUTSIDE.copy())
        self._capacity.begin(db, self._files.folder)

    def _read(self, sql: str) -> None:
        reads = sql.lstrip().startswith(("SELECT", "WITH"))
        if reads and self._happens(self.faults.read_error):
            self._loop.trace.note("disk.read_failed")
            raise failure(sqlite3.SQLITE_IOERR_READ, "SQLITE_IOERR_READ", "disk I/O error")

    def _fail(self, db: Statements) -> None:
        """Fail as a disk does within a transaction, which SQLite may end by itself."""
        self._doomed = None
        self._loop.trace.note("disk.write_failed", self.writes)
        if self._random.random() < 0.5:  # noqa: PLR2004 - a coin
            db.itself("ROLLBACK")
        raise failure(sqlite3.SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE", "disk I/O error")

    # -- commits --------------------------------------------------------------------------------

    def _commit(self, db: Statements, run: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        self.writes += 1
        point = self._write_point
        if point is not None and point.at <= self.writes:
            self._write_point = None
            self._die_committing(db, run, point)
        if self._doomed is not None:
            self._fail(db)
        try:
            self._capacity.commit(self._files.folder)
        except sqlite3.OperationalError:
            self._loop.trace.note("disk.full")
            raise
        if self._happens(self.faults.sync_error):
            self._loop.trace.note("disk.sync_failed", self.writes)
            # What was not synced is in the log, for the next process to find; or it is not.
            if self._random.random() < 0.5:  # noqa: PLR2004 - a coin
                self._write(run, synced=False)
            raise failure(sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC", "disk I/O error")
        cursor = self._write(run, synced=db.syncs())
        if self._happens(self.faults.unknown_outcome):
            self._loop.trace.note("disk.outcome_unknown", self.writes)
            raise failure(sqlite3.SQLITE_IOERR, "SQLITE_IOERR", "disk I/O error")
        if self._random.random() < _CHECKPOINT:
            self._checkpoint(db)
        return cursor

    def _write(self, run: Callable[[], sqlite3.Cursor], *, synced: bool) -> sqlite3.Cursor:
        if not synced and self._files.synced_log is None:
            self._files.synced_log = self._files.log_bytes()
        cursor = run()
        if synced:
            self._files.synced_log = None
        return cursor

    def _die_committing(
        self, db: Statements, run: Callable[[], sqlite3.Cursor], point: CrashPoint
    ) -> None:
        match point.moment:
            case Moment.BEFORE:
                pass
            case Moment.WITHIN:
                before = self._files.log_bytes()
                run()
                self._files.tear_log(before, power_loss=point.power_loss)
            case Moment.AFTER:
                self._write(run, synced=db.syncs())
            case Moment.CHECKPOINT:
                self._write(run, synced=db.syncs())
                before = self._files.database.read_bytes()
                self._checkpoint(db)
                self._files.tear_database(before, power_loss=point.power_loss)
        self._die(point)

    def _die(self, point: CrashPoint | None) -> None:
        assert point is not None
        if self._death is None:
            self._loop.trace.note("disk.died", self.writes, self.operations, point.moment)
        self._death = point
        raise HostDiedError

    # -- checkpoints ----------------------------------------------------------------------------

    def _checkpoint_as_told(
        self, db: Statements, sql: str, run: Callable[[], sqlite3.Cursor]
    ) -> sqlite3.Cursor:
        if sql.startswith("PRAGMA wal_autocheckpoint"):
            return db.itself("PRAGMA wal_autocheckpoint = 0")
        if self._happens(self.faults.write_error):
            self._loop.trace.note("disk.checkpoint_failed")
            raise failure(sqlite3.SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE", "disk I/O error")
        if self._capacity.total_bytes is not None:
            raise failure(sqlite3.SQLITE_FULL, "SQLITE_FULL", "database or disk is full")
        cursor = run()
        self._files.synced_log = None
        return cursor

    def _checkpoint(self, db: Statements) -> None:
        """Do by chance what SQLite does every thousand pages."""
        if self._capacity.total_bytes is None:
            db.itself("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._files.synced_log = None

    # -- crashes --------------------------------------------------------------------------------

    def crash(self, *, power_loss: bool) -> None:
        """End every use of the files, and keep what a new process, or a new start, would find."""
        before = self._files.survive(power_loss=power_loss)
        self._death = self._doomed = self._write_point = self._operation_point = None
        self._release()
        self._files.bury(before)

    def remove(self) -> None:
        """End every use of the files, and remove them. Nothing of the dead may run any more."""
        self._release()
        self._files.remove()

    def _release(self) -> None:
        """Close the connections of a dead process, as a kernel would."""
        for connection in self._connections:
            connection._connection = None  # noqa: SLF001 - else it would speak to a dead loop
        for db in self._opened:
            db.keeper = None
            db.close()
        self._connections.clear()
        self._opened.clear()

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate
