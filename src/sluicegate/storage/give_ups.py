"""Giving messages up."""

import sqlite3
from collections.abc import Collection
from typing import ClassVar

import msgspec

from sluicegate.engine.errors import EndpointNotFoundError
from sluicegate.storage.rows import waiting_seqs
from sluicegate.storage.writes import Gathered

__all__ = ["GiveUpMessage", "GiveUpWaiting"]

_OLDEST_WAITING = """
SELECT seq, status FROM (
    SELECT seq, status FROM messages WHERE endpoint_no = :no AND status = 'queued'
    UNION ALL
    SELECT seq, status FROM messages WHERE endpoint_no = :no AND status = 'pending_retry'
    ORDER BY seq LIMIT :limit
)
"""
_GIVE_UP = """
UPDATE messages SET status = 'failed_permanent', last_error = ?, updated_at_ms = ?,
    next_attempt_at_ms = NULL, retry_type = NULL, release_no = 0
WHERE seq = ?
"""


class GiveUpWaiting(msgspec.Struct, frozen=True, kw_only=True):
    """Turn up to `limit` of an endpoint's waiting messages into failed ones, oldest first."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    endpoint_id: str
    error: str
    at_ms: int
    limit: int
    in_flight: Collection[str]

    def apply(self, db: sqlite3.Connection, gathered: Gathered) -> int:
        """Update the messages' rows and count.

        Raises:
            EndpointNotFoundError: there never was such an endpoint.
        """
        row = db.execute("SELECT no FROM endpoints WHERE id = ?", (self.endpoint_id,)).fetchone()
        if row is None:
            raise EndpointNotFoundError
        kept = waiting_seqs(db, self.in_flight, endpoint_no=row[0])
        waiting = db.execute(
            _OLDEST_WAITING, {"no": row[0], "limit": self.limit + len(kept)}
        ).fetchall()
        chosen = [(seq, status) for seq, status in waiting if seq not in kept][: self.limit]
        for seq, status in chosen:
            _give_up(db, gathered, seq, row[0], status, error=self.error, at_ms=self.at_ms)
        return len(chosen)


class GiveUpMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Turn one waiting message into a failed one; anything else stays as it is."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    endpoint_id: str
    seq: int
    error: str
    at_ms: int

    def apply(self, db: sqlite3.Connection, gathered: Gathered) -> None:
        """Update the message's row and count."""
        row = db.execute(
            "SELECT m.endpoint_no, m.status FROM messages m"
            " JOIN endpoints e ON e.no = m.endpoint_no"
            " WHERE m.seq = ? AND e.id = ? AND m.status IN ('queued', 'pending_retry')",
            (self.seq, self.endpoint_id),
        ).fetchone()
        if row is not None:
            _give_up(db, gathered, self.seq, *row, error=self.error, at_ms=self.at_ms)


def _give_up(
    db: sqlite3.Connection,
    gathered: Gathered,
    seq: int,
    endpoint_no: int,
    status: str,
    *,
    error: str,
    at_ms: int,
) -> None:
    db.execute(_GIVE_UP, (error, at_ms, seq))
    gathered.count(
        endpoint_no,
        queued=-(status == "queued"),
        pending_retry=-(status == "pending_retry"),
        failed=1,
    )
