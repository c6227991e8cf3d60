"""What Prometheus scrapes."""

from typing import Protocol

from aiohttp import hdrs

from sluicegate.http.answers import Answer
from sluicegate.http.api.route import Envelope, Route
from sluicegate.http.calls import Call

__all__ = ["Exposition", "ExpositionHandlers"]


class Exposition(Protocol):
    """Tells the metrics."""

    async def text(self, accept: str) -> tuple[bytes, str]:
        """Return them and their content type, chosen by an `Accept` header."""
        ...


class ExpositionHandlers:
    """Answers Prometheus; needs no key, and storage only for a part of it."""

    def __init__(self, exposition: Exposition | None) -> None:
        """Answer with this, or, without it, have no route."""
        self._exposition = exposition

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        if self._exposition is None:
            return ()
        return (
            Route(
                method="GET",
                path="/metrics",
                handler=self.scrape,
                name="scrape_metrics",
                tag="Operations",
                summary="The metrics of this process, for Prometheus",
                description=(
                    "Text format 0.0.4, or OpenMetrics 1.0.0 if `Accept` names it. "
                    "The setting `metrics` switches it off."
                ),
                auth=False,
                answer=str,
                envelope=Envelope.NONE,
                media_type="text/plain",
            ),
        )

    async def scrape(self, call: Call) -> Answer:
        """GET /metrics: what happened since the start, and how things stand."""
        assert self._exposition is not None
        accept = ",".join(call.request.headers.getall(hdrs.ACCEPT, []))
        body, content_type = await self._exposition.text(accept)
        headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
        return Answer(200, headers, body)
