"""What every request goes through before and after its handler.

In this order: an id; whose key it is (nothing else is told to strangers); the project's rate;
whether there is such a route; whether writes are taken. Whatever goes wrong, the answer is JSON
in the envelope of contract section 1.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from logging import DEBUG

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
        return partial(self._answer, route=route)

    def handler(self, route: Route) -> Handler:
        """Return the same as an aiohttp handler."""

        async def enter(request: web.Request) -> web.StreamResponse:
            return _response(await self._answer(request, route))

        return enter

    def other_methods(self, known: Iterable[str]) -> Handler:
        """Return the aiohttp handler of the methods that a path does not have.

        aiohttp would go on to the next path that fits: `GET /v1/messages/delete-all` would ask
        for a message of that name.
        """
        allowed = sorted({*known, "OPTIONS"})

        async def enter(request: web.Request) -> web.StreamResponse:
            return _response(await self._answer(request, None, allowed))

        return enter

    def unmatched(self) -> Middleware:
        """Return an aiohttp middleware that answers what matches no path."""

        @web.middleware
        async def enter(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.match_info.http_exception is None:
                return await handler(request)
            return _response(await self._answer(request, None))

        return enter

    async def _answer(
        self, request: HttpRequest, route: Route | None, allowed: Sequence[str] = ()
    ) -> Reply:
        response: Reply
        request_id = new_request_id(self._random)
        started_s = self._clock.monotonic_s()
        try:
            response = await self._handled(request, route, request_id, allowed)
        except SluicegateError as error:
            if status_of(error) == 500:  # noqa: PLR2004 - a code that clients should not see
                _log_crash(request, route, request_id)
            response = failure(request_id, error)
        except Exception:  # noqa: BLE001 - the outermost handler: a bug of ours answers 500
            _log_crash(request, route, request_id)
            response = failure(request_id, SluicegateError())
        stamp(response, request_id)
        if not self._readiness.ready:
            response.force_close()
        duration_s = self._clock.monotonic_s() - started_s
        template = route.path if route is not None else None
        self._telemetry.request_finished(
            method=request.method, route=template, status=response.status, duration_s=duration_s
        )
        if log.isEnabledFor(DEBUG):
            log.debug(
                "request.finished",
                request_id=request_id,
                method=request.method,
                route=template,
                status=response.status,
                duration_ms=round(duration_s * 1000, 3),
            )
        return response

    async def _handled(
        self,
        request: HttpRequest,
        route: Route | None,
        request_id: str,
        allowed: Sequence[str],
    ) -> Reply:
        principal: Principal | None = None
        if route.auth if route is not None else _is_private(request.path):
            principal = await self._authentication.principal(request)
            retry_after_s = self._project_rate.take(principal.project_id)
            if retry_after_s:
                raise RateLimitExceededError(retry_after_s=retry_after_s)
        if route is None:
            return _no_route(request, allowed)
        if request.method not in _READS and not self._readiness.ready:
            raise UnavailableError("shutting down", retry_after_s=DRAINING_RETRY_AFTER_S)
        return await route.handler(Call(request, request_id, principal))


def _is_private(path: str) -> bool:
    """Whether strangers are told nothing about `path`, not even that it does not exist."""
    return path == "/v1" or path.startswith("/v1/")


def _response(reply: Reply) -> web.StreamResponse:
    return reply.as_response() if isinstance(reply, Answer) else reply


def _no_route(request: HttpRequest, allowed: Sequence[str]) -> Answer:
    if not allowed:
        raise NotFoundError("no such route")
    if request.method == "OPTIONS":
        return empty({hdrs.ALLOW: ", ".join(allowed)})
    raise MethodNotAllowedError(
        f"{request.method} is not allowed here", details={"allowed": list(allowed)}
    )


def _log_crash(request: HttpRequest, route: Route | None, request_id: str) -> None:
    log.error(
        "request.crashed",
        request_id=request_id,
        method=request.method,
        route=route.path if route is not None else None,
        exc_info=True,
    )
