"""`Bodies`: limits of time and memory, on a server of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Literal

import aiohttp
from aiohttp import web

from sluicegate.engine.errors import PayloadTooLargeError, SluicegateError
from sluicegate.http.bodies import Bodies

from .harness import WAIT_S, Api


@contextlib.asynccontextmanager
async def echoing(bodies: Bodies, hold: asyncio.Event) -> AsyncIterator[int]:
    """Serve what `bodies` reads, at most 100 bytes; each body is held until `hold` is set."""

    async def handle(request: web.Request) -> web.Response:
        try:
            async with bodies.of(request, bytes_max=100, too_large=PayloadTooLargeError) as body:
                await hold.wait()
                return web.Response(body=body)
        except SluicegateError as error:
            return web.Response(status=400, text=error.message)
        except TimeoutError:
            return web.Response(status=504)

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_a_body_that_does_not_arrive_is_given_up() -> None:
    """A client that announces a body and stays silent holds a connection, but not for ever."""
    hold = asyncio.Event()
    async with echoing(Bodies(total_bytes_max=1000, read_s=0.05), hold) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nabc")
        async with asyncio.timeout(WAIT_S):
            head = await reader.readuntil(b"\r\n\r\n")
        assert b" 400 " in head
        assert b"not arrive in time" in await reader.read(1000)
        writer.close()
        await writer.wait_closed()


async def test_what_handlers_hold_counts_until_they_are_done() -> None:
    """Bodies of unanswered requests fill the budget; once answered they leave it."""
    hold = asyncio.Event()
    async with (
        echoing(Bodies(total_bytes_max=150), hold) as port,
        aiohttp.ClientSession() as session,
    ):
        url = f"http://127.0.0.1:{port}/"

        async def post(size: int) -> tuple[int, bytes]:
            async with session.post(url, data=b"x" * size) as response:
                return response.status, await response.read()

        held = [asyncio.create_task(post(100)) for _ in range(2)]
        async with asyncio.timeout(WAIT_S):
            await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
            [refused] = [task.result() for task in held if task.done()]
            assert refused == (400, b"too many requests at once, try again")
            hold.set()
            await asyncio.gather(*held)
            for _ in range(3):
                assert await post(100) == (200, b"x" * 100)
            assert await post(101) == (400, b"payload is too large")
            assert await post(100) == (200, b"x" * 100)


async def test_a_timeout_of_the_handler_is_not_taken_for_a_slow_body() -> None:
    """Errors raised while the body is held pass through as they are."""
    hold = asyncio.Event()
    hold.wait = _time_out  # type: ignore[method-assign]  # the only thing that the handler awaits
    async with (
        echoing(Bodies(total_bytes_max=1000), hold) as port,
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}/", data=b"x") as answer,
    ):
        assert (answer.status, await answer.text()) == (504, "")


async def _time_out() -> Literal[True]:
    raise TimeoutError


async def test_every_content_encoding_counts(api: Api) -> None:
    """Also the second of two headers."""
    head, answer = await api.raw(
        _send_head(api.key) + b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n\r\n{}"
    )
    assert b" 400 " in head
    assert answer["error"]["details"] == {"header": "Content-Encoding"}


async def test_strangers_are_not_asked_to_continue(api: Api) -> None:
    """`Expect: 100-continue` gets 100 with a key, and 401 at once without."""
    expecting = b"Expect: 100-continue\r\n\r\n"
    head, answer = await api.raw(_send_head("sg_live_nobody") + expecting)
    assert b" 401 " in head
    assert answer["error"]["code"] == "UNAUTHORIZED"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(_send_head(api.key) + expecting)
    async with asyncio.timeout(WAIT_S):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert b" 400 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


def _send_head(key: str) -> bytes:
    return (
        b"POST /v1/webhooks/send HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
        b"Authorization: Bearer " + key.encode() + b"\r\n"
    )
