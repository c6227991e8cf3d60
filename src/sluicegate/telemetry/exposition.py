"""What `/metrics` answers: everything counted, and what storage and actors say just then.

A scraper cannot load the engine, however often it comes: the text is made at most once a second,
storage is read by one scrape at a time, and rests nine times as long as a read took. If storage
cannot answer in time, the rest is told all the same, and `sluicegate_scrape_error` is 1.
"""

import asyncio
import contextlib
from collections.abc import Iterable

from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import CollectorRegistry

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.ports import Clock, Overview, OverviewStorage
from sluicegate.telemetry.counting import Counting
from sluicegate.telemetry.gauges import Live, Process, gauges

__all__ = ["Exposition"]

_KEPT_S = 1.0
_REST = 9
_READ_S = 2.0
_OPENMETRICS = "application/openmetrics-text"


class Exposition:
    """Tells the metrics of one engine. Used on its event loop only.

    Args:
        counting: what was counted.
        storage: sums up what is stored.
        clock: paces, and tells ages.
        circuit_failures: failures in a row from which a circuit is open; 0 = none ever is.
        live: what can be read at any moment.
    """

    def __init__(
        self,
        counting: Counting,
        *,
        storage: OverviewStorage,
        clock: Clock,
        circuit_failures: int,
        live: Live,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._circuit_failures = circuit_failures
        self._live = live
        self._registry = CollectorRegistry(auto_describe=False)
        for collector in (counting, self, Process(namespace="sluicegate", registry=None)):
            self._registry.register(collector)
        self._texts: dict[bool, tuple[float, bytes]] = {}
        self._overview: Overview | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_again_s = 0.0

    async def text(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics and their content type.

        Text format 0.0.4, or OpenMetrics 1.0.0 when the `Accept` header names it.
        """
        as_openmetrics = _OPENMETRICS in accept.lower()
        media_type = openmetrics.CONTENT_TYPE_LATEST if as_openmetrics else CONTENT_TYPE_PLAIN_0_0_4
        kept = self._texts.get(as_openmetrics)
        if kept is None or self._clock.monotonic_s() >= kept[0]:
            await self._look()
            make = openmetrics.generate_latest if as_openmetrics else generate_latest
            kept = self._clock.monotonic_s() + _KEPT_S, make(self._registry)
            self._texts[as_openmetrics] = kept
        return kept[1], media_type

    async def close(self) -> None:
        """End a read that is under way."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    async def _look(self) -> None:
        """Bring the overview up to date, if storage answers in time."""
        if self._reading is None and self._clock.monotonic_s() >= self._read_again_s:
            self._reading = asyncio.create_task(self._read(), name="sluicegate-overview")
        if self._reading is not None:
            # Waited for, not awaited: a scraper that goes away leaves the others their read.
            await asyncio.wait([self._reading], timeout=_READ_S)

    async def _read(self) -> None:
        began_s = self._clock.monotonic_s()
        self._overview, overview = None, None
        try:
            with contextlib.suppress(SluicegateError):
                overview = await self._storage.overview(circuit_failures=self._circuit_failures)
        finally:
            now_s = self._clock.monotonic_s()
            self._overview, self._reading = overview, None
            self._read_again_s = now_s + max(_KEPT_S, _REST * (now_s - began_s))

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges: prometheus_client's `Collector`."""
        return gauges(self._live, self._overview, now_ms=self._clock.wall_ms())
