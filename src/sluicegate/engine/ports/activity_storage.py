"""The part of the storage port that tells what was accepted and attempted.

The counts themselves are made by the writes that they count, in the same commit.
"""

from typing import Protocol

import msgspec

__all__ = ["ActivityCounts", "ActivityStorage", "UsageMonth"]


class ActivityCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a span of time, to one endpoint or to all of a project's.

    A message counts when it was accepted, an attempt when it ended (both by the wall clock);
    neither counts twice, and nothing that happens to them later takes them out again.
    """

    accepted: int = 0
    """Messages; a replay is none."""
    succeeded: int = 0
    """Attempts that delivered."""
    failed: int = 0
    """Attempts after which there is no other: the message was given up."""
    retried: int = 0
    """Attempts after which a retry was scheduled."""
    answered: int = 0
    """Attempts that got a response, whatever it said."""
    latency_ms: int = 0
    """What those took, all together."""


class UsageMonth(msgspec.Struct, frozen=True):
    """The messages that a project sent in a calendar month (UTC)."""

    month: str
    """As `2026-04`."""
    accepted: int


class ActivityStorage(Protocol):
    """What was accepted and attempted, by time."""

    async def activity(
        self,
        project_id: str,
        endpoint_id: str | None,
        *,
        first_minute: int,
        width_minutes: int,
        count: int,
    ) -> dict[int, ActivityCounts]:
        """Return the counts of those of `count` buckets that have any, by number from 0.

        Args:
            project_id: whose.
            endpoint_id: to which endpoint, deleted ones included; `None` = all of the project's.
            first_minute: with which the first bucket begins, in minutes since the Unix epoch.
            width_minutes: of each bucket.
            count: how many.
        """
        ...

    async def pack_activity(self, *, now_minute: int, history_days: int, limit: int) -> bool:
        """Pack or delete up to `limit` rows of counts that are old enough, the oldest first.

        Returns:
            Whether there may be more.
        """
        ...

    async def usage_months(
        self, project_id: str, *, limit: int, offset: int
    ) -> tuple[list[UsageMonth], int]:
        """Return months with messages, newest first, and how many there are in all."""
        ...

    async def month_usage(self, project_id: str, month: str) -> int:
        """Return how many messages were accepted in a month, as `2026-04`."""
        ...
