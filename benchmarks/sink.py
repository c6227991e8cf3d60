"""The receiver: answers 200 at once, and takes down which messages came, when and how often.

It speaks only as much HTTP as it needs, so that it is never what is measured.
"""

import asyncio
import time
from typing import cast

from figures import percentiles
from wire import (
    PAYLOAD_OPENING,
    Job,
    content_length,
    number_of,
    sent_at_ns,
    serve_jobs,
    work,
)

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Book:
    """What arrived of the messages numbered from `first`, `count` of them, of one length."""

    def __init__(self, *, first: int, count: int, payload_bytes: int) -> None:
        self._first = first
        self._count = count
        self._payload_bytes = payload_bytes
        self._times = bytearray(count)
        self._took_ns: list[int] = []
        self._everything = asyncio.Event()
        self._duplicates = 0
        self._others = 0
        self._signed = 0
        self._last_ns = 0

    def enter(self, head: bytes, body: bytes) -> None:
        """Take down one request."""
        now_ns = time.monotonic_ns()
        whole = len(body) == self._payload_bytes and body.startswith(PAYLOAD_OPENING)
        at = number_of(body) - self._first if whole else -1
        if not 0 <= at < self._count:
            self._others += 1
            return
        if self._times[at]:
            self._duplicates += 1
            return
        self._times[at] = 1
        self._last_ns = now_ns
        self._took_ns.append(now_ns - sent_at_ns(body))
        self._signed += b"webhook-signature:" in head
        if len(self._took_ns) == self._count:
            self._everything.set()

    async def report(self, *, timeout_s: float) -> Job:
        """Wait for every message, at most so long, and say what came."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._everything.wait()
        except TimeoutError:
            pass  # the counts tell
        return {
            "received": len(self._took_ns),
            "duplicates": self._duplicates,
            "others": self._others,
            "signed": self._signed,
            "last_ns": self._last_ns,
            "ms": percentiles([ns / 1e6 for ns in self._took_ns]),
        }


class Sink(asyncio.Protocol):
    """One connection. Requests have a `Content-Length`, as both senders' have."""

    def __init__(self, desk: "Desk") -> None:
        self._desk = desk
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        buffer = self._buffer + data if self._buffer else data
        while (split := buffer.find(b"\r\n\r\n")) >= 0:
            head = buffer[:split]
            end = split + 4 + content_length(head)
            if len(buffer) < end:
                break
            self._desk.book.enter(head, buffer[split + 4 : end])
            buffer = buffer[end:]
            if self._transport is not None:
                self._transport.write(_ANSWER)
        self._buffer = buffer


class Desk:
    """Holds the open book; a job opens a new one or asks for it."""

    def __init__(self) -> None:
        self.book = Book(first=0, count=0, payload_bytes=0)

    async def answer(self, job: Job) -> Job:
        """`open` a book, or `report` it."""
        if job["do"] == "open":
            self.book = Book(
                first=job["first"], count=job["count"], payload_bytes=job["payload_bytes"]
            )
            return {}
        return await self.book.report(timeout_s=job["timeout_s"])


async def main() -> None:
    """Receive until standard input ends."""
    desk = Desk()
    server = await asyncio.get_running_loop().create_server(
        lambda: Sink(desk), "127.0.0.1", 0, backlog=1024
    )
    async with server:
        await serve_jobs({"port": server.sockets[0].getsockname()[1]}, desk.answer)


if __name__ == "__main__":
    work(main())
