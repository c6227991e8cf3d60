"""What is answered about metrics: contract section 6."""

from typing import Annotated, Self

import msgspec
from msgspec import Meta

from sluicegate.engine.activity_views import Metrics, TimeSeries, TimeSeriesBucket
from sluicegate.engine.metrics_windows import MetricsWindow
from sluicegate.engine.moments import format_moment
from sluicegate.http.api.fields import Moment

__all__ = ["MetricsAnswer", "TimeSeriesAnswer", "TimeSeriesBucketAnswer"]


class MetricsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a window, in all."""

    window: MetricsWindow
    total_messages: int
    """Messages accepted."""
    succeeded: int
    """Attempts that delivered."""
    failed: int
    """Attempts after which the message was given up."""
    retries: int
    """Attempts after which a retry was scheduled."""
    success_rate: Annotated[float, Meta(ge=0, le=1)]
    """The part of `succeeded` in `succeeded` and `failed`; 1 without any."""
    avg_latency_ms: int
    """Of the attempts that got a response; 0 without any."""

    @classmethod
    def of(cls, metrics: Metrics) -> Self:
        """Write metrics."""
        return cls(
            window=metrics.window,
            total_messages=metrics.total_messages,
            succeeded=metrics.succeeded,
            failed=metrics.failed,
            retries=metrics.retries,
            success_rate=metrics.success_rate,
            avg_latency_ms=metrics.avg_latency_ms,
        )


class TimeSeriesBucketAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in one bucket of a window."""

    timestamp: Moment
    """With which the bucket begins."""
    total: int
    succeeded: int
    failed: int
    retrying: int
    avg_latency_ms: int

    @classmethod
    def of(cls, bucket: TimeSeriesBucket) -> Self:
        """Write a bucket."""
        return cls(
            timestamp=format_moment(bucket.timestamp),
            total=bucket.total,
            succeeded=bucket.succeeded,
            failed=bucket.failed,
            retrying=bucket.retrying,
            avg_latency_ms=bucket.avg_latency_ms,
        )


class TimeSeriesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a window, bucket by bucket, the oldest first."""

    window: MetricsWindow
    buckets: list[TimeSeriesBucketAnswer]

    @classmethod
    def of(cls, series: TimeSeries) -> Self:
        """Write a time series."""
        buckets = [TimeSeriesBucketAnswer.of(bucket) for bucket in series.buckets]
        return cls(window=series.window, buckets=buckets)
