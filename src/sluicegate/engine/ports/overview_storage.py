"""The part of the storage port that sums up everything, for monitoring."""

from typing import Protocol

import msgspec

__all__ = ["Overview", "OverviewStorage"]


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Everything stored, in a few sums of one moment."""

    queued: int
    """Messages that wait for their first attempt of a cycle, those in flight included."""
    pending_retry: int
    """Messages that wait for a retry, those in flight included."""
    held: int
    """Messages that wait on a pause."""
    failed: int
    """Messages in the dead letter queue."""
    active: int
    """Endpoints that are not paused."""
    paused: dict[str, int]
    """Paused endpoints, by `PauseReason`."""
    circuits_open: int
    """Endpoints that are not paused and get one probe at a time."""
    queued_since_ms: int | None
    """Since when the one of the endpoints' next queued messages waits that waits longest,
    paused endpoints apart; wall clock."""
    accepted_at_ms: int | None
    """When the oldest message was accepted that waits for whatever reason; wall clock."""


class OverviewStorage(Protocol):
    """What monitoring reads."""

    async def overview(self, *, circuit_failures: int) -> Overview:
        """Sum up everything. O(endpoints), whatever waits; for no one project.

        Args:
            circuit_failures: failures in a row from which a circuit is open; 0 = none ever is.
        """
        ...
