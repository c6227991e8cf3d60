"""The database: SQLite, and what stands in the file."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sluicegate.cli.doctor.results import Check, Patient, Result, error, ok, skipped, warning
from sluicegate.cli.doctor.sqlite_bugs import NEEDED, bugs_of
from sluicegate.clock import SystemRandom
from sluicegate.engine.errors import SluicegateError
from sluicegate.storage import SecretBox, schema
from sluicegate.storage.activity_audit import activity_miscounts
from sluicegate.storage.audit import miscounts
from sluicegate.storage.database import check_secret_key

__all__ = ["CHECKS"]

_QUICK_S = 10.0
"""How long the file is looked through unless `--deep`."""
_STEPS = 10_000
"""After so many steps of SQLite the time is looked at."""
_FAULTS_MAX = 10
_MINUTE_MS = 60_000
_DAY_MINUTES = 1440
_RESTORE = "restore a backup, or recover what can be read: sqlite3 FILE .recover"


def sqlite(_patient: Patient) -> Iterator[Result]:
    """Is this a SQLite that works, without known faults?"""
    name, version = "sqlite", sqlite3.sqlite_version_info
    if version < NEEDED:
        needed = ".".join(map(str, NEEDED))
        yield error(name, f"{sqlite3.sqlite_version} is too old", f"{needed} or newer is needed")
        return
    bugs = bugs_of(version)
    if not bugs:
        yield ok(name, f"{sqlite3.sqlite_version}, no known bugs that matter here")
    for bug in bugs:
        fixed = ".".join(map(str, bug.fixed))
        yield warning(
            name,
            f"{sqlite3.sqlite_version} has the bug “{bug.name}”: {bug.harm}",
            f"use a Python with SQLite {fixed} or newer ({bug.source})",
        )


def opened(patient: Patient) -> Iterator[Result]:
    """Could the database be opened? If not, the checks after this one say nothing."""
    if patient.held_by is not None:
        yield skipped(
            "database",
            "NOT LOOKED INTO: a server runs on it",
            "stop the server and run the doctor again, or look into a backup",
        )
    elif not Path(patient.database).exists():
        yield skipped("database", "does not exist yet")
    elif patient.db is None:
        yield error("database", "cannot be opened", "see the checks of files above")


def version(patient: Patient) -> Iterator[Result]:
    """Does this Sluicegate know the file's schema?"""
    if patient.db is None:
        return
    known = schema.migrations()[-1][0]
    try:
        found = schema.check(patient.db, path=patient.database)
    except SluicegateError as refusal:
        yield error(
            "schema",
            refusal.message,
            "use the version of Sluicegate that wrote it, or another file",
        )
    except sqlite3.Error as failure:
        yield error("schema", f"cannot be read: {failure}", _RESTORE)
    else:
        if found == known:
            yield ok("schema", f"version {found}, the newest")
        elif found:
            yield ok(
                "schema", f"version {found}: the next start migrates it to {known}; back up first"
            )
        else:
            yield ok("schema", "the file is empty: the first start fills it")


def secret_key(patient: Patient) -> Iterator[Result]:
    """Does the key open what is stored?"""
    if patient.db is None or not _has_schema(patient.db):
        return
    name = "secret key"
    try:
        box = SecretBox.existing(
            patient.database, secret_key=patient.settings.secret_key, random=SystemRandom()
        )
        if box is None:
            return  # the check of the key file says so
        check_secret_key(patient.db, box=box)
    except SluicegateError as refusal:
        yield error(name, refusal.message, "find the key that the database was made with")
    else:
        yield ok(name, "opens what is stored")


def integrity(patient: Patient) -> Iterator[Result]:
    """Is the file sound?"""
    if patient.db is None:
        return
    name, until_s = "integrity", patient.clock.monotonic_s() + _QUICK_S
    check = "integrity_check" if patient.deep else "quick_check"
    if not patient.deep:
        patient.db.set_progress_handler(lambda: patient.clock.monotonic_s() > until_s, _STEPS)
    try:
        faults = [str(row[0]) for row in patient.db.execute(f"PRAGMA {check}({_FAULTS_MAX})")]
    except sqlite3.OperationalError as failure:
        if str(failure) != "interrupted":
            raise
        yield ok(name, f"no fault within {_QUICK_S:.0f} s; --deep looks at the whole file")
        return
    except sqlite3.DatabaseError as failure:
        faults = [str(failure)]
    finally:
        patient.db.set_progress_handler(None, 0)
    if faults == ["ok"]:
        yield ok(name, f"{check} found no fault")
    else:
        seen = "; ".join(fault.strip().replace("\n", "; ") for fault in faults)
        yield error(name, f"the file is damaged: {seen}", _RESTORE)


def counters(patient: Patient) -> Iterator[Result]:
    """Are the stored counts those of the messages and attempts? Reads all of them."""
    if patient.db is None or not patient.deep or not _has_schema(patient.db, newest=True):
        return
    now_minute = patient.clock.wall_ms() // _MINUTE_MS
    kept_minutes = patient.settings.history_days * _DAY_MINUTES  # older messages may be removed
    wrong = [f"the messages of endpoint {endpoint_id}" for endpoint_id, *_ in miscounts(patient.db)]
    wrong += [
        f"what happened from {each.since.isoformat()} on"
        f" ({each.endpoint_id or each.project_id or 'no project'})"
        for each in activity_miscounts(
            patient.db, now_minute=now_minute, since_minute=now_minute - kept_minutes
        )
    ]
    if not wrong:
        yield ok("counters", "recounted: all are right")
    else:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        yield error(
            "counters",
            f"{wrong[0]} is counted wrongly{more}",
            "please report it; figures are wrong, deliveries are not",
        )


def future(patient: Patient) -> Iterator[Result]:
    """Is anything in the file of a time that has not come?"""
    if patient.db is None or not _has_schema(patient.db):
        return
    (minute,) = patient.db.execute("SELECT max(minute) FROM accepted_minutes").fetchone()
    ahead = (minute or 0) - patient.clock.wall_ms() // _MINUTE_MS
    if ahead > 1:
        yield warning(
            "stored times",
            f"a message was accepted {ahead} minutes after now: a clock was wrong, then or now",
            "check the clock",
        )


def _has_schema(db: sqlite3.Connection, *, newest: bool = False) -> bool:
    """Say whether the tables are there that the checks read; `newest`: all of this version's."""
    try:
        (version_found,) = db.execute("PRAGMA user_version").fetchone()
        (marked,) = db.execute("PRAGMA application_id").fetchone()
    except sqlite3.Error:
        return False  # the check of the schema says so
    known = schema.migrations()[-1][0]
    return bool(
        marked == schema.APPLICATION_ID and (known if newest else 1) <= version_found <= known
    )


CHECKS: tuple[Check, ...] = (sqlite, opened, version, integrity, secret_key, counters, future)
