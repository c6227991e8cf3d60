"""An ASGI application on a receiver: lifespan, and HTTP (https://asgi.readthedocs.io/specs)."""

import asyncio
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote

from sluicegate.simulation.receivers.exchange import (
    Answer,
    Fate,
    ReceivedRequest,
    check_length,
)
from sluicegate.simulation.receivers.lifespan import ASGI, App, Lifespan, Message, Receive

__all__ = ["AsgiApplication"]

_CHUNK_BYTES = 65_536
_PIECES_AT_ONCE = 100


class AsgiApplication:
    """Calls an ASGI 3 application as a server would. Implements `Application`.

    The answer is taken when the application has sent all of it; what the application does after
    that (background tasks) goes on in the host's life.
    """

    def __init__(
        self,
        app: object,
        failed: Callable[[BaseException], None],
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        """Take an application.

        Args:
            app: called with `scope`, `receive` and `send`.
            failed: hears of an exception after the answer, which nobody else would.
            prepare: called before its startup.
        """
        self._prepare = prepare
        self._app = cast("App", app)
        self._failed = failed
        self._state: dict[str, Any] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._lifespan = Lifespan(self._state, failed)

    async def start(self) -> None:
        """Run its startup; an application without lifespan is ready at once.

        Raises:
            RuntimeError: the startup failed.
        """
        self._prepare()
        self._keep(asyncio.get_running_loop().create_task(self._lifespan.live(self._app)))
        await self._lifespan.startup()

    async def stop(self) -> None:
        """Run its shutdown."""
        await self._lifespan.shutdown()

    async def respond(self, request: ReceivedRequest, gone: asyncio.Event) -> Answer:
        """Call it with a request; return what it sent."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()
        task = loop.create_task(self._respond(request, gone, answered))
        self._keep(task)
        return await answered

    async def _respond(
        self, request: ReceivedRequest, gone: asyncio.Event, answered: "asyncio.Future[Answer]"
    ) -> None:
        response = _Response(answered, gone)
        try:
            await self._app(_scope(request, self._state), _body(request, gone), response.send)
            response.end()
        except Exception as error:  # noqa: BLE001 - a server answers it with 500
            if response.started:
                self._failed(error)
                response.end()
            elif not answered.done():
                answered.set_exception(error)

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))


class _Response:
    """Gathers what an application sends for one request."""

    def __init__(self, answered: "asyncio.Future[Answer]", gone: asyncio.Event) -> None:
        self._answered = answered
        self._gone = gone
        self._status = 0
        self._pieces = 0
        self._headers: tuple[tuple[str, str], ...] = ()
        self._body = bytearray()

    @property
    def started(self) -> bool:
        return self._status > 0

    async def send(self, message: Message) -> None:
        match message["type"]:
            case "http.response.start" if not self.started:
                self._status = message["status"]
                self._headers = tuple(
                    (bytes(name).decode("latin-1"), bytes(value).decode("latin-1"))
                    for name, value in message.get("headers", ())
                )
            case "http.response.body" if self.started:
                self._body += message.get("body", b"")
                check_length(len(self._body), "ASGI")
                self._pieces += 1
                if self._pieces > _PIECES_AT_ONCE:
                    # Who streams for ever would else never let anybody see it.
                    await asyncio.sleep(0)
                if not message.get("more_body", False):
                    self._finish(Fate.SENT)
            case other:
                raise RuntimeError(f"ASGI: unexpected message {other!r}")

    def end(self) -> None:
        """Take it that nothing follows.

        Raises:
            RuntimeError: there is no response.
        """
        if not self.started:
            raise RuntimeError("ASGI: the application returned without a response")
        self._finish(Fate.LOST)

    def _finish(self, fate: Fate) -> None:
        if not self._answered.done():
            body = bytes(self._body)
            self._answered.set_result(
                Answer(status=self._status, headers=self._headers, body=body, fate=fate)
            )
            self._gone.set()


def _body(request: ReceivedRequest, gone: asyncio.Event) -> Receive:
    """Return the `receive` of a request: its body in pieces, then that the client is gone."""
    begins = iter(range(0, max(1, len(request.body)), _CHUNK_BYTES))

    async def receive() -> Message:
        begin = next(begins, None)
        if begin is None:
            await gone.wait()
            return {"type": "http.disconnect"}
        end = begin + _CHUNK_BYTES
        return {
            "type": "http.request",
            "body": request.body[begin:end],
            "more_body": end < len(request.body),
        }

    return receive


def _scope(request: ReceivedRequest, state: dict[str, Any]) -> Message:
    path, _, query = request.path.partition("?")
    return {
        "type": "http",
        "asgi": ASGI,
        "http_version": "1.1",
        "method": request.method,
        "scheme": "https",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in request.headers
        ],
        "client": ("44.0.0.1", 40_000),
        "server": (request.host, 443),
        "state": state.copy(),
        "extensions": {},
    }
