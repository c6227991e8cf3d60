"""What a check found, and what it is given to look at."""

import sqlite3
from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec

from sluicegate.engine.ports import Clock
from sluicegate.engine.settings import Settings

__all__ = ["Check", "Patient", "Result", "Status", "error", "ok", "skipped", "warning"]


class Status(StrEnum):
    """How it stands with what was checked."""

    OK = "ok"
    """As it should be."""
    WARNING = "warning"
    """It works; it may cost data or secrets one day."""
    ERROR = "error"
    """A server would not start, would refuse messages, or would lose some."""
    SKIPPED = "skipped"
    """It could not be looked at now."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found."""

    name: str
    status: Status
    seen: str
    advice: str = ""
    """What to do; empty when there is nothing to be done."""


class Patient(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to look at."""

    settings: Settings
    database: str
    """The real path of the database file."""
    clock: Clock
    deep: bool
    """Take the time to look at everything."""
    names: tuple[str, ...]
    """Host names to look up; none given: some of the endpoints'."""
    held_by: str | None
    """The process that holds the database, as it wrote itself down; `None`: nobody does."""
    db: sqlite3.Connection | None
    """The database, to be read only; `None` when it is held, absent or cannot be opened."""


Check = Callable[[Patient], Iterable[Result]]
"""Looks at one thing, and says what it found; nothing, if there is no such thing."""


def ok(name: str, seen: str) -> Result:
    """All is well."""
    return Result(name=name, status=Status.OK, seen=seen)


def warning(name: str, seen: str, advice: str) -> Result:
    """It works, but not for ever."""
    return Result(name=name, status=Status.WARNING, seen=seen, advice=advice)


def error(name: str, seen: str, advice: str) -> Result:
    """It does not work."""
    return Result(name=name, status=Status.ERROR, seen=seen, advice=advice)


def skipped(name: str, why: str, advice: str = "") -> Result:
    """It was not looked at."""
    return Result(name=name, status=Status.SKIPPED, seen=why, advice=advice)
