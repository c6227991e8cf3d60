"""The demo's receiver: what somebody who takes webhooks would write, and a note of each arrival."""

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping

import msgspec
from aiohttp import web

__all__ = ["Arrival", "Receiver", "is_signed_by"]


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One request that came in."""

    at_s: float
    """On the loop's clock."""
    message_id: str
    number: int
    """What the sender counted it as, from the payload."""
    is_signed: bool


class Receiver:
    """Answers 200 to every delivery and keeps what a check needs to know of it.

    Attributes:
        arrivals: in the order in which they came.
        secret: the endpoint's signing secret; to be set before the first delivery.
    """

    def __init__(self) -> None:
        """Begin with nothing received."""
        self.arrivals: list[Arrival] = []
        self.secret = ""

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listen on a free loopback port while the context lasts; gives the URL."""
        app = web.Application()
        app.router.add_post("/hook", self._receive)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        finally:
            await runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        at_s = asyncio.get_running_loop().time()
        body = await request.read()
        self.arrivals.append(
            Arrival(
                at_s=at_s,
                message_id=request.headers.get("webhook-id", ""),
                number=json.loads(body)["number"],
                is_signed=is_signed_by(self.secret, request.headers, body),
            )
        )
        return web.Response(text="thank you")


def is_signed_by(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Verify a delivery as a receiver does: HMAC-SHA256 over timestamp, dot and raw body."""
    signed = headers.get("X-Webhook-Timestamp", "").encode() + b"." + body
    expected = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    given = headers.get("X-Webhook-Signature", "").split(",")
    return any(hmac.compare_digest(expected, each.strip()) for each in given)
