"""Versions of SQLite that are known to be faulty, in ways that may concern a database of ours.

Facts from SQLite's own release notes and documentation. None of the corruptions is set off by
what Sluicegate does; a program that writes to the file beside it may.
"""

import msgspec

__all__ = ["KNOWN", "NEEDED", "Bug", "bugs_of"]

Version = tuple[int, int, int]

NEEDED: Version = (3, 37, 0)
"""The first version with STRICT tables, which the schema is made of."""


class Bug(msgspec.Struct, frozen=True, kw_only=True):
    """A bug, and the versions that have it."""

    name: str
    since: Version
    fixed: Version
    backports: tuple[Version, ...] = ()
    """Later releases of earlier lines that are fixed too."""
    harm: str
    source: str


KNOWN: tuple[Bug, ...] = (
    Bug(
        name="WAL reset",
        since=(3, 7, 0),
        fixed=(3, 51, 3),
        backports=((3, 44, 6), (3, 50, 7)),
        harm="two connections that write or checkpoint at once can corrupt the file; Sluicegate "
        "writes and checkpoints with one, so do not write to the file with another program",
        source="https://sqlite.org/wal.html#walresetbug",
    ),
    Bug(
        name="savepoints in memory",
        since=(3, 35, 0),
        fixed=(3, 37, 2),
        harm="rolling back to a savepoint with temp_store = MEMORY can corrupt the file; "
        "Sluicegate uses no savepoints",
        source="https://sqlite.org/releaselog/3_37_2.html",
    ),
    Bug(
        name="withdrawn release",
        since=(3, 52, 0),
        fixed=(3, 52, 1),
        harm="SQLite's makers withdrew it for incompatibilities",
        source="https://sqlite.org/releaselog/3_51_3.html",
    ),
)


def bugs_of(version: Version) -> list[Bug]:
    """Return the bugs that a version has."""
    return [bug for bug in KNOWN if bug.since <= version < bug.fixed and not _patched(version, bug)]


def _patched(version: Version, bug: Bug) -> bool:
    return any(version[:2] == each[:2] and version >= each for each in bug.backports)
