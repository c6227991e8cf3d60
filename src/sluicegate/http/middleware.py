"""What every request goes through before and after its handler.

In this order: an id; whose key it is (nothing else is told to strangers); the project's rate;
whether there is such a route; whether writes are taken. Whatever goes wrong, the answer is JSON
in the envelope of contract section 1.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from logging import DEBUG

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from sluicegate.engine.errors import (
    MethodNotAllowedError,
    NotFoundError,
    RateLimitExceededError,
    SluicegateError,
    UnavailableError,
)
from sluicegate.engine.ids import new_request_id
from sluicegate.engine.log import log
from sluicegate.engine.model import Principal
from sluicegate.engine.ports import Clock, Random, Telemetry
from sluicegate.http.answers import Answer, Reply, empty, failure
from sluicegate.http.api.health import DRAINING_RETRY_AFTER_S, Readiness
from sluicegate.http.api.route import Route
from sluicegate.http.auth import Authentication
from sluicegate.http.calls import Call, HttpRequest
from sluicegate.http.coming import Coming
from sluicegate.http.errors import status_of
from sluicegate.http.per_minute import PerMinute

__all__ = ["Entrance", "Gate", "stamp"]

Entrance = Callable[[HttpRequest], Awaitable[Reply]]

_READS = ("GET", "HEAD", "OPTIONS")


def stamp(response: Reply, request_id: str) -> None:
    """Put the headers on a response that every response has."""
    headers = response.headers
    headers["X-Request-Id"] = request_id
    headers["Server"] = "Sluicegate"


class _Visit(msgspec.Struct, frozen=True):
    """A request between its coming and its answer."""

    request: HttpRequest
    route: Route | None
    allowed: Sequence[str]
    """If there is no route: the methods that the path has."""
    request_id: str
    started_s: float

    @property
    def template(self) -> str | None:
        """The route's path."""
        return None if self.route is None else self.route.path


class Gate:
    """Lets requests through to their handlers, and turns every error into an answer."""

    def __init__(
        self,
        authentication: Authentication,
        *,
        project_rate: PerMinute,
        readiness: Readiness,
        clock: Clock,
        random: Random,
        telemetry: Telemetry,
    ) -> None:
        self._authentication = authentication
        self._project_rate = project_rate
        self._readiness = readiness
        self._clock = clock
        self._random = random
        self._telemetry = telemetry

    def entrance(self, route: Route) -> Entrance:
        """Return what answers the requests of a route."""
        return partial(self._enter, route)

    def handler(self, route: Route) -> Handler:
        """Return the same as an aiohttp handler."""
        return self._handler(route)

    def other_methods(self, known: Iterable[str]) -> Handler:
        """Return the aiohttp handler of the methods that a path does not have.

        aiohttp would go on to the next path that fits: `GET /v1/messages/delete-all` would ask
        for a message of that name.
        """
        return self._handler(None, sorted({*known, "OPTIONS"}))

    def unmatched(self) -> Middleware:
        """Return an aiohttp middleware that answers what matches no path."""
        no_route = self._handler(None)

        @web.middleware
        async def enter(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.match_info.http_exception is None:
                return await handler(request)
            return await no_route(request)

        return enter

    def _handler(self, route: Route | None, allowed: Sequence[str] = ()) -> Handler:
        async def enter(request: web.Request) -> web.StreamResponse:
            reply = await self._enter(route, request, allowed)
            return reply.as_response() if isinstance(reply, Answer) else reply

        return enter

    def _enter(
        self, route: Route | None, request: HttpRequest, allowed: Sequence[str] = ()
    ) -> Awaitable[Reply]:
        visit = _Visit(
            request, route, allowed, new_request_id(self._random), self._clock.monotonic_s()
        )
        try:
            coming = self._begun(visit)
        except Exception as error:  # noqa: BLE001 - the outermost handler: see `_refusal`
            return _there(self._left(visit, _refusal(visit, error)))
        if isinstance(coming, Coming):
            return coming.through(partial(self._came, visit))
        return self._awaited(visit, coming)

    def _begun(self, visit: _Visit) -> Awaitable[Reply]:
        route, principal = visit.route, None
        if route.auth if route is not None else _is_private(visit.request.path):
            principal = self._authentication.known(visit.request)
            if principal is None:
                return self._unknown(visit)
        return self._let_in(visit, principal)

    async def _unknown(self, visit: _Visit) -> Reply:
        principal = await self._authentication.principal(visit.request)
        return await self._let_in(visit, principal)

    def _let_in(self, visit: _Visit, principal: Principal | None) -> Awaitable[Reply]:
        if principal is not None:
            retry_after_s = self._project_rate.take(principal.project_id)
            if retry_after_s:
                raise RateLimitExceededError(retry_after_s=retry_after_s)
        route = visit.route
        if route is None:
            return _no_route(visit)
        if visit.request.method not in _READS and not self._readiness.ready:
            raise UnavailableError("shutting down", retry_after_s=DRAINING_RETRY_AFTER_S)
        return route.handler(Call(visit.request, visit.request_id, principal))

    async def _awaited(self, visit: _Visit, coming: Awaitable[Reply]) -> Reply:
        try:
            reply = await coming
        except Exception as error:  # noqa: BLE001 - the outermost handler: see `_refusal`
            reply = _refusal(visit, error)
        return self._left(visit, reply)

    def _came(self, visit: _Visit, result: Callable[[], Reply]) -> Reply:
        try:
            reply = result()
        except Exception as error:  # noqa: BLE001 - the outermost handler: see `_refusal`
            reply = _refusal(visit, error)
        return self._left(visit, reply)

    def _left(self, visit: _Visit, reply: Reply) -> Reply:
        stamp(reply, visit.request_id)
        if not self._readiness.ready:
            reply.force_close()
        duration_s = self._clock.monotonic_s() - visit.started_s
        method, template = visit.request.method, visit.template
        self._telemetry.request_finished(
            method=method, route=template, status=reply.status, duration_s=duration_s
        )
        if log.isEnabledFor(DEBUG):
            log.debug(
                "request.finished",
                request_id=visit.request_id,
                method=method,
                route=template,
                status=reply.status,
                duration_ms=round(duration_s * 1000, 3),
            )
        return reply


def _is_private(path: str) -> bool:
    """Whether strangers are told nothing about `path`, not even that it does not exist."""
    return path == "/v1" or path.startswith("/v1/")


async def _there(reply: Reply) -> Reply:
    return reply


async def _no_route(visit: _Visit) -> Answer:
    if not visit.allowed:
        raise NotFoundError("no such route")
    if visit.request.method == "OPTIONS":
        return empty({hdrs.ALLOW: ", ".join(visit.allowed)})
    raise MethodNotAllowedError(
        f"{visit.request.method} is not allowed here", details={"allowed": list(visit.allowed)}
    )


def _refusal(visit: _Visit, error: Exception) -> Answer:
    """Return what is answered to an error; a bug of ours is logged, and answered with 500."""
    refused = error if isinstance(error, SluicegateError) else SluicegateError()
    if status_of(refused) == 500:  # noqa: PLR2004 - a code that clients should not see
        log.error(
            "request.crashed",
            request_id=visit.request_id,
            method=visit.request.method,
            route=visit.template,
            exc_info=error,
        )
    return failure(visit.request_id, refused)
