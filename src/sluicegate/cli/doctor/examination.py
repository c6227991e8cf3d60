"""All checks, one after another, with the database held as long as they run."""

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

from sluicegate.cli.doctor import database, files, machine, network
from sluicegate.cli.doctor.results import Check, Patient, Result, error
from sluicegate.engine.errors import StorageLockedError
from sluicegate.engine.ports import Clock
from sluicegate.engine.settings import Settings
from sluicegate.storage.database_file import real_path
from sluicegate.storage.file_lock import FileLock

__all__ = ["CHECKS", "examine"]

CHECKS: tuple[Check, ...] = (*files.CHECKS, *database.CHECKS, *network.CHECKS, *machine.CHECKS)
"""In the order in which they are told."""


def examine(
    settings: Settings, *, clock: Clock, deep: bool, names: tuple[str, ...]
) -> Generator[Result, None, None]:
    """Yield what each check finds. Blocks for as long as a look through the file takes.

    While it runs no server can start on the database. It is read only, never written, and a
    database that a server runs on is not even opened. Nothing is created that was not there.

    Args:
        settings: already checked.
        clock: tells the time.
        deep: look at the whole file, and recount.
        names: host names to look up.
    """
    path = real_path(settings.database)
    with contextlib.ExitStack() as stack:
        held_by = _hold(path, stack)
        patient = Patient(
            settings=settings,
            database=path,
            clock=clock,
            deep=deep,
            names=names,
            held_by=held_by,
            db=None if held_by is not None else _open(path, stack),
        )
        for check in CHECKS:
            try:
                yield from check(patient)
            except (OSError, sqlite3.Error) as failure:
                name = check.__name__.replace("_", " ")
                yield error(name, f"could not be checked: {failure}", "see what it says")


def _hold(path: str, stack: contextlib.ExitStack) -> str | None:
    """Take the database's lock while `stack` lasts; return who has it instead.

    A lock file that is not there is not made: it would belong to whoever runs the doctor.
    """
    lock = FileLock(path)
    if not lock.exists():
        return None
    try:
        lock.acquire()
    except StorageLockedError as held:
        pid = held.details.get("pid")
        return None if pid is None else str(pid)  # without one it could not be opened
    stack.callback(lock.release)
    return None


def _open(path: str, stack: contextlib.ExitStack) -> sqlite3.Connection | None:
    """Open the database so that it cannot be written."""
    try:
        if not Path(path).is_file() or Path(path).stat().st_nlink > 1:
            return None
        # Without a log nothing but the file itself is needed, so that none is left behind.
        whole = not Path(f"{path}-wal").exists()
        options = "mode=ro&immutable=1" if whole else "mode=ro"
        db = sqlite3.connect(f"file:{quote(path)}?{options}", uri=True, isolation_level=None)
        stack.callback(db.close)
    except (OSError, sqlite3.Error):
        return None  # the checks say why
    return db
