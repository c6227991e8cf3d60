"""What every write is, and what the writes of one transaction share."""

import sqlite3
from typing import ClassVar, Protocol, TypeVar

import msgspec

from sluicegate.engine.metrics_windows import MINUTE_MS
from sluicegate.engine.model import Arrivals, WaitingMessage
from sluicegate.storage.gathered_activity import GatheredActivity
from sluicegate.storage.recordings import MessageFacts, Recordings
from sluicegate.storage.rows_together import RowsTogether

__all__ = ["EndpointKey", "Gathered", "Write"]

_R_co = TypeVar("_R_co", covariant=True)

_KNOWN_MAX = 65_536

_INSERT_MESSAGES = RowsTogether(
    """
INSERT INTO messages (seq, id, project_no, endpoint_no, accepted_at_ms, updated_at_ms, size_bytes,
    payload_sha256, headers, idempotency_key, retention_hours)
VALUES""",
    columns=11,
)
_INSERT_PAYLOADS = RowsTogether("INSERT INTO payloads (seq, body) VALUES", columns=2)
_COUNT = """
UPDATE endpoint_loads SET queued_count = queued_count + ?,
    pending_retry_count = pending_retry_count + ?, failed_count = failed_count + ?
WHERE endpoint_no = ?
"""
_MARK_MINUTE = """
INSERT INTO accepted_minutes (minute, seq_first, seq_last) VALUES (?, ?, ?)
ON CONFLICT (minute) DO UPDATE SET seq_last = excluded.seq_last
"""

MessageRow = tuple[int, bytes, int, int, int, int, int, bytes, str | None, str | None, int | None]
"""The columns of `_INSERT_MESSAGES`."""


class EndpointKey(msgspec.Struct, frozen=True, gc=False):
    """What an append must know of an endpoint that is not deleted."""

    no: int
    project_no: int
    project_id: str


class Gathered:
    """Rows and counts that the writes of one transaction leave to be stored together.

    Also what the writing connection remembers between transactions: the next `seq` and the
    endpoints seen lately. Used on the writing connection's thread only.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._endpoints: dict[str, EndpointKey] = {}
        self._seq_next: int | None = None
        self._last_seqs: dict[str, int] = {}
        """Of endpoints that got messages lately: the last one's `seq`."""
        self.checkpoint = False
        """A write asks that the log be brought into the file once the transaction has committed."""
        self.recordings = Recordings()
        """Results of attempts."""
        self._reset()

    def _reset(self) -> None:
        self._messages: list[MessageRow] = []
        self._payloads: list[tuple[int, bytes]] = []
        self._tallies: dict[int, list[int]] = {}
        self._accepted: dict[str, Arrivals] = {}
        self.keys: dict[tuple[int, str], tuple[bytes, bytes]] = {}
        """Idempotency keys gathered and not yet in the table → message id, payload hash."""
        self.activity = GatheredActivity()
        """What is counted by time."""

    def discard(self) -> None:
        """Forget everything: the transaction was rolled back."""
        self._reset()
        self.recordings.discard()
        self._endpoints.clear()
        self._last_seqs.clear()
        self._seq_next = None
        self.checkpoint = False

    def forget_endpoint(self, endpoint_id: str) -> None:
        """Forget an endpoint that this transaction deletes."""
        self._endpoints.pop(endpoint_id, None)

    def endpoint(self, db: sqlite3.Connection, endpoint_id: str) -> EndpointKey | None:
        """Return an endpoint that is not deleted."""
        key = self._endpoints.get(endpoint_id)
        if key is None:
            row = db.execute(
                "SELECT e.no, e.project_no, p.id FROM endpoints e"
                " JOIN projects p ON p.no = e.project_no"
                " WHERE e.id = ? AND e.deleted_at_ms IS NULL",
                (endpoint_id,),
            ).fetchone()
            if row is None:
                return None
            if len(self._endpoints) >= _KNOWN_MAX:
                self._endpoints.clear()
            key = self._endpoints[endpoint_id] = EndpointKey(*row)
        return key

    def take_seq(self, db: sqlite3.Connection) -> int:
        """Return the next message's `seq`; never one that was ever used."""
        if self._seq_next is None:
            row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
            self._seq_next = 1 if row is None else row[0] + 1
        seq = self._seq_next
        self._seq_next += 1
        return seq

    def add_message(
        self, row: MessageRow, payload: bytes, *, endpoint_id: str, waiting: WaitingMessage
    ) -> None:
        """Leave a message to be inserted and counted; once stored it is as `waiting` says."""
        self._messages.append(row)
        self._payloads.append((row[0], payload))
        arrivals = self._accepted.get(endpoint_id)
        if arrivals is None:
            arrivals = Arrivals(self._last_seqs.get(endpoint_id), [])
            self._accepted[endpoint_id] = arrivals
        arrivals.messages.append(waiting)
        if len(self._last_seqs) >= _KNOWN_MAX:
            self._last_seqs.clear()
        self._last_seqs[endpoint_id] = waiting.seq
        self.recordings.know(MessageFacts(row[0], row[2], row[3], waiting.status, row[10], None, 0))
        self.count(row[3], queued=1)

    def count(
        self, endpoint_no: int, *, queued: int = 0, pending_retry: int = 0, failed: int = 0
    ) -> None:
        """Leave a change of an endpoint's counts to be stored."""
        tally = self._tallies.get(endpoint_no)
        if tally is None:
            self._tallies[endpoint_no] = [queued, pending_retry, failed]
        else:
            tally[0] += queued
            tally[1] += pending_retry
            tally[2] += failed

    def flush(self, db: sqlite3.Connection) -> None:
        """Store what was gathered, so that the next write can read it."""
        if self._messages:
            _INSERT_MESSAGES.execute(db, self._messages)
            _INSERT_PAYLOADS.execute(db, self._payloads)
            minutes: dict[int, tuple[int, int]] = {}
            for row in self._messages:
                minute = row[4] // MINUTE_MS
                minutes[minute] = (minutes.get(minute, (row[0],))[0], row[0])
            db.executemany(_MARK_MINUTE, [(minute, *seqs) for minute, seqs in minutes.items()])
            self.activity.accept((row[4] // MINUTE_MS, row[2], row[3]) for row in self._messages)
        self.recordings.flush(db)
        if self._tallies:
            db.executemany(_COUNT, [(*tally, no) for no, tally in self._tallies.items()])
        self.activity.flush(db)
        accepted = self._accepted
        self._reset()
        self._accepted = accepted

    def take_accepted(self) -> dict[str, Arrivals]:
        """Return what each endpoint got in the transaction that just committed, in order."""
        accepted = self._accepted
        self._reset()
        return accepted


class Write(Protocol[_R_co]):
    """One change, run inside a transaction that it shares with others.

    `apply` raises a `SluicegateError` for its caller only while it has changed nothing: it
    checks, then writes. Any other exception is a fault: the transaction is rolled back.
    """

    grows: ClassVar[bool]
    """It takes on new work, and is refused while the disk is full."""
    alone: ClassVar[bool]
    """It reads what others of the transaction may have gathered, or changes what they know of
    messages: flush before it, and forget."""

    def apply(self, db: sqlite3.Connection, gathered: Gathered) -> _R_co:
        """Make the change and return what its caller gets."""
        ...
