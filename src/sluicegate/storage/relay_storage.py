"""Taking messages out of outboxes, each once, on SQLite."""

import sqlite3
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from sluicegate.engine.errors import InvalidRequestError, SluicegateError
from sluicegate.engine.model import Accepted, NewMessage
from sluicegate.storage.access import Access
from sluicegate.storage.appends import accept
from sluicegate.storage.message_storage import queue_bytes
from sluicegate.storage.rows import id_blob, id_text
from sluicegate.storage.writes import Gathered

__all__ = ["SqliteRelayStorage"]

_KNOWN = """
SELECT EXISTS (SELECT 1 FROM relayed WHERE id = ?1) OR EXISTS (SELECT 1 FROM messages WHERE id = ?1)
"""


class SqliteRelayStorage(Access):
    """Implements `sluicegate.engine.ports.relay_storage.RelayStorage`."""

    async def append_relayed(
        self, outbox_id: str, messages: Sequence[NewMessage], *, gone: Sequence[str]
    ) -> list[Accepted | SluicegateError]:
        """Store messages and remember their ids, in one commit."""
        write = _AppendRelayed(
            outbox_id=outbox_id,
            messages=messages,
            gone=gone,
            window_bytes_max=self._window_payload_bytes_max,
        )
        return await self._writing.append(
            write, rows=len(messages), size_bytes=queue_bytes(messages)
        )

    async def relayed(self, outbox_id: str) -> list[str]:
        """Return the ids that are remembered of an outbox."""
        return await self._read.read(_relayed, outbox_id)


class _AppendRelayed(msgspec.Struct, frozen=True, kw_only=True):
    """Store those messages that never were, and remember all; forget what is gone."""

    grows: ClassVar[bool] = True
    alone: ClassVar[bool] = True  # what another one of the same transaction stored is to be seen

    outbox_id: str
    messages: Sequence[NewMessage]
    gone: Sequence[str]
    window_bytes_max: int

    def apply(self, db: sqlite3.Connection, gathered: Gathered) -> list[Accepted | SluicegateError]:
        """Gather the messages' rows; each slot of the answer speaks for its message."""
        db.executemany("DELETE FROM relayed WHERE id = ?", [(id_blob(id_),) for id_ in self.gone])
        answers: list[Accepted | SluicegateError] = []
        taken: set[bytes] = set()
        for message in self.messages:
            try:
                answers.append(self._take(db, gathered, message, taken))
            except SluicegateError as error:
                answers.append(error)
        db.executemany(
            "INSERT INTO relayed (id, outbox_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
            [(blob, self.outbox_id) for blob in taken],
        )
        return answers

    def _take(
        self, db: sqlite3.Connection, gathered: Gathered, message: NewMessage, taken: set[bytes]
    ) -> Accepted:
        blob = id_blob(message.id)
        if blob is None:
            raise InvalidRequestError("message id must be a UUID in lower case with dashes")
        if blob in taken or db.execute(_KNOWN, (blob,)).fetchone()[0]:
            return Accepted(message_id=message.id, duplicate=True)
        accepted = accept(db, gathered, message, self.window_bytes_max)
        taken.add(blob)
        return accepted


def _relayed(db: sqlite3.Connection, outbox_id: str) -> list[str]:
    found = db.execute("SELECT id FROM relayed WHERE outbox_id = ?", (outbox_id,))
    return [id_text(blob) for (blob,) in found]
