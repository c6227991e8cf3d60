"""A receiver behind real HTTP: aiohttp's own server speaks for it."""

import asyncio

from aiohttp import StreamReader, web
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict

from sluicegate.simulation.lives import LIFE
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.receivers.aiohttp_app import AiohttpApplication
from sluicegate.simulation.receivers.exchange import Answer, Fate, ReceivedRequest
from sluicegate.simulation.receivers.host import ReceiverHost

__all__ = ["HTTP_PORT", "TLS_PORT", "serve_receiver", "slow_head"]

TLS_PORT = 443
HTTP_PORT = 80
_INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n" * 100


class _Server(web.Server):
    """Tells who waits no more for an answer."""

    def __init__(self, receiver: ReceiverHost, loop: SimulationLoop) -> None:
        super().__init__(self._handle, access_log=None)
        self._receiver = receiver
        self._clock = loop
        self._gone: dict[RequestHandler, asyncio.Event] = {}

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        gone = self._gone[request.protocol] = asyncio.Event()
        received = _received(request, await request.read(), self._receiver, self._clock)
        answer = await self._receiver.receive(received, gone)
        made = web.Response(
            status=answer.status, headers=CIMultiDict(answer.headers), body=answer.body
        )
        return await _respond(request, answer, made)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        gone = self._gone.pop(handler, None)
        if gone is not None:
            gone.set()


async def serve_receiver(receiver: ReceiverHost, loop: SimulationLoop) -> None:
    """Listen for a receiver, within its life, on the ports of https and http."""
    application = receiver.application
    runner: web.BaseRunner
    if isinstance(application, AiohttpApplication):
        runner = application.runner
        _listen_in(application, receiver, loop)
    else:
        runner = web.ServerRunner(_Server(receiver, loop))
        await runner.setup()
    for port in (TLS_PORT, HTTP_PORT):
        await web.TCPSite(runner, receiver.name, port).start()


def _listen_in(
    application: AiohttpApplication, receiver: ReceiverHost, loop: SimulationLoop
) -> None:
    """Let the receiver see what goes to and comes from an application's own server."""
    server = application.runner.server
    assert server is not None
    handle = server.request_handler

    async def seen(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        request._payload = _again(request, body, loop)  # noqa: SLF001 - else the application reads nothing
        said: web.StreamResponse | None = None

        async def act() -> Answer:
            nonlocal said
            try:
                said = await handle(request)
            except web.HTTPException as response:
                said = response
            body = said.body if isinstance(said, web.Response) else None
            return Answer(
                status=said.status,
                headers=tuple(said.headers.items()),
                body=body if isinstance(body, bytes) else b"",
            )

        answer = await receiver.receive(_received(request, body, receiver, loop), act=act)
        if said is None or answer.status != said.status:
            said = web.Response(
                status=answer.status, headers=CIMultiDict(answer.headers), body=answer.body
            )
        return await _respond(request, answer, said)

    server.request_handler = seen


def _again(request: web.BaseRequest, body: bytes, loop: SimulationLoop) -> StreamReader:
    reader = StreamReader(request.protocol, len(body) + 1, loop=loop)
    reader.feed_data(body)
    reader.feed_eof()
    return reader


def _received(
    request: web.BaseRequest, body: bytes, receiver: ReceiverHost, loop: SimulationLoop
) -> ReceivedRequest:
    return ReceivedRequest(
        at_s=loop.time(),
        host=receiver.name,
        path=request.path_qs,
        headers=tuple(request.headers.items()),
        body=body,
        method=request.method,
    )


async def _respond(
    request: web.BaseRequest, answer: Answer, made: web.StreamResponse
) -> web.StreamResponse:
    """Do to an answer what is its fate; return what is to be sent."""
    transport = request.transport
    if answer.delay_s:
        await asyncio.sleep(answer.delay_s)
    if transport is not None:
        match answer.fate:
            case Fate.LOST:
                transport.abort()
            case Fate.NEVER:
                await _for_ever()
            case Fate.FLOODED:
                transport.write(_INTERIM)
            case Fate.DRIP:
                await _drip(transport, answer)
            case Fate.SENT:
                pass
    return made


async def _for_ever() -> None:
    """Wait as a process does that hangs: until it dies, and not until nobody remembers it."""
    never = asyncio.get_running_loop().create_future()
    life = LIFE.get()
    assert life is not None
    life.belongings.append(never)
    await never


def slow_head(answer: Answer) -> bytes:
    """Return the head of an answer that is sent a byte a second."""
    length = ("Content-Length", str(len(answer.body)))
    headers = "".join(f"{name}: {value}\r\n" for name, value in (*answer.headers, length))
    return f"HTTP/1.1 {answer.status} Slow\r\n{headers}\r\n".encode()


async def _drip(transport: asyncio.WriteTransport, answer: Answer) -> None:
    for byte in slow_head(answer) + answer.body:
        if transport.is_closing():
            return
        transport.write(bytes([byte]))
        await asyncio.sleep(1)
    transport.close()
