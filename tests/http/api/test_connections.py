"""Strangers cannot hold on to connections."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.pacing.held import HeldLine, held_sends

from sluicegate.clock import SystemRandom
from sluicegate.http.server import create_runner
from sluicegate.turns.pacer import Pacer

from .harness import WAIT_S, Answer, running_api

HALF = b"GET /healthz HTTP/1.1\r\nHost: a\r\nA"
ASKED = {
    "aiohttp answers": b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "we answer": b"POST /v1/webhooks/send HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
}
"""What a connection asks, by who answers: see `whole_requests`."""


class Stranger:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: bytes) -> None:
        """Send a request and wait for the answer, whatever it says."""
        self._writer.write(request)
        async with asyncio.timeout(WAIT_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            assert length is not None, head
            await self._reader.readexactly(int(length[1]))

    def begin(self) -> None:
        """Send half of a head."""
        self._writer.write(HALF)

    async def is_closed(self) -> None:
        """Wait until the server closes the connection without a word."""
        async with asyncio.timeout(WAIT_S):
            with contextlib.suppress(ConnectionError):
                assert await self._reader.read() == b""


@contextlib.asynccontextmanager
async def stranger(port: int) -> AsyncIterator[Stranger]:
    """Connect while the context lasts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Stranger(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
async def test_the_head_of_a_request_must_arrive_in_time(tmp_path: Path, asked: bytes) -> None:
    """Of the first request and of later ones; a connection that is merely idle stays."""
    async with (
        running_api(tmp_path, head_s=2) as api,
        stranger(api.port) as idle,
        stranger(api.port) as first,
        stranger(api.port) as later,
        stranger(api.port) as silent,
    ):
        await idle.ask(asked)
        first.begin()
        await later.ask(asked)
        later.begin()
        await first.is_closed()
        await later.is_closed()
        await silent.is_closed()
        await idle.ask(asked)


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
async def test_beyond_the_limit_who_never_asked_goes_first(tmp_path: Path, asked: bytes) -> None:
    """Then who is idle longest; a new client always gets in."""
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(running_api(tmp_path, connections_max=3))
        await api.session.close()
        first = await stack.enter_async_context(stranger(api.port))
        second = await stack.enter_async_context(stranger(api.port))
        await first.ask(asked)
        await second.ask(asked)
        half = await stack.enter_async_context(stranger(api.port))
        half.begin()
        third = await stack.enter_async_context(stranger(api.port))
        await third.ask(asked)
        await half.is_closed()
        fourth = await stack.enter_async_context(stranger(api.port))
        await fourth.ask(asked)
        await first.is_closed()
        await second.ask(asked)


async def is_done(send: "asyncio.Future[Answer]", line: HeldLine) -> Answer:
    """Let the line move until a send is answered."""
    async with asyncio.timeout(WAIT_S):
        while not send.done():
            line.move()
            await asyncio.sleep(0)
        return await send


async def test_a_command_goes_past_the_sends_that_wait_in_line(tmp_path: Path) -> None:
    """It is answered whatever they do; and they, when their turn has come."""
    pacer, line = held_sends()
    async with running_api(tmp_path, pacer=pacer) as api:
        endpoint = await api.endpoint(paused=False)
        send = asyncio.ensure_future(api.send(endpoint_id=endpoint, payload=1))
        await asyncio.wait_for(line.arrived.wait(), WAIT_S)
        (await api.post(f"/v1/endpoints/{endpoint}/pause")).data  # noqa: B018 - checks it
        assert len(line.pieces) == 1
        assert (await is_done(send, line)).status == 202


async def test_turns_are_short_for_a_command_and_not_for_a_stranger(tmp_path: Path) -> None:
    """Until its owner has answered; nor are they for a send, or a command that is refused."""
    told: list[str] = []

    class Told(Pacer):
        def begin_haste(self) -> None:
            super().begin_haste()
            told.append("begin")

        def end_haste(self) -> None:
            super().end_haste()
            told.append("end")

    async with running_api(tmp_path, pacer=Told()) as api:
        endpoint = await api.endpoint(paused=False)
        told.clear()
        await api.send(endpoint_id=endpoint, payload=1)
        stranger = {"Authorization": "Bearer " + "x" * 40}
        refused = await api.post(f"/v1/endpoints/{endpoint}/pause", headers=stranger)
        assert refused.status == 401
        assert told == []
        await api.post(f"/v1/endpoints/{endpoint}/pause")
        assert told == ["begin", "end"]


async def test_a_send_that_waits_in_line_at_the_end_is_answered(tmp_path: Path) -> None:
    """As one is whose turn had come: it was taken."""
    pacer, line = held_sends()
    async with running_api(tmp_path, pacer=pacer) as api:
        endpoint = await api.endpoint()
        send = asyncio.ensure_future(api.send(endpoint_id=endpoint, payload=1))
        await asyncio.wait_for(line.arrived.wait(), WAIT_S)
        ending = asyncio.ensure_future(api.runner.cleanup())
        await asyncio.sleep(0.05)  # it has told every connection
        assert (await is_done(send, line)).status == 202
        await ending


@pytest.mark.parametrize("turns", range(4))
async def test_a_connection_that_is_just_made_does_not_hold_up_the_end(turns: int) -> None:
    """It asks nothing, so nothing is waited for, in whatever turn of the loop it came."""
    runner = create_runner(web.Application(), random=SystemRandom(), shutdown_timeout_s=3600)
    await runner.setup()
    assert runner.server is not None
    ours, theirs = socket.socketpair()
    with theirs:
        loop = asyncio.get_running_loop()
        making = asyncio.create_task(loop.connect_accepted_socket(runner.server, ours))
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(WAIT_S):
            await runner.cleanup()
        (await making)[0].abort()
