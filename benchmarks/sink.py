"""The receiver: answers 200 at once, and takes down which messages came, when and how often.

It listens in the clear and with TLS, each once keeping connections and once closing them after
every answer. It speaks only as much HTTP as it needs, so that it is never what is measured.

    python benchmarks/sink.py CERTIFICATE
"""

import asyncio
import ssl
import sys
import time
from contextlib import AsyncExitStack
from functools import partial
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
_LAST_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Book:
    """What arrived of the messages numbered from `first`, `count` of them, of one length."""

    def __init__(self, *, first: int, count: int, payload_bytes: int) -> None:
        self._first = first
        self._count = count
        self._payload_bytes = payload_bytes
        self._times = bytearray(count)
        self._took_ns: list[int] = []
        self._awaited = count
        self._everything = asyncio.Event()
        self._duplicates = 0
        self._signed = 0
        self._last_ns = 0

    def enter(self, head: bytes, body: bytes, now_ns: int) -> bool:
        """Take down one request, if it is one of the messages."""
        whole = len(body) == self._payload_bytes and body.startswith(PAYLOAD_OPENING)
        at = number_of(body) - self._first if whole else -1
        if not 0 <= at < self._count:
            return False
        if self._times[at]:
            self._duplicates += 1
            return True
        self._times[at] = 1
        self._last_ns = now_ns
        self._took_ns.append(now_ns - sent_at_ns(body))
        self._signed += b"webhook-signature:" in head
        if len(self._took_ns) == self._awaited:
            self._everything.set()
        return True

    async def report(self, *, awaited: int | None, timeout_s: float) -> Job:
        """Wait for so many messages, or all, for at most so long, and say what came."""
        self._awaited = self._count if awaited is None else awaited
        if len(self._took_ns) >= self._awaited:
            self._everything.set()
        try:
            async with asyncio.timeout(timeout_s):
                await self._everything.wait()
        except TimeoutError:
            pass  # the counts tell
        return {
            "received": len(self._took_ns),
            "duplicates": self._duplicates,
            "signed": self._signed,
            "last_ns": self._last_ns,
            "ms": percentiles([ns / 1e6 for ns in self._took_ns]),
        }


class Sink(asyncio.Protocol):
    """One connection. Requests have a `Content-Length`, as all senders' have."""

    def __init__(self, desk: "Desk", *, closing: bool) -> None:
        self._desk = desk
        self._closing = closing
        self._pieces: list[bytes] = []
        self._missing = 0
        """Bytes until there can be a whole request: a long one is not looked at before."""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._pieces.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return
        buffer = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        while (split := buffer.find(b"\r\n\r\n")) >= 0:
            head = buffer[:split]
            end = split + 4 + content_length(head)
            if len(buffer) < end:
                self._missing = end - len(buffer)
                break
            self._desk.enter(head, buffer[split + 4 : end])
            buffer = buffer[end:]
            self._answer()
        self._pieces = [buffer] if buffer else []

    def _answer(self) -> None:
        if self._transport is None:
            return
        if self._closing:
            self._transport.write(_LAST_ANSWER)
            self._transport.close()
        else:
            self._transport.write(_ANSWER)


class Desk:
    """Holds the open books: one of each name. A job opens one or asks for it."""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}
        self._others = 0
        self._first_ns = 0
        self._first = asyncio.Event()

    def enter(self, head: bytes, body: bytes) -> None:
        """Take down one request in the book that it belongs to."""
        now_ns = time.monotonic_ns()
        if not self._first.is_set():
            self._first_ns = now_ns
            self._first.set()
        if not any(book.enter(head, body, now_ns) for book in self._books.values()):
            self._others += 1

    async def answer(self, job: Job) -> Job:
        """Carry out a job.

        `open` a book, or `report` it, with how many requests belonged to none since it was
        opened; `arm`, then tell the moment of the `first` request that came since.
        """
        match job["do"]:
            case "open":
                book = Book(
                    first=job["first"], count=job["count"], payload_bytes=job["payload_bytes"]
                )
                # The newest comes first: parts that are over had messages of the same numbers.
                self._books.pop(job["book"], None)
                self._books = {job["book"]: book, **self._books}
                self._others = 0
                return {}
            case "report":
                report = await self._books[job["book"]].report(
                    awaited=job.get("awaited"), timeout_s=job["timeout_s"]
                )
                return report | {"others": self._others}
            case "arm":
                self._first.clear()
                return {}
            case _:
                async with asyncio.timeout(job["timeout_s"]):
                    await self._first.wait()
                return {"first_ns": self._first_ns}


async def main() -> None:
    """Receive until standard input ends."""
    desk = Desk()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(sys.argv[1])
    urls = {}
    async with AsyncExitStack() as stack:
        for scheme, context in (("http", None), ("https", tls)):
            for closing in (False, True):
                server = await asyncio.get_running_loop().create_server(
                    partial(Sink, desk, closing=closing), "127.0.0.1", 0, backlog=1024, ssl=context
                )
                await stack.enter_async_context(server)
                port = server.sockets[0].getsockname()[1]
                urls[f"{scheme} closing" if closing else scheme] = (
                    f"{scheme}://127.0.0.1:{port}/hook"
                )
        await serve_jobs({"urls": urls}, desk.answer)


if __name__ == "__main__":
    work(main())
