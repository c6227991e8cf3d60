"""Removing what has been kept for long enough, and giving its space back.

Each write is small: whatever waits to be committed with it or behind it waits a few milliseconds.
"""

import sqlite3
from typing import ClassVar

import msgspec

from sluicegate.storage.writes import Gathered

__all__ = [
    "EXPIRED",
    "PAST_HISTORY",
    "Gone",
    "ReleasePages",
    "RemoveMessages",
    "RemovePayloads",
    "spare_pages",
]

_MESSAGES_MAX = 100
_ATTEMPTS_MAX = 500
_BYTES_MAX = 4 << 20
"""What one write removes at most (but at least one payload or attempt, however large)."""
_SPARE_PARTS = 20
"""A file keeps one part in so many unused for what is written next; it would grow again at once."""

_MINUTE_MS = 60_000

EXPIRED = """
SELECT seq, size_bytes FROM messages INDEXED BY messages_by_retention
WHERE retention_class = :retention_class AND updated_at_ms <= :until_ms
ORDER BY updated_at_ms LIMIT :limit
"""
PAST_HISTORY = """
SELECT seq, iif(retention_class = -1, 0, size_bytes), endpoint_no, accepted_at_ms,
    status = 'failed_permanent' AND deleted_at_ms IS NULL
FROM messages INDEXED BY messages_by_retention
WHERE retention_class = :retention_class AND updated_at_ms <= :until_ms
ORDER BY updated_at_ms LIMIT :limit
"""
_ATTEMPTS = """
SELECT no, coalesce(length(response_body), 0) FROM attempts WHERE seq = ? ORDER BY attempt_no
"""
_REMOVE_MINUTE = """
DELETE FROM accepted_minutes WHERE minute = ? AND NOT EXISTS (
    SELECT 1 FROM messages WHERE seq BETWEEN seq_first AND seq_last
)
"""


class Gone(msgspec.Struct, kw_only=True):
    """What a write removed."""

    payloads: int = 0
    messages: int = 0
    attempts: int = 0
    size_bytes: int = 0
    more: bool = False
    """It stopped at its limits."""


class RemovePayloads(msgspec.Struct, frozen=True, kw_only=True):
    """Remove the payloads of the messages of one class that finished first.

    A class holds finished messages only, so one that is being replayed is in none.
    """

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    retention_class: int
    until_ms: int
    """Only of messages that had finished by then."""
    at_ms: int
    """Noted as the moment of the removal."""

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> Gone:
        """Delete the payloads and note it in their messages' rows, which else stay as they are."""
        found = db.execute(
            EXPIRED,
            {
                "retention_class": self.retention_class,
                "until_ms": self.until_ms,
                "limit": _MESSAGES_MAX,
            },
        ).fetchall()
        gone = Gone(more=len(found) == _MESSAGES_MAX)
        seqs: list[int] = []
        for seq, size_bytes in found:
            if seqs and gone.size_bytes + size_bytes > _BYTES_MAX:
                gone.more = True
                break
            seqs.append(seq)
            gone.size_bytes += size_bytes
        db.executemany("DELETE FROM payloads WHERE seq = ?", [(seq,) for seq in seqs])
        db.executemany(
            "UPDATE messages SET payload_removed_at_ms = ? WHERE seq = ?",
            [(self.at_ms, seq) for seq in seqs],
        )
        gone.payloads = len(seqs)
        return gone


class RemoveMessages(msgspec.Struct, frozen=True, kw_only=True):
    """Remove the messages of one class that finished first, with all that belongs to them."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    retention_class: int
    until_ms: int
    """Only messages that had finished by then."""

    def apply(self, db: sqlite3.Connection, gathered: Gathered) -> Gone:
        """Delete the rows and count; of a message with very many attempts only some of those."""
        gone = Gone()
        attempts: list[tuple[int]] = []
        messages: list[tuple[int]] = []
        minutes: set[int] = set()
        for seq, size_bytes, endpoint_no, accepted_at_ms, failed in self._found(db):
            full = messages and gone.size_bytes + size_bytes > _BYTES_MAX
            if full or not _take_attempts(db, seq, attempts, gone):
                gone.more = True
                break
            gone.size_bytes += size_bytes
            messages.append((seq,))
            minutes.add(accepted_at_ms // _MINUTE_MS)
            if failed:
                gathered.count(endpoint_no, failed=-1)
        db.executemany("DELETE FROM attempts WHERE no = ?", attempts)
        db.executemany("DELETE FROM payloads WHERE seq = ?", messages)
        db.executemany("DELETE FROM messages WHERE seq = ?", messages)
        db.executemany(_REMOVE_MINUTE, [(minute,) for minute in minutes])
        gone.messages, gone.attempts = len(messages), len(attempts)
        gone.more = gone.more or gone.messages == _MESSAGES_MAX
        return gone

    def _found(self, db: sqlite3.Connection) -> list[tuple[int, int, int, int, int]]:
        return db.execute(
            PAST_HISTORY,
            {
                "retention_class": self.retention_class,
                "until_ms": self.until_ms,
                "limit": _MESSAGES_MAX,
            },
        ).fetchall()


class ReleasePages(msgspec.Struct, frozen=True, kw_only=True):
    """Cut unused pages off the end of the database; pages that are used move forward for it.

    The file itself gets shorter when the log is brought into it, which the last piece asks for.
    """

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    pages_max: int

    def apply(self, db: sqlite3.Connection, gathered: Gathered) -> tuple[int, bool]:
        """Release up to `pages_max` pages that are to spare; return how many, and if more are.

        None where the file cannot (https://sqlite.org/pragma.html#pragma_incremental_vacuum).
        """
        count = min(spare_pages(db), self.pages_max)
        if count == 0:
            return 0, False
        before = _number(db, "page_count")
        for _ in range(count):
            # One page a time: Python steps a statement without columns once, whatever its number.
            db.execute("PRAGMA incremental_vacuum(1)")
        released = before - _number(db, "page_count")
        more = released > 0 and spare_pages(db) > 0
        gathered.checkpoint = released > 0 and not more
        return released, more


def spare_pages(db: sqlite3.Connection) -> int:
    """Return how many unused pages are more than the file should keep; at least 0."""
    unused = _number(db, "freelist_count")
    return max(0, unused - (_number(db, "page_count") - unused) // _SPARE_PARTS)


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def _take_attempts(
    db: sqlite3.Connection, seq: int, attempts: list[tuple[int]], gone: Gone
) -> bool:
    """Take a message's attempts, as far as the write may remove them; return whether all."""
    for no, size_bytes in db.execute(_ATTEMPTS, (seq,)):
        full = len(attempts) >= _ATTEMPTS_MAX or gone.size_bytes + size_bytes > _BYTES_MAX
        if attempts and full:
            return False
        attempts.append((no,))
        gone.size_bytes += size_bytes
    return True
