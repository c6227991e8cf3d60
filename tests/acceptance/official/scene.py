"""Endpoints whose receivers answer as told, and messages that have come to a status."""

import asyncio
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from ..harness import Delivery, Receiver, ServerProcess, api, until
from .adapter import Client

__all__ = ["PAYLOAD", "UNKNOWN_ENDPOINT", "UNKNOWN_MESSAGE", "Hook", "Hooks", "Scene"]

PAYLOAD = {"event": "order.created", "order": {"id": 7, "total": "12.50"}}
UNKNOWN_ENDPOINT = "ep_" + "0" * 32
UNKNOWN_MESSAGE = "01a20a79-c434-706a-b8a5-e48ad74818fd"
ENDS = {"succeeded": 200, "failed_permanent": 404, "slow": 503, "fast": 429}
"""What a message comes to by what its receiver answers; a retry is an hour away."""


@dataclass
class Hook:
    """One path of the receiver."""

    path: str
    url: str
    receiver: Receiver
    status: int = 200
    retry_after_s: int | None = None
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, requests hang."""

    @property
    def deliveries(self) -> list[Delivery]:
        """What has come, in order."""
        return [each for each in self.receiver.deliveries if each.path == self.path]

    async def wait_for_count(self, count: int) -> list[Delivery]:
        """Wait for that many deliveries and return them."""
        await self.receiver.wait_for(lambda: len(self.deliveries) >= count)
        return self.deliveries

    def answer(self, end: str) -> None:
        """Answer so that messages come to `end`, one of `ENDS`."""
        self.status = ENDS[end]
        self.retry_after_s = 3600 if end in {"slow", "fast"} else None


class Hooks:
    """Gives every endpoint a path of its own, and answers what that path's hook says."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._hooks: dict[str, Hook] = {}
        self._numbers = itertools.count(1)
        receiver.handler = self._handle

    def make(self) -> Hook:
        """Return a hook that answers 200."""
        path = f"/hooks/{next(self._numbers)}"
        hook = Hook(path, self._receiver.url(path), self._receiver)
        hook.opened.set()
        self._hooks[path] = hook
        return hook

    async def _handle(self, request: web.Request, _body: bytes) -> web.StreamResponse:
        hook = self._hooks[request.path]
        status, retry_after_s = hook.status, hook.retry_after_s
        await hook.opened.wait()
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        return web.Response(status=status, headers=headers, text="thanks")


@dataclass
class Scene:
    """A server, its receiver and a client; makes states quickly."""

    server: ServerProcess
    hooks: Hooks
    client: Client

    async def endpoint(self, *, paused: bool = False, **fields: Any) -> tuple[Any, Hook]:
        """Create an endpoint with a hook of its own."""
        hook = self.hooks.make()
        endpoint = await self.client.create_endpoint(hook.url, **fields)
        if paused:
            await self.client.pause_endpoint(endpoint.id)
        return endpoint, hook

    async def post(self, path: str, body: object = None) -> Any:
        """Ask for what the client has no words for; return `data`."""
        async with (
            api(self.server) as session,
            session.post(path, json=body) as answer,
        ):
            envelope = await answer.json()
            assert answer.status < 300, envelope
            return envelope["data"]

    async def ended(self, endpoint: Any, hook: Hook, end: str, **fields: Any) -> str:
        """Send a message whose attempt comes to `end`; return its id."""
        hook.answer(end)
        body = {"endpoint_id": endpoint.id, "payload": PAYLOAD, **fields}
        message_id: str = (await self.post("/v1/webhooks/send", body))["message_id"]
        status = "pending_retry" if end in {"slow", "fast"} else end
        await self.comes_to(message_id, status)
        return message_id

    async def hanging(self, endpoint: Any, hook: Hook) -> str:
        """Send a message whose attempt hangs until `hook.opened` is set; return its id."""
        hook.opened.clear()
        count = len(hook.deliveries)
        message_id: str = (await self.client.send(endpoint.id, PAYLOAD)).message_id
        await hook.wait_for_count(count + 1)
        return message_id

    async def comes_to(self, message_id: str, status: str, *, attempts: int = 1) -> Any:
        """Wait until a message reads so, with so many attempts recorded; return it."""
        found: Any = None

        async def there() -> bool:
            nonlocal found
            found = await self.client.get_message(message_id)
            return bool(found.status == status and found.attempt_count >= attempts)

        await until(there)
        return found

    @staticmethod
    def is_recent(moment: datetime) -> bool:
        """Whether a moment that the server told is one of the last minute, in UTC."""
        now = datetime.now(UTC)  # noqa: TID251 - the other process's clock is this one
        return timedelta(minutes=-1) < moment - now <= timedelta(seconds=1)
