"""What a client of Sluicegate can ask: one protocol, embedded or over HTTP."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

import msgspec

from sluicegate.simulation.oracle.history import BulkAnswer, BulkRequest

__all__ = ["CONNECTION", "Client", "Draft", "Key", "NewEndpoint", "RefusedError", "Seen"]

CONNECTION = "CONNECTION"
"""The code of `RefusedError` when the connection broke before the answer."""


class RefusedError(Exception):
    """The answer was no; or there was none."""

    def __init__(self, code: str) -> None:
        """Carry the contract's code, or `CONNECTION`."""
        super().__init__(code)
        self.code = code


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is to be sent."""

    endpoint_id: str
    payload: bytes
    headers: dict[str, str] | None = None
    idempotency_key: str | None = None
    retention_hours: int | None = None


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A signing key, as it is told once."""

    id: str
    secret: str


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that was created."""

    id: str
    key: Key


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is listed."""

    id: str
    status: str
    attempts: int


class Client(Protocol):
    """Asks Sluicegate for things. Every method may raise `RefusedError`."""

    @property
    def is_up(self) -> bool:
        """Whether it can ask at all."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine that asks, as a program of the client's."""
        ...

    async def create_endpoint(self, url: str, config: dict[str, Any]) -> NewEndpoint:
        """Create an endpoint."""
        ...

    async def update_endpoint(self, endpoint_id: str, changes: dict[str, Any]) -> None:
        """Change an endpoint."""
        ...

    async def delete_endpoint(self, endpoint_id: str) -> None:
        """Delete an endpoint."""
        ...

    async def paused(self, endpoint_id: str) -> tuple[bool, str | None]:
        """Return whether an endpoint is paused, and its `pause_reason`."""
        ...

    async def add_key(self, endpoint_id: str) -> Key:
        """Add a signing key."""
        ...

    async def remove_key(self, endpoint_id: str, key_id: str) -> None:
        """Remove a signing key."""
        ...

    async def send(self, draft: Draft) -> str:
        """Send a message; return its id."""
        ...

    async def send_batch(self, drafts: Sequence[Draft]) -> list[str | RefusedError]:
        """Send messages; return the id, or what it was refused with, of each."""
        ...

    async def pause(self, endpoint_id: str) -> None:
        """Pause an endpoint."""
        ...

    async def resume(self, endpoint_id: str) -> int:
        """Resume an endpoint; return how many messages were held."""
        ...

    async def on_message(self, operation: str, message_id: str) -> None:
        """Do `replay`, `retry_now`, `cancel`, `delete_message` or `replay_from_dlq`."""
        ...

    async def bulk(
        self, operation: str, request: BulkRequest, *, endpoint_id: str | None
    ) -> BulkAnswer:
        """Do `replay_all`, `replay_batch`, `delete_all` or `delete_batch`."""
        ...

    async def dead_letters(self, *, limit: int = 500) -> list[str]:
        """Return the ids of the dead letter queue, newest first; below 500 only so many."""
        ...

    async def messages(
        self, endpoint_id: str, *, status: str | None = None, limit: int = 500
    ) -> list[Seen]:
        """Return an endpoint's messages, newest first; with `limit` below 500 only so many."""
        ...

    async def outcomes(self, message_id: str) -> tuple[str, ...]:
        """Return what each attempt of a message came to: the status, or the kind of failure."""
        ...
