"""Telling what was accepted and attempted, on SQLite."""

from sluicegate.engine.ports import ActivityCounts, UsageMonth
from sluicegate.storage import activity
from sluicegate.storage.access import Access
from sluicegate.storage.activity_packing import PackActivity, old_minutes

__all__ = ["SqliteActivityStorage"]


class SqliteActivityStorage(Access):
    """Implements `sluicegate.engine.ports.activity_storage.ActivityStorage`."""

    async def activity(
        self,
        project_id: str,
        endpoint_id: str | None,
        *,
        first_minute: int,
        width_minutes: int,
        count: int,
    ) -> dict[int, ActivityCounts]:
        """Return the counts of those of `count` buckets that have any, by number from 0."""
        return await self._read.read(
            activity.get_activity,
            project_id,
            endpoint_id,
            first_minute=first_minute,
            width_minutes=width_minutes,
            count=count,
        )

    async def pack_activity(self, *, now_minute: int, history_days: int, limit: int) -> bool:
        """Pack or delete up to `limit` old rows of counts; return whether there may be more."""
        minutes = await self._read.read(
            old_minutes, now_minute=now_minute, history_days=history_days, limit=limit
        )
        if not minutes:
            return False
        await self._write(
            PackActivity(
                minutes=minutes, now_minute=now_minute, history_days=history_days, limit=limit
            )
        )
        return True

    async def usage_months(
        self, project_id: str, *, limit: int, offset: int
    ) -> tuple[list[UsageMonth], int]:
        """Return months with messages, newest first, and how many there are in all."""
        return await self._read.read(
            activity.list_usage_months, project_id, limit=limit, offset=offset
        )

    async def month_usage(self, project_id: str, month: str) -> int:
        """Return how many messages were accepted in a month, as `2026-04`."""
        return await self._read.read(activity.month_usage, project_id, month)
