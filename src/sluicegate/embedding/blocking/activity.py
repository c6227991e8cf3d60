"""The calls of `sluicegate.engine.calls.activity`, each of which blocks until it is answered.

Made by `make blocking-calls`; a test compares.
"""

from sluicegate.embedding.blocking.scope import BlockingScope
from sluicegate.engine.activity_views import Metrics, TimeSeries
from sluicegate.engine.billing_views import Subscription, UsagePage
from sluicegate.engine.metrics_windows import MetricsWindow

__all__ = ["BlockingActivityCalls"]


class BlockingActivityCalls(BlockingScope):
    """Metrics and usage of one project, by name and with plain values."""

    def get_metrics(
        self,
        window: MetricsWindow | str = MetricsWindow.DAY,
        *,
        endpoint_id: str | None = None,
        timeout_s: float | None = None,
    ) -> Metrics:
        """Return what happened in a window, in all.

        Args:
            window: `1h`, `24h`, `7d` or `30d`.
            endpoint_id: to this endpoint only; to an unknown one nothing did.
            timeout_s: how long to wait, in seconds; the engine's own when not given.
        """
        return self._call(
            lambda engine: engine.get_metrics(window, endpoint_id=endpoint_id), timeout_s
        )

    def get_timeseries(
        self,
        window: MetricsWindow | str = MetricsWindow.DAY,
        *,
        endpoint_id: str | None = None,
        timeout_s: float | None = None,
    ) -> TimeSeries:
        """Return what happened in a window by the minute, 15 minutes, hour or 6 hours.

        Args:
            window: `1h`, `24h`, `7d` or `30d`.
            endpoint_id: to this endpoint only; to an unknown one nothing did.
            timeout_s: how long to wait, in seconds; the engine's own when not given.
        """
        return self._call(
            lambda engine: engine.get_timeseries(window, endpoint_id=endpoint_id), timeout_s
        )

    def get_subscription(self, *, timeout_s: float | None = None) -> Subscription:
        """Return what may be used and was used this month; nobody is billed."""
        return self._call(lambda engine: engine.get_subscription(), timeout_s)

    def get_usage_history(
        self, *, limit: int = 12, offset: int = 0, timeout_s: float | None = None
    ) -> UsagePage:
        """Return how many messages were sent in each month, newest first.

        Args:
            limit: 1..100 months.
            offset: how many of them to skip.
            timeout_s: how long to wait, in seconds; the engine's own when not given.
        """
        return self._call(
            lambda engine: engine.get_usage_history(limit=limit, offset=offset), timeout_s
        )
