"""A receiver on the machine's clock and loopback."""

import asyncio
import contextlib
import socket
import threading
from typing import Self

from aiohttp import web

from sluicegate.clock import SystemClock
from sluicegate.simulation.receivers import Fate
from sluicegate.testing.deliveries import WebhookReceiver

__all__ = ["RealReceiver"]

_BODY_BYTES_MAX = 64 << 20
_LET_GO_S = 0.01
"""How long a request may still be answered when the receiver closes; 0 would mean for ever."""
_ACCEPTING_TURNS = 5
"""Of the loop; asyncio takes three."""


class RealReceiver(WebhookReceiver):
    """A `WebhookReceiver` on loopback, on a thread of its own. Close it, or use it in a `with`."""

    def __init__(self) -> None:
        """Listen on a port that is free.

        Raises:
            OSError: there is none.
        """
        super().__init__()
        self._clock = SystemClock()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/hook"
        self._thread = threading.Thread(target=self._run, name="webhook-receiver", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Receive nothing more; what hangs is let go. Twice is fine."""
        with contextlib.suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    # -- on the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        app = web.Application(client_max_size=_BODY_BYTES_MAX)
        app.router.add_post("/{path:.*}", self._answer)
        # A request whose sender has given up is let go, or hanging ones would gather.
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_LET_GO_S
        )
        await runner.setup()
        try:
            await web.SockSite(runner, self._listener).start()
            await self._closing.wait()
            # Accept no more, and finish what is being accepted: asyncio forgets a connection that
            # is on its way to a server when that closes, and would warn of it.
            self._loop.remove_reader(self._listener)
            for _ in range(_ACCEPTING_TURNS):
                await asyncio.sleep(0)
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        answer = self.take(
            request.headers.items(),
            await request.read(),
            path=request.path,
            now_s=self._clock.wall_ms() / 1000,
        )
        if answer.fate is Fate.NEVER:
            await asyncio.Event().wait()  # until either end gives up
        await asyncio.sleep(answer.delay_s)
        response = web.Response(status=answer.status, body=answer.body)
        for name, value in answer.headers:
            response.headers.add(name, value)
        return response
