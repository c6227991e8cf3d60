"""Counting what the writes of one transaction accept and record, to be stored with it."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import add

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.metrics_windows import MINUTE_MS
from sluicegate.engine.model import AttemptResult
from sluicegate.engine.moments import from_ms
from sluicegate.storage.rows_together import RowsTogether

__all__ = ["GatheredActivity", "add_counts"]

_ON_CONFLICT = """
ON CONFLICT DO UPDATE SET accepted = accepted + excluded.accepted,
    succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed,
    retried = retried + excluded.retried, answered = answered + excluded.answered,
    latency_ms = latency_ms + excluded.latency_ms
"""
_ADD = RowsTogether("INSERT INTO activity VALUES", columns=9, after=_ON_CONFLICT)
_ADD_TO_MONTH = """
INSERT INTO usage_months VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET accepted = accepted + excluded.accepted
"""

_SUCCEEDED, _FAILED = MessageStatus.SUCCEEDED, MessageStatus.FAILED_PERMANENT

_Scope = tuple[int, int, int]
"""Minute, project, endpoint."""


class GatheredActivity:
    """Counts by minute and endpoint, which become one row each, and one for each project.

    So a commit of 500 messages to one endpoint stores two rows of counts, not a thousand.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._counts: dict[_Scope, list[int]] = {}

    def accept(self, scopes: Iterable[_Scope]) -> None:
        """Count messages by the minute in which they were accepted, their project and endpoint."""
        for scope, count in Counter(scopes).items():
            self._of(scope)[0] += count

    def attempt(
        self, result: AttemptResult, latency_ms: int | None, *, project_no: int, endpoint_no: int
    ) -> None:
        """Count an attempt that was not recorded before, in the minute in which it ended.

        Args:
            result: the attempt.
            latency_ms: how long the receiver took to answer; `None` when it did not.
            project_no: whose.
            endpoint_no: where to.
        """
        ended_at_ms = max(result.started_at_ms, result.finished_at_ms)
        counts = self._of((ended_at_ms // MINUTE_MS, project_no, endpoint_no))
        status = result.verdict.status
        counts[1 if status is _SUCCEEDED else 2 if status is _FAILED else 3] += 1
        if latency_ms is not None:
            counts[4] += 1
            counts[5] += latency_ms

    def flush(self, db: sqlite3.Connection) -> None:
        """Add what was counted to the rows of its minutes."""
        if not self._counts:
            return
        projects: dict[_Scope, list[int]] = {}
        for (minute, project_no, _), counts in self._counts.items():
            scope = (minute, project_no, 0)
            whole = projects.get(scope)
            projects[scope] = counts if whole is None else list(map(add, whole, counts))
        months: Counter[tuple[int, str]] = Counter()
        for (minute, project_no, _), counts in projects.items():
            if counts[0]:
                months[project_no, _month(minute)] += counts[0]
        for scopes in (self._counts, projects):
            add_counts(db, [(*scope, *counts) for scope, counts in scopes.items()])
        db.executemany(_ADD_TO_MONTH, [(*owner, count) for owner, count in months.items()])

    def _of(self, scope: _Scope) -> list[int]:
        counts = self._counts.get(scope)
        if counts is None:
            counts = self._counts[scope] = [0] * 6
        return counts


def add_counts(db: sqlite3.Connection, rows: Sequence[tuple[int, ...]]) -> None:
    """Add counts to the rows of their minutes: minute, project, endpoint or 0, the six counts."""
    _ADD.execute(db, rows)


@lru_cache(maxsize=16)
def _month(minute: int) -> str:
    """Return the calendar month (UTC) of a minute since the Unix epoch, as `2026-04`."""
    return from_ms(minute * MINUTE_MS).strftime("%Y-%m")
