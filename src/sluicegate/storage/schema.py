"""Bringing a database file to this version's schema, or refusing it."""

import sqlite3
from collections.abc import Sequence
from importlib import resources

from sluicegate.engine.errors import StorageVersionError
from sluicegate.engine.log import log

__all__ = ["APPLICATION_ID", "check", "migrate", "migrations"]

APPLICATION_ID = 0x53_4C_47_54
"""Marks a SQLite file as ours ("SLGT"), https://sqlite.org/pragma.html#pragma_application_id."""


def migrations() -> list[tuple[int, str]]:
    """Return every numbered schema file of this version, `(number, SQL)`, ascending from 1."""
    folder = resources.files("sluicegate.storage") / "migrations"
    found = [
        (int(file.name.partition("_")[0]), file.read_text("utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return sorted(found)


def check(db: sqlite3.Connection, *, path: str) -> int:
    """Return the file's schema version, 0 for an empty file; write nothing.

    Raises:
        StorageVersionError: it is not a Sluicegate database, or was written by a newer version.
    """
    try:
        (application_id,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (objects,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_NOTADB:
            raise
        raise StorageVersionError(
            f"{path} is not a SQLite database", details={"file": path}
        ) from error
    if application_id != APPLICATION_ID and (objects or application_id or version):
        raise StorageVersionError(
            f"{path} is a SQLite database of another program", details={"file": path}
        )
    known = migrations()[-1][0]
    if version > known:
        raise StorageVersionError(
            f"{path} has schema version {version}, this Sluicegate knows up to {known}: "
            "it was written by a newer version",
            details={"file": path, "version": version, "known": known},
        )
    return int(version)


def migrate(
    db: sqlite3.Connection, *, version: int, known: Sequence[tuple[int, str]] | None = None
) -> None:
    """Bring a checked file forward from `version` in one transaction, or change nothing.

    Args:
        db: the writing connection.
        version: the file's.
        known: the steps to choose from; by default `migrations()`.
    """
    steps = [step for step in known or migrations() if step[0] > version]
    if not steps:
        return
    if version:  # with many messages it takes a while, in which nothing else is told
        log.info("storage.migration_begun", from_version=version, to_version=steps[-1][0])
    db.execute("BEGIN EXCLUSIVE")
    try:
        for _, script in steps:
            for statement in _statements(script):
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {steps[-1][0]}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """Split a script; `executescript` would commit the transaction first."""
    statements: list[str] = []
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements
