"""Strangers cannot hold on to connections."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from .harness import WAIT_S, running_api

HALF = b"GET /healthz HTTP/1.1\r\nHost: a\r\nA"
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


class Stranger:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self) -> bytes:
        """Send a request and return the first line of the answer."""
        self._writer.write(WHOLE)
        async with asyncio.timeout(WAIT_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            await self._reader.readuntil(b"}}")
        return head.split(b"\r\n")[0]

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


async def test_the_head_of_a_request_must_arrive_in_time(tmp_path: Path) -> None:
    """Of the first request and of later ones; a connection that is merely idle stays."""
    async with (
        running_api(tmp_path, head_s=0.2) as api,
        stranger(api.port) as idle,
        stranger(api.port) as first,
        stranger(api.port) as later,
        stranger(api.port) as silent,
    ):
        assert b"200" in await idle.ask()
        first.begin()
        assert b"200" in await later.ask()
        later.begin()
        await first.is_closed()
        await later.is_closed()
        await silent.is_closed()
        assert b"200" in await idle.ask()


async def test_beyond_the_limit_who_never_asked_goes_first(tmp_path: Path) -> None:
    """Then who is idle longest; a new client always gets in."""
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(running_api(tmp_path, connections_max=3))
        await api.session.close()
        first = await stack.enter_async_context(stranger(api.port))
        second = await stack.enter_async_context(stranger(api.port))
        assert b"200" in await first.ask()
        assert b"200" in await second.ask()
        half = await stack.enter_async_context(stranger(api.port))
        half.begin()
        third = await stack.enter_async_context(stranger(api.port))
        assert b"200" in await third.ask()
        await half.is_closed()
        fourth = await stack.enter_async_context(stranger(api.port))
        assert b"200" in await fourth.ask()
        await first.is_closed()
        assert b"200" in await second.ask()
