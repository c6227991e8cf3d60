"""A receiver behind real HTTP: aiohttp's own server speaks for it."""

import asyncio

from aiohttp import web

from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.receivers.exchange import Answer, Fate, ReceivedRequest
from sluicegate.simulation.receivers.host import ReceiverHost

__all__ = ["HTTP_PORT", "TLS_PORT", "serve_receiver"]

TLS_PORT = 443
HTTP_PORT = 80
_INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n" * 100


async def serve_receiver(receiver: ReceiverHost, loop: SimulationLoop) -> None:
    """Listen for a receiver, within its life, on the ports of https and http."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        received = ReceivedRequest(
            at_s=loop.time(),
            host=receiver.name,
            path=request.path_qs,
            headers=tuple(request.headers.items()),
            body=await request.read(),
        )
        return await _respond(request, await receiver.receive(received))

    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    for port in (TLS_PORT, HTTP_PORT):
        await web.TCPSite(runner, receiver.name, port).start()


async def _respond(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    transport = request.transport
    if answer.delay_s:
        await asyncio.sleep(answer.delay_s)
    if transport is not None:
        match answer.fate:
            case Fate.LOST:
                transport.abort()
            case Fate.NEVER:
                await asyncio.Event().wait()
            case Fate.FLOODED:
                transport.write(_INTERIM)
            case Fate.DRIP:
                await _drip(transport, answer)
            case Fate.SENT:
                pass
    return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)


async def _drip(transport: asyncio.WriteTransport, answer: Answer) -> None:
    head = f"HTTP/1.1 {answer.status} Slow\r\nContent-Length: {len(answer.body)}\r\n\r\n"
    for byte in head.encode() + answer.body:
        if transport.is_closing():
            return
        transport.write(bytes([byte]))
        await asyncio.sleep(1)
    transport.close()
