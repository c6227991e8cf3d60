"""What the delivery loop reads and records, on SQLite."""

from collections.abc import Awaitable, Sequence

from sluicegate.engine.model import AttemptResult, WaitingMessage
from sluicegate.engine.ports import Head, WorkItem
from sluicegate.storage import heads, waiting
from sluicegate.storage.access import Access
from sluicegate.storage.attempts import RecordAttempt
from sluicegate.storage.give_ups import GiveUpMessage

__all__ = ["SqliteDeliveryStorage"]


class SqliteDeliveryStorage(Access):
    """Implements `sluicegate.engine.ports.delivery_storage.DeliveryStorage`."""

    async def load_heads(self, endpoint_ids: Sequence[str], *, limit: int) -> dict[str, Head]:
        """Return what the owners of these endpoints must know to begin, in one snapshot."""
        return await self._read.deliver(
            heads.load_heads,
            endpoint_ids,
            limit=limit,
            bytes_max=self._window_payload_bytes_max,
            box=self._box,
        )

    async def load_queued(
        self, endpoint_id: str, *, after_seq: int, limit: int
    ) -> list[WaitingMessage]:
        """Return `QUEUED` messages with `seq > after_seq` in acceptance order."""
        return await self._read.deliver(
            waiting.load_queued,
            endpoint_id,
            after_seq=after_seq,
            limit=limit,
            bytes_max=self._window_payload_bytes_max,
        )

    async def load_retries_due(self, endpoint_id: str, *, limit: int) -> list[WaitingMessage]:
        """Return `PENDING_RETRY` messages by `(next_attempt_at_ms, seq)`, earliest first."""
        return await self._read.deliver(waiting.load_retries_due, endpoint_id, limit=limit)

    async def load_retries_in_order(
        self, endpoint_id: str, *, after_seq: int, below_release_no: int | None, limit: int
    ) -> list[WaitingMessage]:
        """Return `PENDING_RETRY` messages with `seq > after_seq` in acceptance order."""
        return await self._read.deliver(
            waiting.load_retries_in_order,
            endpoint_id,
            after_seq=after_seq,
            below_release_no=below_release_no,
            limit=limit,
            bytes_max=self._window_payload_bytes_max,
        )

    async def get_payload_by_seq(self, seq: int) -> bytes | None:
        """Return a waiting message's payload; `None` when it was removed."""
        return await self._read.deliver(waiting.read_payload, seq)

    def record_attempt(self, result: AttemptResult, *, urgent: bool = True) -> Awaitable[bool]:
        """Begin to store a finished attempt; the answer is whether it has paused its endpoint."""
        return self._writing.begin(RecordAttempt(result), urgent=urgent)

    async def give_up_message(self, endpoint_id: str, seq: int, *, error: str, at_ms: int) -> None:
        """Turn one waiting message into `FAILED_PERMANENT`; anything else stays as it is."""
        await self._write(GiveUpMessage(endpoint_id=endpoint_id, seq=seq, error=error, at_ms=at_ms))

    async def work(self) -> list[WorkItem]:
        """Return every endpoint that is not paused, or is deleted, and has waiting messages."""
        return await self._read.deliver(waiting.work)
