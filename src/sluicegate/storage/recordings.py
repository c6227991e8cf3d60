"""The results of one transaction: read and stored together."""

import sqlite3
from collections.abc import Iterable
from itertools import islice

import msgspec

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.storage.rows_together import RowsTogether

__all__ = ["AttemptRow", "MessageFacts", "Move", "Recordings"]

_READ = """
SELECT json_group_array(json_array(seq, project_no, endpoint_no, status, retention_hours,
    deleted_at_ms, attempt_count))
FROM messages WHERE seq IN (SELECT value FROM json_each(?))
"""
"""All in one row: each row of an answer is a step of its own (see `RowsTogether`)."""
_INSERT = RowsTogether(
    """
INSERT INTO attempts (seq, attempt_no, id, started_at_ms, processing_ms, response_status,
    response_latency_ms, error_text, retry_type, retry_after_s, resolved_ip, request_headers,
    response_headers, dns_us, tcp_connect_us, tls_handshake_us, ttfb_us, transfer_us, conn_reused,
    response_body, response_body_truncated)
VALUES""",
    columns=21,
)
_MOVE_ON = RowsTogether(
    """
UPDATE messages SET status = new.column2, updated_at_ms = new.column3,
    attempt_count = attempt_count + 1, cycle_attempts = cycle_attempts + 1,
    fast_retries = fast_retries + new.column4, release_no = new.column5,
    next_attempt_at_ms = new.column6, retry_type = new.column7,
    first_attempt_at_ms = coalesce(first_attempt_at_ms, new.column8),
    delivered_at_ms = coalesce(new.column9, delivered_at_ms), response_status = new.column10,
    response_latency_ms = new.column11, last_error = new.column12
FROM (VALUES""",
    columns=12,
    after=") AS new WHERE messages.seq = new.column1",
)

AttemptRow = tuple[int, int, bytes | None, *tuple[object, ...]]
"""The columns of `_INSERT`."""
Move = tuple[int, MessageStatus, *tuple[object, ...]]
"""A message's `seq` and what becomes of it: the columns of `_MOVE_ON`."""


class MessageFacts(msgspec.Struct, array_like=True, gc=False):
    """What a result must know of its message; kept up to date by those of one transaction."""

    seq: int
    project_no: int
    endpoint_no: int
    status: str
    retention_hours: int | None
    deleted_at_ms: int | None
    attempt_count: int


_DECODER = msgspec.json.Decoder(list[MessageFacts])
_KNOWN_MAX = 8_192
"""Of so many messages are the facts kept: most results come soon."""
_KEPT = 6_144
"""Of so many, the latest, when they are too many."""


class Recordings:
    """Results that are to be stored, and what is known of their messages.

    What one connection writes it need not read: the facts of a message are kept from its insert,
    or from its first result, until it is finished. Other writes may change them, so they make all
    of it forgotten (see `Write.alone`).
    """

    def __init__(self) -> None:
        """Start empty."""
        self._facts: dict[int, MessageFacts] = {}
        self._attempts: dict[tuple[int, int], AttemptRow] = {}
        self._moves: list[Move] = []

    def expect(self, db: sqlite3.Connection, seqs: Iterable[int]) -> None:
        """Read what the results of these messages will ask for and is not known."""
        wanted = [seq for seq in seqs if seq not in self._facts]
        if wanted:
            (text,) = db.execute(_READ, (msgspec.json.encode(wanted).decode(),)).fetchone()
            self._facts |= {facts.seq: facts for facts in _DECODER.decode(text)}

    def know(self, facts: MessageFacts) -> None:
        """Keep the facts of a message that this transaction inserts."""
        self._facts[facts.seq] = facts

    def facts(self, db: sqlite3.Connection, seq: int) -> MessageFacts | None:
        """Return what is known of a message; `None` if there is no such message."""
        if seq not in self._facts:
            self.expect(db, (seq,))
        return self._facts.get(seq)

    def attempt_id(self, db: sqlite3.Connection, seq: int, attempt_no: int) -> bytes | None:
        """Return whose result is stored, or left to be stored, under a number."""
        left = self._attempts.get((seq, attempt_no))
        if left is not None:
            return left[2]
        row = db.execute(
            "SELECT id FROM attempts WHERE seq = ? AND attempt_no = ?", (seq, attempt_no)
        ).fetchone()
        return None if row is None else row[0]

    def add(self, attempt: AttemptRow, move: Move | None) -> None:
        """Leave an attempt to be stored and, unless its message keeps its status, the move."""
        self._attempts[attempt[0], attempt[1]] = attempt
        if move is not None:
            self._moves.append(move)

    def flush(self, db: sqlite3.Connection) -> None:
        """Store what was left; let go of messages that are finished, and of too many."""
        if self._attempts:
            _INSERT.execute(db, list(self._attempts.values()))
            _MOVE_ON.execute(db, self._moves)
        for seq, status, *_ in self._moves:
            if status is not MessageStatus.PENDING_RETRY:
                self._facts.pop(seq, None)
        self._attempts, self._moves = {}, []
        if len(self._facts) > _KNOWN_MAX:  # many at once: a dict's first item is a search
            for seq in list(islice(self._facts, len(self._facts) - _KEPT)):
                del self._facts[seq]

    def forget(self) -> None:
        """Forget what is known of messages: somebody else may change them."""
        self._facts.clear()

    def discard(self) -> None:
        """Forget everything: the transaction was rolled back."""
        self._facts, self._attempts, self._moves = {}, {}, []
