"""Whether the process lives, and whether it takes requests."""

from typing import Literal, Protocol

import msgspec

from sluicegate.engine.errors import UnavailableError
from sluicegate.http.answers import Answer, success
from sluicegate.http.api.route import Route
from sluicegate.http.calls import Call

__all__ = ["DRAINING_RETRY_AFTER_S", "HealthHandlers", "Readiness"]

DRAINING_RETRY_AFTER_S = 5
"""When a client that met a draining server should try again: its successor may be up by then."""


class Readiness(Protocol):
    """Whether requests are taken; false before the start and from the begin of a drain."""

    @property
    def ready(self) -> bool:
        """Whether writes are accepted now."""
        ...


class AliveAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The process lives."""

    status: Literal["ok"] = "ok"


class ReadyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Requests are taken."""

    status: Literal["ready"] = "ready"


class HealthHandlers:
    """Answers load balancers and supervisors; needs no key and touches no storage."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        return (
            Route(
                method="GET",
                path="/healthz",
                handler=self.alive,
                name="healthz",
                tag="Operations",
                summary="Whether the process lives",
                description="Answers while the event loop turns; storage is not asked.",
                auth=False,
                answer=AliveAnswer,
            ),
            Route(
                method="GET",
                path="/readyz",
                handler=self.ready,
                name="readyz",
                tag="Operations",
                summary="Whether requests are taken",
                description="503 before the start is complete and from the begin of a shutdown: "
                "send no more requests here.",
                auth=False,
                answer=ReadyAnswer,
                errors=("UNAVAILABLE",),
            ),
        )

    async def alive(self, call: Call) -> Answer:
        """GET /healthz: the event loop turns."""
        return success(call.request_id, AliveAnswer())

    async def ready(self, call: Call) -> Answer:
        """GET /readyz: 200 while requests are taken, else 503."""
        if not self._readiness.ready:
            raise UnavailableError("not ready", retry_after_s=DRAINING_RETRY_AFTER_S)
        return success(call.request_id, ReadyAnswer())
