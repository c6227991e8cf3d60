"""Connections whose requests are not even HTTP: those too are answered in JSON."""

from http import HTTPStatus

from aiohttp import web
from aiohttp.web_request import BaseRequest

from sluicegate.engine.errors import InvalidRequestError, SluicegateError
from sluicegate.engine.ids import new_request_id
from sluicegate.engine.log import log
from sluicegate.engine.ports import Random
from sluicegate.http.answers import failure
from sluicegate.http.middleware import stamp

__all__ = ["JsonRunner"]


class JsonRunner(web.AppRunner):
    """Runs an application on connections that speak only JSON.

    aiohttp answers requests that it cannot parse, and expectations that it does not know, as
    plain text, before any application sees them; here they get our envelope.

    Args:
        app: what answers the requests that can be parsed.
        random: makes the request ids.
        shutdown_timeout_s: what requests in progress get at `cleanup`.
    """

    __slots__ = ("_random",)

    def __init__(self, app: web.Application, *, random: Random, shutdown_timeout_s: float) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_timeout_s)
        self._random = random

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _JsonServer(server, self._random)


class _JsonServer(web.Server):
    """Makes a connection's protocol; takes everything else over from aiohttp's own server."""

    def __init__(self, server: web.Server, random: Random) -> None:
        vars(self).update(vars(server))
        self._random = random

    def __call__(self) -> web.RequestHandler:
        return _JsonConnection(self, self._random, loop=self._loop, **self._kwargs)


class _JsonConnection(web.RequestHandler):
    """One connection; what aiohttp would answer as text is answered as JSON."""

    __slots__ = ("_random",)

    def __init__(self, server: web.Server, random: Random, **settings: object) -> None:
        super().__init__(server, **settings)  # type: ignore[arg-type]  # aiohttp's own, passed on
        self._random = random

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that could not be parsed, or an error outside the application."""
        del message  # aiohttp's words may repeat what was sent
        if request.writer.output_size > 0:
            raise ConnectionError("the response had begun: it cannot become an error")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("request.crashed", exc_info=exc)
            return self._json(SluicegateError())
        log.debug("request.malformed", error=type(exc).__name__)
        return self._json(InvalidRequestError("malformed HTTP request"))

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response; one that aiohttp made as text is replaced."""
        if isinstance(resp, web.HTTPException):
            resp = self._json(InvalidRequestError(f"{resp.reason}: not supported"))
        return await super().finish_response(request, resp, start_time)

    def _json(self, error: SluicegateError) -> web.Response:
        request_id = new_request_id(self._random)
        response = failure(request_id, error)
        stamp(response, request_id)
        response.force_close()
        return response
