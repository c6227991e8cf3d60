"""Taking messages and telling of them, on SQLite."""

from collections.abc import Awaitable, Sequence
from collections.abc import Set as AbstractSet

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.model import Accepted, Attempt, LogEntry, Message, NewMessage
from sluicegate.engine.ports import LogQuery
from sluicegate.storage import logs, message_reads
from sluicegate.storage.access import Access
from sluicegate.storage.appends import Append

__all__ = ["SqliteMessageStorage", "queue_bytes"]

_ROW_BYTES = 512
"""What a message weighs in the queue beside its payload, roughly."""


class SqliteMessageStorage(Access):
    """Implements `sluicegate.engine.ports.message_storage.MessageStorage`."""

    def append(self, messages: Sequence[NewMessage]) -> Awaitable[list[Accepted | SluicegateError]]:
        """Begin to store messages in one commit, in order; each slot answers for itself."""
        return self._writing.append(
            Append(messages, self._window_payload_bytes_max),
            rows=len(messages),
            size_bytes=queue_bytes(messages),
        )

    async def get_message(
        self, project_id: str, message_id: str, *, in_flight: AbstractSet[str]
    ) -> Message | None:
        """Return a message with its derived status."""
        flying = frozenset({message_id}) if message_id in in_flight else frozenset()
        return await self._read.read(
            message_reads.get_message, project_id, message_id, in_flight=flying
        )

    async def get_payload(self, project_id: str, message_id: str) -> bytes | None:
        """Return the payload, or `None` when there is no such message."""
        return await self._read.read(message_reads.get_payload, project_id, message_id)

    async def list_attempts(
        self, project_id: str, message_id: str, *, limit: int
    ) -> tuple[list[Attempt], bool]:
        """Return attempts oldest first and whether there are more; `[]` for an unknown id."""
        return await self._read.read(
            message_reads.list_attempts, project_id, message_id, limit=limit
        )

    async def list_logs(
        self, query: LogQuery, *, in_flight: AbstractSet[str]
    ) -> tuple[list[LogEntry], int | None]:
        """Return a page of the log and, if there are more, the `seq` to go on before."""
        return await self._read.read(logs.list_logs, query, in_flight=frozenset(in_flight))


def queue_bytes(messages: Sequence[NewMessage]) -> int:
    """Return how much memory messages hold while they wait to be written."""
    return sum([_ROW_BYTES + len(message.payload) for message in messages])
