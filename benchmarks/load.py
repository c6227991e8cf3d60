"""The load generator: posts messages over keep-alive connections.

`closed`: so many connections, each posts its next message when the last was answered: as fast as
the other side takes them. `open`: one message after the other at a fixed rate, whatever the other
side does; a message waits for a free connection, and its waiting counts.

It speaks only as much HTTP as it needs, so that it is never what is measured.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import cast

from figures import percentiles
from wire import STOP, Job, content_length, payload, serve_jobs, work

_ACCEPTED = b"202"
_SLOT_REFUSED = b'"error":'
"""In the answer to a batch, once for each message that was not accepted."""


class Requests:
    """Makes the requests, one endpoint after the other."""

    def __init__(self, job: Job) -> None:
        self._next: int = job["first"]
        self._left: int = job["count"]
        self._payload_bytes: int = job["payload_bytes"]
        self._batch: int = job.get("batch", 1)
        self._openings: list[bytes] = [text.encode() for text in job["openings"]]
        self._closing: bytes = job["closing"].encode()
        lines = [
            f"POST {job['path']} HTTP/1.1",
            f"Host: 127.0.0.1:{job['port']}",
            "Content-Type: application/json",
            *job["headers"],
            "Content-Length: ",
        ]
        self._head = "\r\n".join(lines).encode()

    @property
    def left(self) -> bool:
        """Whether there are more messages."""
        return self._left > 0

    def stop(self) -> None:
        """Make no more."""
        self._left = 0

    def make(self) -> tuple[bytes, int]:
        """Return the next request, its payloads stamped with this moment; how many they are."""
        count = min(self._batch, self._left)
        self._left -= count
        if self._batch == 1:
            body = self._message()
        else:
            body = b'{"messages":[%s]}' % b",".join(self._message() for _ in range(count))
        return b"%s%d\r\n\r\n%s" % (self._head, len(body), body), count

    def _message(self) -> bytes:
        number = self._next
        self._next += 1
        opening = self._openings[number % len(self._openings)]
        return opening + payload(number, self._payload_bytes) + self._closing


class Connection(asyncio.Protocol):
    """One connection; says when it has been answered."""

    def __init__(self, answered: Callable[["Connection", int, bytes], None]) -> None:
        self._answered = answered
        self._messages = 0
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def post(self, request: bytes, messages: int) -> None:
        """Send a request with so many messages; the last one has been answered."""
        assert self._transport is not None
        self._messages = messages
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Pass on the answer when it is complete."""
        buffer = self._buffer + data if self._buffer else data
        split = buffer.find(b"\r\n\r\n")
        if split < 0 or len(buffer) < split + 4 + content_length(buffer[:split]):
            self._buffer = buffer
            return
        self._buffer = b""
        self._end(buffer)

    def connection_lost(self, exc: Exception | None) -> None:
        """A request that was not answered counts as refused."""
        del exc
        if self._messages:
            self._end(b"connection lost")

    def _end(self, answer: bytes) -> None:
        messages, self._messages = self._messages, 0
        self._answered(self, messages, answer)

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()

    @property
    def lost(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport is None or self._transport.is_closing()


class Run:
    """One job, from its first message to its last answer."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._requests = Requests(job)
        self._unanswered = 0
        self._sent = 0
        self._wanted: int = job["count"]
        self._free: deque[Connection] = deque()
        self._late_ns: deque[int] = deque()
        self._late_ms: list[float] = []
        self._accepted = 0
        self._refused: str | None = None
        self._done = asyncio.Event()
        self._open = job["do"] == "open"
        self._alive = job["connections"]

    async def run(self) -> Job:
        """Post every message, until it is told to stop; return what was answered."""
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(
                lambda: Connection(self._answered), "127.0.0.1", self._job["port"]
            )
            for _ in range(self._job["connections"])
        ]
        connections = [connection for _, connection in made]
        self._free.extend(connections)
        started_ns = time.monotonic_ns()
        if self._open:
            await self._pace(started_ns)
        else:
            self._post_free()
        await self._done.wait()
        for connection in connections:
            connection.close()
        return {
            "wanted": self._wanted,
            "accepted": self._accepted,
            "example": self._refused,
            "started_ns": started_ns,
            "ended_ns": time.monotonic_ns(),
            "late_ms": percentiles(self._late_ms),
        }

    def stop(self) -> None:
        """Post no more: what was posted until now is all that was wanted."""
        self._requests.stop()
        self._wanted = self._sent
        self._end_if_done()

    async def _pace(self, started_ns: int) -> None:
        gap_ns = 1e9 / self._job["rate"]
        for number in range(self._job["count"]):
            due_ns = started_ns + int(number * gap_ns)
            wait_s = (due_ns - time.monotonic_ns()) / 1e9
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if not self._requests.left:
                return
            self._late_ns.append(due_ns)
            self._post_late()

    def _post_free(self) -> None:
        while self._free and self._requests.left:
            self._post()

    def _post_late(self) -> None:
        while self._free and self._late_ns and self._requests.left:
            due_ns = self._late_ns.popleft()
            self._late_ms.append((time.monotonic_ns() - due_ns) / 1e6)
            self._post()

    def _post(self) -> None:
        request, messages = self._requests.make()
        self._sent += messages
        self._unanswered += messages
        self._free.popleft().post(request, messages)

    def _answered(self, connection: Connection, messages: int, answer: bytes) -> None:
        refused = messages
        if answer[9:12] == _ACCEPTED:
            refused = answer.count(_SLOT_REFUSED) if messages > 1 else 0
        if refused:
            self._refused = answer[:400].decode("latin-1")
        self._accepted += messages - refused
        self._unanswered -= messages
        if connection.lost:
            self._alive -= 1
        else:
            self._free.append(connection)
        if self._open:
            self._post_late()
        else:
            self._post_free()
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._alive == 0 or (self._unanswered == 0 and not self._requests.left):
            self._done.set()


class Desk:
    """Runs one job after the other; a signal stops the one that runs."""

    def __init__(self) -> None:
        self._run: Run | None = None

    async def answer(self, job: Job) -> Job:
        """Run a job."""
        self._run = Run(job)
        try:
            return await self._run.run()
        finally:
            self._run = None

    def stop(self) -> None:
        """Stop the job, if there is one."""
        if self._run is not None:
            self._run.stop()


async def main() -> None:
    """Run jobs until standard input ends."""
    desk = Desk()
    asyncio.get_running_loop().add_signal_handler(STOP, desk.stop)
    await serve_jobs({}, desk.answer)


if __name__ == "__main__":
    work(main())
