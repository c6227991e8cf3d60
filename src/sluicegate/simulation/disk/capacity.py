"""How much room there is on a disk, and when it runs out."""

import sqlite3
from pathlib import Path

from sluicegate.simulation.disk.statements import Statements, failure

__all__ = ["Capacity"]

_ENDLESS = 1 << 50
_LEAST_BYTES = 8_240
"""A commit needs room in the log for two pages, each with its header."""
_PAGES_MAX = 1_073_741_823
"""SQLite's own limit, https://sqlite.org/pragma.html#pragma_max_page_count."""


class Capacity:
    """Counts what a machine's files take up, and lets SQLite find the disk full.

    A transaction that would make the database grow by more than is free fails where it grows; one
    that finds no room for the least commit fails there. The commit that crosses the limit
    succeeds: how much it takes is known only afterwards, so that the disk can be overdrawn by the
    log of one transaction.
    """

    def __init__(self) -> None:
        """Be endless."""
        self.total_bytes: int | None = None

    def used_bytes(self, folder: Path) -> int:
        """Return how much the files in a folder take up."""
        return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())

    def free_bytes(self, folder: Path) -> int:
        """Return how much more the files in a folder may take up; at least 0."""
        if self.total_bytes is None:
            return _ENDLESS
        return max(0, self.total_bytes - self.used_bytes(folder))

    def begin(self, db: Statements, folder: Path) -> None:
        """Let a transaction grow no further than there is room."""
        if self.total_bytes is not None:
            room = self.free_bytes(folder) // db.number("page_size")
            db.itself(f"PRAGMA max_page_count = {db.number('page_count') + room}")
            db.limited = True
        elif db.limited:
            db.itself(f"PRAGMA max_page_count = {_PAGES_MAX}")
            db.limited = False

    def commit(self, folder: Path) -> None:
        """Let a commit pass, if there is room for the least.

        Raises:
            sqlite3.OperationalError: there is not.
        """
        if self.free_bytes(folder) < _LEAST_BYTES:
            raise failure(sqlite3.SQLITE_FULL, "SQLITE_FULL", "database or disk is full")
