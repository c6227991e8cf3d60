"""The floor: what the promise alone costs in this language, with the libraries that we use.

It takes a POST, stores the body in SQLite (WAL, synchronous=FULL) with everything else that waits,
answers 202 when that is committed, signs the body, posts it to the sink over connections that are
kept, and stores the result with the next commit. It does this as directly as can be: asyncio
protocols, httptools, one thread that writes. There are no keys, no endpoints, no retries, no
pauses, no order, no log, no counters, no limits, and nothing is taken up again after a crash: it
is no product, but the nearest thing to a physical limit that can be measured.

    python benchmarks/floor.py DATABASE TARGET_URL
"""

import asyncio
import base64
import hashlib
import hmac
import queue
import sqlite3
import sys
import threading
import time
import uuid
from collections import deque
from urllib.parse import urlsplit

import httptools
import msgspec
from wire import serve_jobs, work

from sluicegate.storage.rows_together import RowsTogether

_CONNECTIONS = 64
_PATIENCE_S = 0.005
_SECRET = b"0123456789abcdef0123456789abcdef"
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
_TABLES = """
CREATE TABLE messages (seq INTEGER PRIMARY KEY, id BLOB, at_ms INTEGER, body BLOB);
CREATE TABLE attempts (no INTEGER PRIMARY KEY, seq INTEGER, status INTEGER, at_ms INTEGER)
"""
_ADD_MESSAGES = RowsTogether("INSERT INTO messages (seq, id, at_ms, body) VALUES", columns=4)
_ADD_ATTEMPTS = RowsTogether("INSERT INTO attempts (seq, status, at_ms) VALUES", columns=3)

_Message = tuple[int, bytes, int, bytes]
_Result = tuple[int, int, int]


class Floor:
    """Stores, answers and posts. Lives on one loop, and has one thread that writes."""

    def __init__(self, database: str, target: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._database = database
        parts = urlsplit(target)
        assert parts.hostname is not None
        assert parts.port is not None
        self._address = (parts.hostname, parts.port)
        self._head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            "Content-Type: application/json\r\n"
        ).encode()
        self._next_seq = 1
        self._accepted: list[tuple[_Message, Producer]] = []
        self._results: list[_Result] = []
        self._unsent: deque[_Message] = deque()
        self._idle: list[Receiver] = []
        self._connections = 0
        self._committing = False
        self._patience: asyncio.TimerHandle | None = None
        self._batches: queue.SimpleQueue[tuple[list[_Message], list[_Result]] | None]
        self._batches = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="writer")
        self._writer.start()

    def take(self, body: bytes, producer: "Producer") -> None:
        """Take a message; its producer is answered when it is durable."""
        msgspec.json.decode(body)
        row = (self._next_seq, uuid.uuid4().bytes, time.time_ns() // 1_000_000, body)
        self._next_seq += 1
        self._accepted.append((row, producer))
        self._commit_soon()

    def _commit_soon(self) -> None:
        if not self._committing:
            self._committing = True
            self._loop.call_soon(self._commit)

    def _commit(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        accepted, self._accepted = self._accepted, []
        results, self._results = self._results, []
        self._waiting = accepted
        self._batches.put(([row for row, _ in accepted], results))

    def _committed(self) -> None:
        for row, producer in self._waiting:
            producer.answer()
            self._post(row)
        self._committing = False
        if self._accepted:
            self._commit_soon()
        elif self._results:
            self._be_patient()

    def _post(self, row: _Message) -> None:
        if self._idle:
            self._idle.pop().post(row, self._head, self._signed(row))
            return
        self._unsent.append(row)
        if self._connections < _CONNECTIONS:
            self._connections += 1
            self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        _, receiver = await self._loop.create_connection(lambda: Receiver(self), *self._address)
        self.free(receiver)

    def free(self, receiver: "Receiver") -> None:
        """Give a connection that is free the next message, or lay it aside."""
        if self._unsent:
            row = self._unsent.popleft()
            receiver.post(row, self._head, self._signed(row))
        else:
            self._idle.append(receiver)

    def _signed(self, row: _Message) -> bytes:
        _, id_, at_ms, body = row
        name, moment = id_.hex(), at_ms // 1000
        content = b"%b.%d.%b" % (name.encode(), moment, body)
        signature = base64.b64encode(hmac.digest(_SECRET, content, hashlib.sha256)).decode()
        return (
            f"webhook-id: {name}\r\nwebhook-timestamp: {moment}\r\n"
            f"webhook-signature: v1,{signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()

    def ended(self, seq: int, status: int) -> None:
        """Store a result, with the next commit or in a moment."""
        self._results.append((seq, status, time.time_ns() // 1_000_000))
        if not self._committing:
            self._be_patient()

    def _be_patient(self) -> None:
        if self._patience is None:
            self._patience = self._loop.call_later(_PATIENCE_S, self._commit_soon)

    def close(self) -> None:
        """End the thread, when what was given to it is written."""
        self._batches.put(None)
        self._writer.join()

    def _write(self) -> None:
        db = sqlite3.connect(self._database, isolation_level=None, cached_statements=256)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.executescript(_TABLES)
        while (batch := self._batches.get()) is not None:
            messages, results = batch
            db.execute("BEGIN IMMEDIATE")
            _ADD_MESSAGES.execute(db, messages)
            _ADD_ATTEMPTS.execute(db, results)
            db.execute("COMMIT")
            self._loop.call_soon_threadsafe(self._committed)
        db.close()


class Producer(asyncio.Protocol):
    """A connection on which messages come, one at a time."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # it is one

    def data_received(self, data: bytes) -> None:
        """Read."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Hand the message over."""
        body, self._body = self._body, b""
        self._floor.take(body, self)

    def answer(self) -> None:
        """Say that the message is durable."""
        self._transport.write(_ACCEPTED)


class Receiver(asyncio.Protocol):
    """A connection to the sink."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._seq = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # it is one

    def post(self, row: _Message, head: bytes, signed: bytes) -> None:
        """Post a message; the connection is free again when it is answered."""
        self._seq = row[0]
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(b"".join((head, signed, row[3])))

    def data_received(self, data: bytes) -> None:
        """Read."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Tell the result."""
        self._floor.ended(self._seq, self._parser.get_status_code())
        self._floor.free(self)


async def main() -> None:
    """Take messages until standard input ends."""
    floor = Floor(*sys.argv[1:])
    try:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Producer(floor), "127.0.0.1", 0, backlog=1024)
        await serve_jobs({"port": server.sockets[0].getsockname()[1]}, _no_job)
        server.close()
    finally:
        floor.close()


async def _no_job(_: object) -> dict[str, object]:
    return {}


if __name__ == "__main__":
    work(main())
