"""The part of the storage port that the delivery loop uses: only owners call it."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from sluicegate.engine.model import AttemptResult, WaitingMessage
from sluicegate.engine.ports.rows import Head, WorkItem

__all__ = ["DeliveryStorage"]


class DeliveryStorage(Protocol):
    """What the delivery loop reads and records. Only the endpoint's owner calls these."""

    async def load_heads(self, endpoint_ids: Sequence[str], *, limit: int) -> dict[str, Head]:
        """Return what the owners of these endpoints must know to begin, in one snapshot.

        Args:
            endpoint_ids: whose; those that never were are not in the answer.
            limit: at most so many messages of each order.
        """
        ...

    async def load_queued(
        self, endpoint_id: str, *, after_seq: int, limit: int
    ) -> list[WaitingMessage]:
        """Return `QUEUED` messages with `seq > after_seq` in acceptance order."""
        ...

    async def load_retries_due(self, endpoint_id: str, *, limit: int) -> list[WaitingMessage]:
        """Return `PENDING_RETRY` messages by `(next_attempt_at_ms, seq)`, earliest first."""
        ...

    async def load_retries_in_order(
        self, endpoint_id: str, *, after_seq: int, below_release_no: int | None, limit: int
    ) -> list[WaitingMessage]:
        """Return `PENDING_RETRY` messages with `seq > after_seq` in acceptance order.

        Args:
            endpoint_id: whose.
            after_seq: exclusive lower bound.
            below_release_no: only those scheduled under a lower `release_no`; `None` = all.
            limit: at most so many.
        """
        ...

    async def get_payload_by_seq(self, seq: int) -> bytes | None:
        """Return a waiting message's payload; `None` when it was removed."""
        ...

    def record_attempt(self, result: AttemptResult, *, urgent: bool = True) -> Awaitable[bool]:
        """Store a finished attempt and all that follows from it, in one commit.

        It is begun by the call, and goes on whether it is awaited or not. What the result says of
        its endpoint (health, a pause) counts only if that was not resumed since the attempt ended.

        Args:
            result: what is stored.
            urgent: somebody waits for it: else it may wait some milliseconds for others.

        Returns:
            Whether it is by this attempt that the endpoint is paused.
        """
        ...

    async def give_up_message(self, endpoint_id: str, seq: int, *, error: str, at_ms: int) -> None:
        """Turn one waiting message into `FAILED_PERMANENT`; anything else stays as it is."""
        ...

    async def work(self) -> list[WorkItem]:
        """Return every endpoint with waiting messages that is not paused, or is deleted."""
        ...
