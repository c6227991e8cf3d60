"""The inbox: a SQLite file beside the database, written by many processes.

It is no write-ahead log but a rollback journal: SQLite before 3.51.3 can destroy a WAL database
when several connections write and checkpoint it at once; with a journal, writers simply wait for
one another (https://sqlite.org/lockingv3.html). A commit is durable when it returns:

- `synchronous = EXTRA`, because with a journal that is deleted, `FULL` may lose the last commit to
  a loss of power (https://sqlite.org/pragma.html#pragma_synchronous);
- `journal_mode = PERSIST` keeps the journal's file, and needs no sync of the folder for a commit.
"""

import os
import sqlite3
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

import aiosqlite

from sluicegate.engine.errors import SettingError, StorageVersionError, UnavailableError
from sluicegate.outbox import table
from sluicegate.outbox.table import Row, transaction

__all__ = ["connect_inbox", "create", "exists", "inbox_path", "prepare", "write"]

_APPLICATION_ID = 0x53_4C_47_49
""""SLGI", https://sqlite.org/pragma.html#pragma_application_id."""
_VERSION = 1
_BUSY_S = 10.0
"""How long one process waits for the others' commits."""
_PRAGMAS = (
    "PRAGMA journal_mode = PERSIST",
    "PRAGMA journal_size_limit = 1048576",
    "PRAGMA synchronous = EXTRA",
    "PRAGMA fullfsync = ON",  # macOS: a plain fsync does not reach the disk
    "PRAGMA temp_store = MEMORY",
)
_DEFAULT_MODE = 0o600

# Closing a file drops the locks that SQLite has on it in this process
# (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks): so nobody opens a new inbox here
# before whoever creates it has closed it.
_creating = threading.Lock()


def inbox_path(database: str) -> str:
    """Return where the inbox of a database is; `database` as `real_path` gives it."""
    return f"{database}.inbox"


def connect_inbox(path: str) -> aiosqlite.Connection:
    """Return a connection that begins transactions only when told to."""
    return aiosqlite.connect(path, isolation_level=None, timeout=_BUSY_S)


def exists(path: str) -> bool:
    """Say whether anybody ever made an inbox; opens nothing."""
    return os.path.lexists(path)


def create(path: str, *, database: str) -> None:
    """Create an empty file, unless there is one, for those who may use the database.

    Raises:
        SettingError: the folder does not exist or must not be written, or the file must not.
    """
    with _creating:
        if exists(path):
            if not os.access(path, os.R_OK | os.W_OK):  # opens nothing: see above
                raise _unusable(path, "it must be readable and writable")
            return
        try:
            _create(path, database)
        except FileExistsError:
            return  # another process was faster
        except OSError as error:
            why = error.strerror or "it cannot be used"
            raise _unusable(path, why) from error


def _create(path: str, database: str) -> None:
    """Create the file with the mode of the database, and, as root, with its owner."""
    try:
        like = Path(database).stat()
    except FileNotFoundError:
        like = None
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _DEFAULT_MODE)
    try:
        if like is not None:
            os.fchmod(fd, stat.S_IMODE(like.st_mode) & 0o666)
            if os.geteuid() == 0:
                os.fchown(fd, like.st_uid, like.st_gid)
    finally:
        os.close(fd)
    folder = os.open(Path(path).parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)  # the new name itself
    finally:
        os.close(folder)


def prepare(db: sqlite3.Connection, *, path: str, outbox_id: str) -> str:
    """Make the connection durable, create the tables if they are missing; return the outbox's id.

    Args:
        db: the connection.
        path: of the file, for errors.
        outbox_id: its id, if it is new.

    Raises:
        StorageVersionError: it is another program's file, or a newer version's.
        SettingError: it must not be written.
        UnavailableError: others hold it, the disk is full or failed.
    """
    try:
        application_id, version, objects = _identity(db)
        if application_id not in {0, _APPLICATION_ID} or (not application_id and objects):
            raise StorageVersionError(
                f"{path} is a SQLite database of another program", details={"file": path}
            )
        if version > _VERSION:
            raise StorageVersionError(
                f"{path} was written by a newer version of Sluicegate", details={"file": path}
            )
        for pragma in _PRAGMAS:
            db.execute(pragma).fetchall()
        if version < _VERSION:
            with transaction(db):  # if another process does the same meanwhile, nothing is left
                table.create_tables(db, outbox_id=outbox_id)
                db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {_VERSION}")
        return table.read_outbox_id(db)
    except sqlite3.Error as error:
        raise _refusal(error, path) from error


def write(db: sqlite3.Connection, rows: Sequence[Row], *, bytes_max: int) -> None:
    """Store messages in one durable commit.

    Args:
        db: a prepared connection.
        rows: the messages, in order.
        bytes_max: how much the inbox may hold; a commit begun below it is made.

    Raises:
        UnavailableError: it holds that much; nothing was stored.
        sqlite3.Error: as SQLite has it.
    """
    with transaction(db):
        pages, unused, page_bytes = (
            int(db.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - unused) * page_bytes > bytes_max:
            raise UnavailableError(
                f"the inbox is full ({bytes_max} bytes): the process that delivers is down, or slow"
            )
        table.insert(db, rows)


def _identity(db: sqlite3.Connection) -> tuple[int, int, int]:
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (objects,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return application_id, version, objects


def _refusal(error: sqlite3.Error, path: str) -> Exception:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return StorageVersionError(f"{path} is not a SQLite database", details={"file": path})
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return _unusable(path, str(error))
    return UnavailableError(f"cannot open inbox {path}: {error}")


def _unusable(path: str, why: str) -> SettingError:
    return SettingError(f"cannot open inbox {path}: {why}", details={"setting": "database"})
