"""Metrics over HTTP: contract section 6."""

from sluicegate.engine.activity import Activity
from sluicegate.engine.metrics_windows import MetricsWindow
from sluicegate.http.answers import Answer, success
from sluicegate.http.api.fields import EndpointId
from sluicegate.http.api.metrics_answers import MetricsAnswer, TimeSeriesAnswer
from sluicegate.http.api.route import Query, Route
from sluicegate.http.calls import Call

__all__ = ["MetricsHandlers"]

_WINDOW = Query(
    name="window",
    description="How far back, up to now.",
    type=MetricsWindow,
    default=MetricsWindow.DAY,
)
_ENDPOINT_ID = Query(
    name="endpoint_id",
    description="To this endpoint only; to an unknown one nothing was sent.",
    type=EndpointId,
)


class MetricsHandlers:
    """Translates requests that ask what happened."""

    def __init__(self, activity: Activity) -> None:
        self._activity = activity

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        return (
            Route(
                method="GET",
                path="/v1/metrics",
                handler=self.metrics,
                name="get_metrics",
                tag="Metrics",
                summary="Get metrics",
                description="Messages count when they were accepted, attempts when they ended. "
                "The figures are the sums of the time series of the same window.",
                query=(_WINDOW, _ENDPOINT_ID),
                answer=MetricsAnswer,
                errors=("INVALID_REQUEST",),
            ),
            Route(
                method="GET",
                path="/v1/metrics/timeseries",
                handler=self.time_series,
                name="get_timeseries",
                tag="Metrics",
                summary="Get metrics as a time series",
                description="The oldest bucket first, empty ones too; the last one is under way. "
                "Buckets are a minute wide (`1h`), 15 minutes (`24h`), an hour (`7d`), "
                "6 hours (`30d`).",
                query=(_WINDOW, _ENDPOINT_ID),
                answer=TimeSeriesAnswer,
                errors=("INVALID_REQUEST",),
            ),
        )

    async def metrics(self, call: Call) -> Answer:
        """GET /v1/metrics."""
        metrics = await self._activity.metrics(
            call.project_id,
            window=_window(call),
            endpoint_id=_ENDPOINT_ID.text(call.request),
        )
        return success(call.request_id, MetricsAnswer.of(metrics))

    async def time_series(self, call: Call) -> Answer:
        """GET /v1/metrics/timeseries."""
        series = await self._activity.time_series(
            call.project_id,
            window=_window(call),
            endpoint_id=_ENDPOINT_ID.text(call.request),
        )
        return success(call.request_id, TimeSeriesAnswer.of(series))


def _window(call: Call) -> str:
    window = _WINDOW.text(call.request)
    assert window is not None, "it has a default"
    return window
