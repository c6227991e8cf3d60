"""Preparing the connections to a database file."""

import sqlite3

from sluicegate.engine.errors import SettingError
from sluicegate.storage import schema
from sluicegate.storage.secret_box import SecretBox

__all__ = ["check_secret_key", "prepare_reader", "prepare_writer"]

_CHECK_OWNER = "sluicegate-database"
_CHECK_TEXT = "sluicegate"

_WRITER_PRAGMAS = (
    # A commit is not told before it would survive power loss: NORMAL loses acknowledged ones.
    "PRAGMA synchronous = FULL",
    # macOS: a plain fsync does not reach the disk. No effect elsewhere.
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    # Never a temporary file: it would fail when the disk is full.
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16000",
    "PRAGMA wal_autocheckpoint = 1000",
    "PRAGMA journal_size_limit = 67108864",
)


def prepare_writer(db: sqlite3.Connection, *, path: str, box: SecretBox) -> int:
    """Check and migrate the file, check the secret key, and return the new owner's epoch.

    Raises:
        StorageVersionError: the file is not ours, or a newer version's.
        SettingError: the secret key is another one, or the file system cannot do WAL.
    """
    version = schema.check(db, path=path)
    # Takes effect only in a file that is still empty.
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise SettingError(
            f"database {path}: this file system cannot do write-ahead logging",
            details={"setting": "database"},
        )
    for pragma in _WRITER_PRAGMAS:
        db.execute(pragma)
    schema.migrate(db, version=version)
    return _take_over(db, box=box)


def prepare_reader(db: sqlite3.Connection) -> None:
    """Make a connection one that cannot write or checkpoint."""
    db.execute("PRAGMA query_only = ON")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("PRAGMA temp_store = MEMORY")


def check_secret_key(db: sqlite3.Connection, *, box: SecretBox) -> None:
    """Check the secret key against a migrated file; write nothing.

    Raises:
        SettingError: it is another key.
    """
    (sealed,) = db.execute("SELECT secret_check FROM meta").fetchone()
    if sealed is not None:
        box.unseal(sealed, owner=_CHECK_OWNER)


def _take_over(db: sqlite3.Connection, *, box: SecretBox) -> int:
    """Check the secret key against the file, then raise the epoch."""
    db.execute("BEGIN IMMEDIATE")
    try:
        (sealed,) = db.execute("SELECT secret_check FROM meta").fetchone()
        if sealed is None:
            sealed = box.seal(_CHECK_TEXT, owner=_CHECK_OWNER)
        box.unseal(sealed, owner=_CHECK_OWNER)
        (epoch,) = db.execute(
            "UPDATE meta SET epoch = epoch + 1, secret_check = ? RETURNING epoch", (sealed,)
        ).fetchone()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return int(epoch)
