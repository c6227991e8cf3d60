"""Accepting messages."""

import sqlite3
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from sluicegate.engine.errors import (
    EndpointNotFoundError,
    IdempotencyMismatchError,
    InvalidRequestError,
    SluicegateError,
)
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import Accepted, NewMessage, WaitingMessage
from sluicegate.storage.rows import NO_HEADERS, encode_headers, id_blob, id_text
from sluicegate.storage.writes import Gathered

__all__ = ["Append", "accept"]

_FIND_KEY = """
SELECT id, payload_sha256 FROM messages
WHERE endpoint_no = ? AND idempotency_key = ? AND deleted_at_ms IS NULL
"""


class Append(msgspec.Struct, frozen=True):
    """Store messages in order; each slot of the answer speaks for its message."""

    grows: ClassVar[bool] = True
    alone: ClassVar[bool] = False

    messages: Sequence[NewMessage]
    window_bytes_max: int
    """Larger payloads are left out of what the endpoint's actor is told."""

    def apply(self, db: sqlite3.Connection, gathered: Gathered) -> list[Accepted | SluicegateError]:
        """Gather the messages' rows."""
        answers: list[Accepted | SluicegateError] = []
        for message in self.messages:
            try:
                answers.append(accept(db, gathered, message, self.window_bytes_max))
            except SluicegateError as error:
                answers.append(error)
        return answers


def accept(
    db: sqlite3.Connection, gathered: Gathered, message: NewMessage, window_bytes_max: int
) -> Accepted:
    """Gather one message's rows, or find that it is stored already.

    Raises:
        EndpointNotFoundError: unknown, foreign or deleted.
        IdempotencyMismatchError: the key stands for another payload.
    """
    endpoint = gathered.endpoint(db, message.endpoint_id)
    if endpoint is None or endpoint.project_id != message.project_id:
        raise EndpointNotFoundError
    blob = id_blob(message.id)
    if blob is None:
        raise InvalidRequestError("message id must be a UUID in lower case with dashes")
    if message.idempotency_key is not None:
        key = (endpoint.no, message.idempotency_key)
        stored = gathered.keys.get(key) or db.execute(_FIND_KEY, key).fetchone()
        if stored is not None:
            if stored[1] != message.payload_sha256:
                raise IdempotencyMismatchError
            return Accepted(message_id=id_text(stored[0]), duplicate=True)
        gathered.keys[key] = (blob, message.payload_sha256)
    seq, size_bytes = gathered.take_seq(db), len(message.payload)
    row = (
        seq,
        blob,
        endpoint.project_no,
        endpoint.no,
        message.accepted_at_ms,
        message.accepted_at_ms,
        size_bytes,
        message.payload_sha256,
        encode_headers(message.headers),
        message.idempotency_key,
        message.retention_hours,
    )
    waiting = WaitingMessage(
        seq=seq,
        id=message.id,
        status=MessageStatus.QUEUED,
        accepted_at_ms=message.accepted_at_ms,
        next_attempt_at_ms=None,
        release_no=0,
        attempt_count=0,
        cycle_attempts=0,
        fast_retries=0,
        headers=message.headers or NO_HEADERS,
        payload=message.payload if size_bytes <= window_bytes_max else None,
    )
    gathered.add_message(row, message.payload, endpoint_id=message.endpoint_id, waiting=waiting)
    return Accepted(message_id=message.id)
