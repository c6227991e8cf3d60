"""Connections: bounded in number and patience, and answered in JSON even if they speak no HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import NamedTuple

from aiohttp import web
from aiohttp.web_request import BaseRequest

from sluicegate.engine.errors import InvalidRequestError, SluicegateError
from sluicegate.engine.ids import new_request_id
from sluicegate.engine.log import log
from sluicegate.engine.ports import Random
from sluicegate.http.answers import Reply, failure, whole
from sluicegate.http.coming import Coming
from sluicegate.http.middleware import Entrance, stamp
from sluicegate.http.open_connections import OpenConnections
from sluicegate.http.whole_reading import WholeRequests
from sluicegate.http.whole_requests import WholeRequest, WholeRoutes, written
from sluicegate.turns.pacer import Pacer

__all__ = ["WHOLE", "JsonRunner", "WholeHandler"]


class WholeHandler(NamedTuple):
    """What answers requests that come in one piece."""

    entrance: Entrance
    in_line: bool
    """Each waits for its turn (see `Pacer`)."""


WHOLE = web.AppKey("whole", WholeRoutes[WholeHandler])
"""What answers requests that come in one piece."""


class JsonRunner(web.AppRunner):
    """Runs an application on connections that speak only JSON.

    aiohttp answers requests that it cannot parse, and expectations that it does not know, as
    plain text, before any application sees them; here they get our envelope.

    Args:
        app: what answers the requests that can be parsed.
        random: makes the request ids.
        pacer: where requests wait that come in floods.
        connections_max: how many connections may be open.
        head_s: seconds that the head of a request may take to arrive, from its first byte or,
            of the first request, from the connection on.
        shutdown_timeout_s: what requests in progress get at `cleanup`.
    """

    __slots__ = ("_connections", "_head_s", "_pacer", "_random")

    def __init__(
        self,
        app: web.Application,
        *,
        random: Random,
        pacer: Pacer,
        connections_max: int,
        head_s: float,
        shutdown_timeout_s: float,
    ) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_timeout_s)
        self._random = random
        self._pacer = pacer
        self._connections = OpenConnections(connections_max)
        self._head_s = head_s

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _JsonServer(
            server,
            routes=self.app.get(WHOLE, WholeRoutes()),
            random=self._random,
            pacer=self._pacer,
            connections=self._connections,
            head_s=self._head_s,
        )


class _JsonServer(web.Server):
    """Makes a connection's protocol; takes everything else over from aiohttp's own server."""

    def __init__(
        self,
        server: web.Server,
        *,
        routes: WholeRoutes[WholeHandler],
        random: Random,
        pacer: Pacer,
        connections: OpenConnections,
        head_s: float,
    ) -> None:
        vars(self).update(vars(server))
        self.routes = routes
        self.random = random
        self.pacer = pacer
        self.open_connections = connections
        self.head_s = head_s

    def __call__(self) -> web.RequestHandler:
        return _JsonConnection(self, loop=self._loop, **self._kwargs)


class _JsonConnection(web.RequestHandler):
    """One connection; what aiohttp would answer as text is answered as JSON.

    Between two requests it looks whether the next one comes in one piece, and answers that
    itself; all others aiohttp reads and answers.
    """

    __slots__ = (
        "_answering",
        "_behind",
        "_free",
        "_head_late",
        "_head_s",
        "_open_connections",
        "_pacer",
        "_random",
        "_routes",
        "_task",
        "_whole",
        "_whole_ended",
        "_whole_requests",
    )

    def __init__(self, server: _JsonServer, **settings: object) -> None:
        super().__init__(server, **settings)  # type: ignore[arg-type]  # aiohttp's own, passed on
        self._routes = server.routes
        self._random = server.random
        self._pacer = server.pacer
        self._open_connections = server.open_connections
        self._head_s = server.head_s
        self._head_late: asyncio.TimerHandle | None = None
        self._answering = False
        self._free = True
        """aiohttp has answered all that it was given, and goes on to wait for more."""
        self._whole_requests = WholeRequests()
        self._whole: WholeRequest | None = None
        """A request that came in one piece and is being answered, or waits for its turn."""
        self._whole_ended: asyncio.Event | None = None
        """Set when that is answered, if `shutdown` waits for it."""
        self._task: asyncio.Task[None] | None = None
        """Answers it, if it needs a task."""
        self._behind = b""
        """What came meanwhile."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many connections already."""
        super().connection_made(transport)
        self._await_head()
        self._open_connections.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._open_connections.closed(self)
        self._stop_awaiting_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what was sent; between two requests it begins the next one's head."""
        if self._whole is not None:
            self._behind += data
            self._pause_transport_reading()
            return
        if data and not (self._close or self._force_close):
            request = self._whole_requests.read(data, self.transport)
            if request is not None and self._free:
                handler = self._routes.find(request)
                if handler is not None:
                    self._whole = request
                    self._begin_answer()
                    if handler.in_line:
                        self._pacer.sends.add(partial(self._begin_whole, request, handler.entrance))
                    else:
                        self._begin_whole(request, handler.entrance)
                    return
            self._free = False
        super().data_received(data)
        # Most often the whole head has come: then there is nothing to wait for.
        if data and not (self._answering or self._messages) and self._head_late is None:
            self._await_head()

    def _begin_whole(self, request: WholeRequest, entrance: Entrance) -> None:
        """Answer a request that came in one piece, as aiohttp does the others."""
        if self._whole is not request:
            return  # given up before its turn came
        try:
            coming = entrance(request)
        except Exception as error:  # noqa: BLE001 - see `_crash_whole`
            self._crash_whole(error)
            return
        if isinstance(coming, Coming):
            coming.tell(self._answer_whole)
        else:
            self._task = self._loop.create_task(self._await_whole(coming))

    async def _await_whole(self, coming: Awaitable[Reply]) -> None:
        try:
            reply = await coming
        except Exception as error:  # noqa: BLE001 - see `_crash_whole`
            self._crash_whole(error)
        else:
            self._answer_whole(lambda: reply)

    def _answer_whole(self, result: Callable[[], Reply]) -> None:
        try:
            answer = whole(result())
            keep_alive = not (answer.is_last or self._close)
            if self.transport is not None:
                self.transport.write(written(answer, keep_alive=keep_alive))
        except Exception as error:  # noqa: BLE001 - see `_crash_whole`
            self._crash_whole(error)
            return
        if keep_alive and self.writing_paused:
            self._task = self._loop.create_task(self._drain_whole())
        else:
            self._end_whole(keep_alive=keep_alive)

    async def _drain_whole(self) -> None:
        """Wait until the client has taken what was written before it."""
        with suppress(ConnectionError):
            await self._drain_helper()
        self._end_whole(keep_alive=True)

    def _crash_whole(self, error: Exception) -> None:
        """Let a bug of ours end this connection and no other."""
        log.error("request.crashed", exc_info=error)
        self._end_whole(keep_alive=False)

    def _end_whole(self, *, keep_alive: bool) -> None:
        request, self._whole, self._task = self._whole, None, None
        if request is not None and request.let_go is not None:
            request.let_go()
        self._end_answer()
        if self._whole_ended is not None:
            self._whole_ended.set()
        if not keep_alive:
            self.force_close()
        if not self._force_close:
            self._go_on()

    def _go_on(self) -> None:
        """Wait for the next request, which may be there already."""
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._process_keepalive()
        if self._behind:
            behind, self._behind = self._behind, b""
            self._resume_transport_reading()
            self.data_received(behind)

    def _process_keepalive(self) -> None:
        """Close the connection if it has been idle for too long."""
        if self._whole is not None:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's signature
        """End; a request in progress gets `timeout` seconds."""
        self.close()  # again: one just made did not wait for a request yet when all were told
        if self._whole is not None:
            self._whole_ended = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._whole_ended.wait()
        if self._task is not None:
            self._task.cancel()
        if self._whole is not None:
            self._end_whole(keep_alive=False)
        await super().shutdown(timeout)

    async def _handle_request(
        self,
        request: BaseRequest,
        start_time: float | None,
        request_handler: Callable[[BaseRequest], Awaitable[web.StreamResponse]],
    ) -> tuple[web.StreamResponse, bool]:
        self._begin_answer()
        try:
            response, gone = await super()._handle_request(request, start_time, request_handler)
        finally:
            self._end_answer()
        self._free = bool(response.keep_alive) and not gone
        self._free = self._free and request.content.is_eof() and not self._messages
        return response, gone

    def _begin_answer(self) -> None:
        self._stop_awaiting_head()
        self._answering = True
        self._open_connections.begins_request(self)

    def _end_answer(self) -> None:
        self._answering = False
        self._open_connections.ends_request(self)

    def _await_head(self) -> None:
        self._head_late = self._loop.call_later(self._head_s, self.force_close)

    def _stop_awaiting_head(self) -> None:
        if self._head_late is not None:
            self._head_late.cancel()
            self._head_late = None

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
        answer = failure(request_id, error)
        stamp(answer, request_id)
        answer.force_close()
        return answer.as_response()
