"""The engine on the machine's clock and loopback: for tests of asynchronous programs, or of all."""

import asyncio
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from sluicegate.clock import SystemClock
from sluicegate.embedding import SyncEngine
from sluicegate.engine.model import Accepted, CreatedEndpoint, LogEntry, Message
from sluicegate.engine.settings import Settings
from sluicegate.simulation.engine_settings import changed_settings
from sluicegate.simulation.receivers import Fate
from sluicegate.simulation.settling import UNFINISHED
from sluicegate.testing.deliveries import WebhookReceiver
from sluicegate.testing.undelivered import undelivered

__all__ = ["AsyncRealEngine", "RealEngine", "RealReceiver"]

_BODY_BYTES_MAX = 64 << 20
_PAGE = 500
_LOOK_FIRST_S = 0.002
_LOOK_LAST_S = 0.1

_P = ParamSpec("_P")
_R = TypeVar("_R")


class RealReceiver(WebhookReceiver):
    """A `WebhookReceiver` on loopback, with threads of its own. Close it, or use it in a `with`."""

    def __init__(self) -> None:
        """Listen on a port that is free."""
        super().__init__()
        self._closed = threading.Event()
        self._clock = SystemClock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.01},
            name="webhook-receiver",
            daemon=True,
        )
        self._thread.start()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Receive nothing more; what hangs is let go. Twice is fine."""
        self._closed.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._answer(self)

            def log_message(self, *_: object) -> None:
                """Keep still."""

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        length = request.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal() and int(length) <= _BODY_BYTES_MAX):
            request.send_error(411)
            return
        body = request.rfile.read(int(length))
        now_s = self._clock.wall_ms() / 1000
        answer = self.take(request.headers.items(), body, now_s=now_s)
        if answer.fate is Fate.NEVER:
            self._closed.wait()
            request.close_connection = True
            return
        if answer.delay_s:
            self._closed.wait(answer.delay_s)
        request.send_response(answer.status)
        for name, value in answer.headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(answer.body)))
        request.end_headers()
        request.wfile.write(answer.body)


class RealEngine(SyncEngine):
    """A `SyncEngine` for tests: retries follow at once, and it delivers to this machine."""

    def __init__(self, folder: Path, **settings: object) -> None:
        """Take what it needs; the first call opens it.

        Args:
            folder: where its file is, a temporary one.
            settings: see `sluicegate.engine.settings.Settings`; without them retries follow after
                10 ms, and closing waits for nothing.

        Raises:
            SettingError: there is no such setting, or a value is not allowed.
        """
        by_default = Settings(
            database=str(folder / "webhooks.db"),
            dev=True,
            drain_s=0,
            metrics=False,
            retry_slow_s=(0.01,),
            retry_fast_s=(0.01,),
        )
        super().__init__(changed_settings(by_default, settings))

    def create_endpoint(self, url: "WebhookReceiver | str", **config: object) -> CreatedEndpoint:
        """Create an endpoint; a receiver trusts its secret.

        Args:
            url: the receiver, or a URL.
            config: as for `Engine.create_endpoint`.
        """
        if isinstance(url, str):
            return super().create_endpoint(url, **config)
        created = super().create_endpoint(url.url, **config)
        url.trust(created.signing_secret)
        return created

    def drain(self, timeout_s: float = 10.0) -> None:
        """Wait until nothing is left to deliver but what a pause holds. Blocks.

        Args:
            timeout_s: how long, in seconds.

        Raises:
            AssertionError: something is left by then.
        """
        __tracebackhide__ = True
        clock, pause = SystemClock(), threading.Event()
        deadline_s, look_s = clock.monotonic_s() + timeout_s, _LOOK_FIRST_S
        while left := self._left():
            if clock.monotonic_s() >= deadline_s:
                raise AssertionError(undelivered(left, timeout_s))
            pause.wait(look_s)
            look_s = min(2 * look_s, _LOOK_LAST_S)

    def _left(self) -> list[LogEntry]:
        """Return what is to be delivered.

        Read without a filter: between the reads of two statuses a message could change from one
        to the other, and be in neither.
        """
        left: list[LogEntry] = []
        cursor: str | None = None
        while True:
            page = self.list_logs(limit=_PAGE, cursor=cursor)
            left += [each for each in page.items if each.status in UNFINISHED]
            cursor = page.next_cursor
            if cursor is None:
                return left


class AsyncRealEngine:
    """A `RealEngine` for tests that are coroutines, on asyncio: its calls are awaited.

    The engine runs on a thread and a loop of its own, so it does not matter whose loop the test
    has, nor which plugin runs it.

    Attributes:
        blocking: the engine, for calls that are not here, by `asyncio.to_thread`.
    """

    def __init__(self, blocking: RealEngine) -> None:
        """Take the engine."""
        self.blocking = blocking

    async def create_endpoint(
        self, to: "WebhookReceiver | str", **config: object
    ) -> CreatedEndpoint:
        """Create an endpoint; a receiver trusts its secret."""
        return await _within(self.blocking.create_endpoint, to, **config)

    async def send(
        self, endpoint_id: str, payload: object, *, idempotency_key: str | None = None
    ) -> Accepted:
        """Send a payload; return when it is durable."""
        return await _within(
            self.blocking.send, endpoint_id, payload, idempotency_key=idempotency_key
        )

    async def pause(self, endpoint_id: str) -> None:
        """Pause an endpoint."""
        await _within(self.blocking.pause, endpoint_id)

    async def resume(self, endpoint_id: str) -> int:
        """Resume an endpoint; return how many messages were held."""
        return await _within(self.blocking.resume, endpoint_id)

    async def replay(self, message_id: str) -> None:
        """Begin a new cycle of attempts for a message that has ended."""
        await _within(self.blocking.replay, message_id)

    async def get_message(self, message_id: str) -> Message:
        """Return a message as it stands."""
        return await _within(self.blocking.get_message, message_id)

    async def drain(self, timeout_s: float = 10.0) -> None:
        """Wait until nothing is left to deliver: see `RealEngine.drain`."""
        __tracebackhide__ = True
        await _within(self.blocking.drain, timeout_s)


async def _within(call: Callable[_P, _R], *args: _P.args, **named: _P.kwargs) -> _R:
    return await asyncio.to_thread(call, *args, **named)
