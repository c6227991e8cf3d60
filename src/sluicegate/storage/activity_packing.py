"""Packing old counts into fewer rows, and deleting the oldest, a bounded number of rows at a time.

What is to be done is found by a reader, so that the write is short; and when there is nothing to
do, which is most of the time, there is no write.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from itertools import islice
from typing import ClassVar

import msgspec

from sluicegate.engine.metrics_windows import kept_from, packed_start
from sluicegate.storage.activity import STORED_MINUTES
from sluicegate.storage.gathered_activity import add_counts
from sluicegate.storage.writes import Gathered

__all__ = ["OLD_ROWS", "PackActivity", "old_minutes"]

_MINUTES = f"{STORED_MINUTES} SELECT minute FROM stored WHERE minute < :end"  # noqa: S608 - a constant
OLD_ROWS = """
SELECT * FROM activity WHERE minute = ? ORDER BY project_no, endpoint_no LIMIT ?
"""
_DELETE = "DELETE FROM activity WHERE minute = ? AND project_no = ? AND endpoint_no = ?"


def old_minutes(
    db: sqlite3.Connection, *, now_minute: int, history_days: int, limit: int
) -> list[int]:
    """Return up to `limit` minutes whose rows are to be packed or deleted, the oldest first."""
    kept = kept_from(now_minute, history_days)
    with contextlib.closing(db.execute(_MINUTES, {"first": 0, "end": now_minute})) as stored:
        old = (
            minute
            for (minute,) in stored
            if minute < kept or packed_start(minute, now_minute) != minute
        )
        return list(islice(old, limit))


class PackActivity(msgspec.Struct, frozen=True, kw_only=True):
    """Pack or delete up to `limit` rows of `minutes`, as their age demands."""

    grows: ClassVar[bool] = True  # it can wait: what room a full disk has left is for attempts
    alone: ClassVar[bool] = True

    minutes: Sequence[int]
    now_minute: int
    history_days: int
    limit: int

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> None:
        """Move the rows' counts."""
        room = self.limit
        kept = kept_from(self.now_minute, self.history_days)
        for minute in self.minutes:
            rows = db.execute(OLD_ROWS, (minute, room)).fetchall()
            if minute >= kept:
                start = packed_start(minute, self.now_minute)
                assert start < minute, "counts would be added to a row and deleted with it"
                add_counts(db, [(start, *row[1:]) for row in rows])
            db.executemany(_DELETE, [row[:3] for row in rows])
            room -= len(rows)
            if room == 0:
                break
