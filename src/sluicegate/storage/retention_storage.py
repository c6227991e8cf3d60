"""Removing what has been kept for long enough, on SQLite."""

import sqlite3

from sluicegate.engine.ports.retention_storage import KeptFor, Removed
from sluicegate.storage.access import Access
from sluicegate.storage.retention_writes import (
    ReleasePages,
    RemoveMessages,
    RemovePayloads,
    spare_pages,
)

__all__ = ["NEXT_CLASS", "SqliteRetentionStorage"]

_HOUR_MS = 3_600_000
_FAILED, _SUCCEEDED, _PAYLOAD_GONE = -3, -2, -1
"""Classes as migration 0004 has them; 0 and more are hours."""
_BEFORE_ALL = -4
_CLASSES_MAX = 1_000
"""How many classes one piece looks at: every `retention_hours` in use is one."""
_PAGES_MAX = 64
"""How many pages one piece gives back."""

NEXT_CLASS = """
SELECT retention_class, updated_at_ms FROM messages INDEXED BY messages_by_retention
WHERE retention_class > :retention_class ORDER BY retention_class, updated_at_ms LIMIT 1
"""


class SqliteRetentionStorage(Access):
    """Implements `sluicegate.engine.ports.retention_storage.RetentionStorage`."""

    async def remove_expired(
        self, kept_for: KeptFor, *, at_ms: int, position: int | None = None
    ) -> Removed:
        """Remove one piece of what had finished so long ago; O(removed)."""
        after = _BEFORE_ALL if position is None else position
        write, looked_at = await self._read.read(_next_removal, kept_for, at_ms=at_ms, after=after)
        if write is None:
            return Removed(position=looked_at)
        gone = await self._write(write)
        return Removed(
            payloads=gone.payloads,
            messages=gone.messages,
            attempts=gone.attempts,
            size_bytes=gone.size_bytes,
            # The same class again, until nothing in it is past its time.
            position=write.retention_class - 1 if gone.more else write.retention_class,
        )

    async def next_removal_ms(self, kept_for: KeptFor) -> int | None:
        """Return when `remove_expired` will have something to remove; a moment past if unsure."""
        return await self._read.read(_first_removal_ms, kept_for)

    async def release_space(self) -> tuple[int, bool]:
        """Give a piece of the space that is no longer used back to the file system."""
        if await self._read.read(spare_pages) == 0:
            return 0, False
        released, more = await self._write(ReleasePages(pages_max=_PAGES_MAX))
        return released * await self._read.read(_page_bytes), more


def _next_removal(
    db: sqlite3.Connection, kept_for: KeptFor, *, at_ms: int, after: int
) -> tuple[RemovePayloads | RemoveMessages | None, int | None]:
    """Return a write for the first class after `after` in which something is past its time.

    Without one, the class to go on after; `None` when all classes were looked at.
    """
    history_until_ms = at_ms - kept_for.history_ms
    for _ in range(_CLASSES_MAX):
        row = db.execute(NEXT_CLASS, {"retention_class": after}).fetchone()
        if row is None:
            return None, None
        after, oldest_ms = row
        if oldest_ms <= history_until_ms:
            return RemoveMessages(retention_class=after, until_ms=history_until_ms), after
        until_ms = at_ms - _payload_kept_ms(after, kept_for)
        if after != _PAYLOAD_GONE and oldest_ms <= until_ms:
            return RemovePayloads(retention_class=after, until_ms=until_ms, at_ms=at_ms), after
    return None, after


def _first_removal_ms(db: sqlite3.Connection, kept_for: KeptFor) -> int | None:
    first_ms: int | None = None
    after = _BEFORE_ALL
    for _ in range(_CLASSES_MAX):
        row = db.execute(NEXT_CLASS, {"retention_class": after}).fetchone()
        if row is None:
            return first_ms
        after, oldest_ms = row
        kept_ms = kept_for.history_ms
        if after != _PAYLOAD_GONE:
            kept_ms = min(kept_ms, _payload_kept_ms(after, kept_for))
        due_ms = oldest_ms + kept_ms
        first_ms = due_ms if first_ms is None else min(first_ms, due_ms)
    return 0  # too many to look at all of them: a sweep does it, in pieces


def _payload_kept_ms(retention_class: int, kept_for: KeptFor) -> int:
    if retention_class == _FAILED:
        return kept_for.failed_ms
    if retention_class == _SUCCEEDED:
        return kept_for.succeeded_ms
    return retention_class * _HOUR_MS


def _page_bytes(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA page_size").fetchone()[0])
