"""The use cases of activity: metrics, time series, and keeping the counts few."""

from sluicegate.engine.activity_views import Metrics, TimeSeries, TimeSeriesBucket
from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.ids import is_endpoint_id
from sluicegate.engine.metrics_windows import GRIDS, MINUTE_MS, MetricsWindow
from sluicegate.engine.moments import from_ms
from sluicegate.engine.ports import ActivityCounts, Clock, Storage
from sluicegate.engine.removal_time import removal_ms
from sluicegate.engine.settings import Settings

__all__ = ["Activity"]

_PIECE_ROWS = 250  # some 2 ms of the one writer's time
_NOTHING = ActivityCounts()


class Activity:
    """What was accepted and attempted in every project. Used on the engine's event loop only."""

    def __init__(self, storage: Storage, clock: Clock, settings: Settings) -> None:
        self._storage = storage
        self._clock = clock
        self._settings = settings

    async def metrics(
        self,
        project_id: str,
        *,
        window: MetricsWindow | str = MetricsWindow.DAY,
        endpoint_id: str | None = None,
    ) -> Metrics:
        """Return what happened in a window: the sums of its time series.

        Args:
            project_id: whose.
            window: how far back; a `MetricsWindow` or its text.
            endpoint_id: to this endpoint only, a deleted one too; to an unknown one nothing did.

        Raises:
            InvalidRequestError: no such window, or a malformed endpoint id.
        """
        chosen = _window(window)
        first = self._first_minute(chosen)
        counts = (await self._buckets(project_id, chosen, endpoint_id, first=first)).values()
        succeeded = sum(each.succeeded for each in counts)
        failed = sum(each.failed for each in counts)
        finished = succeeded + failed
        return Metrics(
            window=chosen,
            total_messages=sum(each.accepted for each in counts),
            succeeded=succeeded,
            failed=failed,
            retries=sum(each.retried for each in counts),
            success_rate=succeeded / finished if finished else 1.0,
            avg_latency_ms=_average(
                sum(each.latency_ms for each in counts), sum(each.answered for each in counts)
            ),
        )

    async def time_series(
        self,
        project_id: str,
        *,
        window: MetricsWindow | str = MetricsWindow.DAY,
        endpoint_id: str | None = None,
    ) -> TimeSeries:
        """Return what happened in each bucket of a window, the oldest first.

        Args:
            project_id: whose.
            window: how far back; a `MetricsWindow` or its text.
            endpoint_id: to this endpoint only, a deleted one too; to an unknown one nothing did.

        Raises:
            InvalidRequestError: no such window, or a malformed endpoint id.
        """
        chosen = _window(window)
        grid, first = GRIDS[chosen], self._first_minute(chosen)
        counts = await self._buckets(project_id, chosen, endpoint_id, first=first)
        buckets = [
            _bucket(first + number * grid.width_minutes, counts.get(number, _NOTHING))
            for number in range(grid.count)
        ]
        return TimeSeries(window=chosen, buckets=buckets)

    async def pack(self) -> bool:
        """Make the rows of old counts fewer: one piece of a chore, one short write at most.

        What no window needs by the minute any more is kept by longer stretches; what is older
        than `history_days` is deleted. A wall clock that jumps ahead makes nothing old. Cut off or
        called at once with itself it does no harm.

        Returns:
            Whether more is to be done at once.

        Raises:
            UnavailableError: the disk is full or failed, or the engine is closing.
        """
        return await self._storage.pack_activity(
            now_minute=removal_ms(self._clock) // MINUTE_MS,
            history_days=self._settings.history_days,
            limit=_PIECE_ROWS,
        )

    async def _buckets(
        self, project_id: str, window: MetricsWindow, endpoint_id: str | None, *, first: int
    ) -> dict[int, ActivityCounts]:
        if endpoint_id is not None and not is_endpoint_id(endpoint_id):
            raise InvalidRequestError(
                "endpoint_id must be in format ep_xxx", details={"field": "endpoint_id"}
            )
        return await self._storage.activity(
            project_id,
            endpoint_id,
            first_minute=first,
            width_minutes=GRIDS[window].width_minutes,
            count=GRIDS[window].count,
        )

    def _first_minute(self, window: MetricsWindow) -> int:
        return GRIDS[window].first_minute(self._clock.wall_ms() // MINUTE_MS)


def _window(window: MetricsWindow | str) -> MetricsWindow:
    try:
        return MetricsWindow(window)
    except ValueError:
        allowed = [each.value for each in MetricsWindow]
        raise InvalidRequestError(
            f"window must be one of {', '.join(allowed)}",
            details={"field": "window", "allowed": allowed},
        ) from None


def _bucket(minute: int, counts: ActivityCounts) -> TimeSeriesBucket:
    return TimeSeriesBucket(
        timestamp=from_ms(minute * MINUTE_MS),
        total=counts.accepted,
        succeeded=counts.succeeded,
        failed=counts.failed,
        retrying=counts.retried,
        avg_latency_ms=_average(counts.latency_ms, counts.answered),
    )


def _average(latency_ms: int, answered: int) -> int:
    return round(latency_ms / answered) if answered else 0
