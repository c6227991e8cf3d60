"""Running many writes as one transaction, and telling failures apart.

Everything here runs on the writing connection's thread.

One write that breaks must not take its neighbours with it: the transaction is rolled back and
each of its writes runs again in one of its own. A full disk rolls back too; the reserve is freed,
and what takes on no new work runs again. After an I/O error nobody knows what is on the disk
(an fsync that failed once may report success when it is repeated, with the data gone), so nothing
is written any more: `OutcomeUnknownError`.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec

from sluicegate.engine.errors import SluicegateError, UnavailableError
from sluicegate.engine.log import log
from sluicegate.engine.model import Arrivals
from sluicegate.engine.ports import StorageFault
from sluicegate.storage.attempts import RecordAttempt
from sluicegate.storage.reserve import Reserve
from sluicegate.storage.writes import Gathered, Write

__all__ = ["Committed", "OutcomeUnknownError", "StaleOwnerError", "Transactions"]

_RESERVE_RETRY_MS = 5_000
_FULL_RETRY_AFTER_S = 5

_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM}
"""Another program holds the file for a moment; the transaction did not happen."""
_OURS = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
}
"""One write is wrong; the file is well."""


class OutcomeUnknownError(Exception):
    """The disk failed: what of the last transaction is stored is not known."""


class StaleOwnerError(Exception):
    """Another process has opened the database since we did."""


class Committed(msgspec.Struct, frozen=True):
    """What a batch of writes came to."""

    results: list[object]
    """One for each write; a `SluicegateError` is to be raised to its caller."""
    accepted: Mapping[str, Arrivals]
    """The new messages of each endpoint that got any, in order."""
    fatal: Exception | None
    """Set when nothing may be written any more."""
    faults: tuple[StorageFault, ...] = ()
    """What went wrong on the way."""


class Transactions:
    """Commits batches for one owner of the database."""

    def __init__(self, *, epoch: int, reserve: Reserve) -> None:
        """Take the owner's epoch and the space put aside for a full disk."""
        self._epoch = epoch
        self._reserve = reserve
        self._reserve_retry_at_ms = 0
        self._gathered = Gathered()
        self._accepted: dict[str, Arrivals] = {}
        self._faults: list[StorageFault] = []
        self.commits = 0
        """Transactions committed so far."""

    def run(
        self, db: sqlite3.Connection, writes: Sequence[Write[object]], *, now_ms: int
    ) -> Committed:
        """Commit `writes` in order, in one transaction if all goes well.

        Args:
            db: the writing connection.
            writes: at least one.
            now_ms: the steady clock; paces attempts to put the reserve aside again.
        """
        if not self._reserve.held and now_ms >= self._reserve_retry_at_ms:
            self._reserve.make()
        if self._reserve.held or now_ms >= self._reserve_retry_at_ms:
            # From the moment it is given up, or could not be made.
            self._reserve_retry_at_ms = now_ms + _RESERVE_RETRY_MS
        self._accepted, self._faults = {}, []
        fatal: Exception | None = None
        try:
            results = self._settle(db, writes)
        except (OutcomeUnknownError, StaleOwnerError) as error:
            results = [UnavailableError("storage has failed") for _ in writes]
            fatal = error
        else:
            fatal = self._checkpoint(db)
        if fatal is not None:
            self._faults.append(StorageFault.UNKNOWN)
        return Committed(results, self._accepted, fatal, tuple(self._faults))

    def _settle(self, db: sqlite3.Connection, writes: Sequence[Write[object]]) -> list[object]:
        """Commit what can be committed; answer for each write."""
        if not self._reserve.held:
            return self._settle_without_growth(db, writes)
        try:
            return self._transact(db, writes)
        except _FullError:
            self._faults.append(StorageFault.FULL)
            log.error("storage.filled", reserve_freed=self._reserve.give_up())
            return self._settle_without_growth(db, writes)
        except _BusyError:
            self._faults.append(StorageFault.BUSY)
            return [_busy() for _ in writes]
        except _FaultyWriteError as error:
            return self._settle_apart(db, writes, error.cause)

    def _settle_without_growth(
        self, db: sqlite3.Connection, writes: Sequence[Write[object]]
    ) -> list[object]:
        """Refuse what takes on new work; commit the rest if there is room even so."""
        rest = [write for write in writes if not write.grows]
        if len(rest) < len(writes):
            self._faults.append(StorageFault.FULL)
        answers: list[object] = []
        try:
            answers = self._transact(db, rest) if rest else []
        except _FullError:
            self._faults.append(StorageFault.FULL)
            answers = [_full() for _ in rest]
        except _BusyError:
            self._faults.append(StorageFault.BUSY)
            answers = [_busy() for _ in rest]
        except _FaultyWriteError as error:
            answers = self._settle_apart(db, rest, error.cause)
        answer = iter(answers)
        return [_full() if write.grows else next(answer) for write in writes]

    def _settle_apart(
        self, db: sqlite3.Connection, writes: Sequence[Write[object]], cause: Exception
    ) -> list[object]:
        """Commit each write on its own, so that only the faulty one fails."""
        if len(writes) == 1:
            self._faults.append(StorageFault.FAULTY_WRITE)
            log.error("write.failed", write=type(writes[0]).__name__, exc_info=cause)
            return [SluicegateError()]
        return [answer for write in writes for answer in self._settle(db, [write])]

    def _transact(self, db: sqlite3.Connection, writes: Sequence[Write[object]]) -> list[object]:
        """Commit all of `writes` or nothing.

        Raises:
            _FullError: no room; rolled back.
            _BusyError: another program holds the file; rolled back.
            _FaultyWriteError: one of them broke; rolled back.
            StaleOwnerError: the database has a new owner; rolled back.
            OutcomeUnknownError: the disk failed.
        """
        committing = False
        try:
            db.execute("BEGIN IMMEDIATE")
            self._check_owner(db)
            results = self._apply_all(db, writes)
            self._gathered.flush(db)
            committing = True
            db.execute("COMMIT")
        except StaleOwnerError:
            self._roll_back(db)
            raise
        except sqlite3.Error as error:
            self._roll_back(db)
            raise _judged(error, committing=committing) from error
        except Exception as error:
            # Whatever breaks one write must spare its neighbours.
            self._roll_back(db)
            raise _FaultyWriteError(error) from error
        self.commits += 1
        for endpoint_id, accepted in self._gathered.take_accepted().items():
            before = self._accepted.setdefault(endpoint_id, accepted)
            if before is not accepted:
                before.messages.extend(accepted.messages)
        return results

    def _apply_all(self, db: sqlite3.Connection, writes: Sequence[Write[object]]) -> list[object]:
        """Run the writes; what the results among them ask for is read together."""
        results: list[object] = []
        for alone, group in groupby(writes, key=lambda write: write.alone):
            neighbours = list(group)
            if not alone:  # one that is makes all be forgotten that was read before it
                self._gathered.recordings.expect(
                    db, [each.result.seq for each in neighbours if isinstance(each, RecordAttempt)]
                )
            results += [self._apply(db, write) for write in neighbours]
        return results

    def _apply(self, db: sqlite3.Connection, write: Write[object]) -> object:
        """Run one write; return what its caller gets, which may be an error of its caller's."""
        if write.alone:
            self._gathered.flush(db)
            self._gathered.recordings.forget()
        changes = db.total_changes
        try:
            return write.apply(db, self._gathered)
        except SluicegateError as error:
            assert db.total_changes == changes, "a write must check before it writes"
            return error

    def _checkpoint(self, db: sqlite3.Connection) -> OutcomeUnknownError | None:
        """Bring the log into the file, if a write asked for it; return an error of the disk.

        What was committed stays in the log in any case. It is left there where a reader still
        needs it or there is no room: SQLite comes back to it after later commits.
        """
        if not self._gathered.checkpoint:
            return None
        self._gathered.checkpoint = False
        try:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            judged = _judged(error, committing=True)
            return judged if isinstance(judged, OutcomeUnknownError) else None
        return None

    def _check_owner(self, db: sqlite3.Connection) -> None:
        (epoch,) = db.execute("SELECT epoch FROM meta").fetchone()
        if epoch != self._epoch:
            raise StaleOwnerError(f"epoch {self._epoch} is over, the owner's is {epoch}")

    def _roll_back(self, db: sqlite3.Connection) -> None:
        self._gathered.discard()
        if db.in_transaction:
            try:
                db.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise OutcomeUnknownError(str(error)) from error


class _FullError(Exception):
    """No room on the disk, or in the file."""


class _BusyError(Exception):
    """Another program holds the file."""


class _FaultyWriteError(Exception):
    """One write broke."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _code(error: sqlite3.Error) -> int | None:
    """Return SQLite's primary result code; `None` for an error that is not SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _judged(error: sqlite3.Error, *, committing: bool) -> Exception:
    code = _code(error)
    if code == sqlite3.SQLITE_FULL:
        return _FullError()
    if code in _PASSING:
        return _BusyError()
    unbound = code is None and isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError)
    if code in _OURS or unbound:
        return OutcomeUnknownError(str(error)) if committing else _FaultyWriteError(error)
    return OutcomeUnknownError(str(error))


def _full() -> UnavailableError:
    return UnavailableError("the disk is full", retry_after_s=_FULL_RETRY_AFTER_S)


def _busy() -> UnavailableError:
    return UnavailableError("another program holds the database")
