"""An aiohttp application on a receiver, served by aiohttp's own runner."""

import asyncio

from aiohttp import web

from sluicegate.simulation.receivers.exchange import Answer, ReceivedRequest

__all__ = ["AiohttpApplication"]


class AiohttpApplication:
    """An application with its runner. Implements `Application`, but for values: it needs HTTP."""

    def __init__(self, app: object) -> None:
        """Take an application.

        Raises:
            TypeError: it is not one of aiohttp's.
        """
        if not isinstance(app, web.Application):
            raise TypeError(f"aiohttp_app: an `aiohttp.web.Application` is expected, not {app!r}")
        self.runner = web.AppRunner(app, access_log=None)

    async def start(self) -> None:
        """Run its `on_startup`."""
        await self.runner.setup()

    async def stop(self) -> None:
        """Run its `on_shutdown` and `on_cleanup`."""
        await self.runner.cleanup()

    async def respond(self, request: ReceivedRequest, gone: asyncio.Event) -> Answer:
        """Refuse: requests come to it through its runner.

        Raises:
            RuntimeError: always.
        """
        del request, gone
        raise RuntimeError("an aiohttp application needs HTTP: not `direct`")
