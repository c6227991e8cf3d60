"""What an embedding program asks about activity."""

from sluicegate.engine.activity_views import Metrics, TimeSeries
from sluicegate.engine.billing_views import Subscription, UsagePage
from sluicegate.engine.calls.scope import ProjectScope
from sluicegate.engine.metrics_windows import MetricsWindow

__all__ = ["ActivityCalls"]


class ActivityCalls(ProjectScope):
    """Metrics and usage of one project, by name and with plain values."""

    async def get_metrics(
        self, window: MetricsWindow | str = MetricsWindow.DAY, *, endpoint_id: str | None = None
    ) -> Metrics:
        """Return what happened in a window, in all.

        Args:
            window: `1h`, `24h`, `7d` or `30d`.
            endpoint_id: to this endpoint only; to an unknown one nothing did.
        """
        return await self.services.activity.metrics(
            self._project, window=window, endpoint_id=endpoint_id
        )

    async def get_timeseries(
        self, window: MetricsWindow | str = MetricsWindow.DAY, *, endpoint_id: str | None = None
    ) -> TimeSeries:
        """Return what happened in a window by the minute, 15 minutes, hour or 6 hours.

        Args:
            window: `1h`, `24h`, `7d` or `30d`.
            endpoint_id: to this endpoint only; to an unknown one nothing did.
        """
        return await self.services.activity.time_series(
            self._project, window=window, endpoint_id=endpoint_id
        )

    async def get_subscription(self) -> Subscription:
        """Return what may be used and was used this month; nobody is billed."""
        return await self.services.billing.subscription(self._project)

    async def get_usage_history(self, *, limit: int = 12, offset: int = 0) -> UsagePage:
        """Return how many messages were sent in each month, newest first.

        Args:
            limit: 1..100 months.
            offset: how many of them to skip.
        """
        return await self.services.billing.usage_history(self._project, limit=limit, offset=offset)
