"""What clients are told of activity: metrics and their time series."""

from datetime import datetime

import msgspec

from sluicegate.engine.metrics_windows import MetricsWindow

__all__ = ["Metrics", "TimeSeries", "TimeSeriesBucket"]


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
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
    success_rate: float
    """Of the attempts that delivered or were the last, the part that delivered; 1 without any."""
    avg_latency_ms: int
    """Of the attempts that got a response; 0 without any."""


class TimeSeriesBucket(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in one bucket of a window; the names are the contract's."""

    timestamp: datetime
    """With which the bucket begins."""
    total: int
    succeeded: int
    failed: int
    retrying: int
    avg_latency_ms: int


class TimeSeries(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a window, bucket by bucket."""

    window: MetricsWindow
    buckets: list[TimeSeriesBucket]
    """The oldest first, without gaps; the last one is under way."""
