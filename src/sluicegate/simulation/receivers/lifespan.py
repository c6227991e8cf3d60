"""The lifespan of an ASGI application: its startup and its shutdown."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["ASGI", "App", "Lifespan", "Message", "Receive", "Send"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

ASGI = {"version": "3.0", "spec_version": "2.3"}
"""What is spoken, as scopes tell it."""


class Lifespan:
    """Speaks the lifespan protocol with one application."""

    def __init__(self, state: dict[str, Any], failed: Callable[[BaseException], None]) -> None:
        """Begin before its startup.

        Args:
            state: what the application leaves there, its requests get.
            failed: hears of an exception between startup and shutdown.
        """
        self._state = state
        self._failed = failed
        self._started: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._begun = False

    async def live(self, app: App) -> None:
        """Call the application, for as long as it lives."""
        scope = {"type": "lifespan", "asgi": ASGI, "state": self._state}
        try:
            await app(scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - the specification: it has no lifespan then
            if self._started.done():
                self._failed(error)
        finally:
            self._stopped.set()
            self._start(None)

    async def startup(self) -> None:
        """Wait until it has started.

        Raises:
            RuntimeError: it says that its startup failed.
        """
        failure = await self._started
        if failure is not None:
            raise RuntimeError(f"the application did not start: {failure}")

    async def shutdown(self) -> None:
        """Ask it to end, and wait until it has."""
        self._stopping.set()
        await self._stopped.wait()

    async def _receive(self) -> Message:
        if not self._begun:
            self._begun = True
            return {"type": "lifespan.startup"}
        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "lifespan.startup.failed":
                self._start(message.get("message") or "its startup failed")
            case "lifespan.startup.complete":
                self._start(None)
            case _:
                self._stopped.set()

    def _start(self, failure: str | None) -> None:
        if not self._started.done():
            self._started.set_result(failure)
