"""The protocols through which the rules reach the world.

`storage` implements `Storage` (which stands in `storage_port`); `http` implements `Sender` and
`Resolver`; `actors` implements `Owners`; `app` supplies `Clock` and `Random`. The simulation
supplies its own of each. Every coroutine here runs on the engine's event loop and must not
block it.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Protocol

import msgspec

from sluicegate.engine.model import EndpointConfig
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.storage_port import (
    ApiKeyRow,
    EndpointRow,
    LogQuery,
    SigningKeyRow,
    Storage,
    WorkItem,
)

__all__ = [
    "ApiKeyRow",
    "Clock",
    "EndpointRow",
    "LogQuery",
    "Owners",
    "Random",
    "Request",
    "Resolver",
    "Sender",
    "SigningKeyRow",
    "Storage",
    "WorkItem",
]


class Clock(Protocol):
    """Time. Nothing else in the engine tells it."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch, as the world sees it; may jump. For records."""
        ...

    def steady_ms(self) -> int:
        """The wall clock at the start plus elapsed monotonic time; never jumps. For schedules."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on the event loop's own clock. For measuring spans."""
        ...


class Random(Protocol):
    """Chance. Nothing else in the engine draws it."""

    def random(self) -> float:
        """A float in [0, 1)."""
        ...

    def token_bytes(self, size: int, /) -> bytes:
        """Unguessable bytes, for secrets and ids."""
        ...

    def uuid7(self) -> str:
        """A new UUIDv7 (RFC 9562 §5.7) with dashes; later ones sort after earlier ones."""
        ...


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One signed request, ready to be posted."""

    url: str
    headers: tuple[tuple[str, str], ...]
    """In sending order; without `Host` and `Content-Length`, which the sender adds."""
    body: bytes
    timeout_s: float
    """For the whole attempt, from the DNS look-up to the last byte read."""
    may_start: Callable[[], bool] | None = None
    """Asked once, when the connection stands and before the first byte is sent; on `False` nothing
    is sent and the outcome is `RECALLED`. So a pause also stops what is still connecting."""


class Sender(Protocol):
    """Posts signed requests."""

    async def post(self, request: Request) -> Outcome:
        """Post `request` and return what it came to.

        Never raises for anything that a receiver, a resolver or a network can do. If it is
        cancelled the connection is closed; the receiver may have acted.

        Raises:
            UnavailableError: this machine lacks the means for a connection (file descriptors,
                memory); nothing was sent, and it was no attempt.
        """
        ...


class Resolver(Protocol):
    """Looks up host names, in a pool of its own, with a time limit."""

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Return the addresses of `host` (an address literal stands for itself); `()` if none.

        Raises:
            UnavailableError: this machine lacks the means to ask.
        """
        ...


class Owners(Protocol):
    """The actors that own the endpoints. Each command is answered when it is durable."""

    async def pause(self, project_id: str, endpoint_id: str) -> None:
        """Pause; no attempt starts after this returns.

        Raises:
            EndpointNotFoundError: the project has no such endpoint.
            AlreadyPausedError: it is paused.
            UnavailableError: the pause could not be stored; the endpoint goes on.
        """
        ...

    async def resume(self, project_id: str, endpoint_id: str) -> int:
        """Resume and return how many messages were held.

        Raises:
            EndpointNotFoundError: the project has no such endpoint.
            NotPausedError: it is not paused.
        """
        ...

    async def reconfigure(
        self, project_id: str, endpoint_id: str, change: Callable[[EndpointConfig], EndpointConfig]
    ) -> None:
        """Apply `change` to the stored configuration; the next attempt uses the result.

        Raises:
            EndpointNotFoundError: the project has no such endpoint.
            DuplicateUrlError: another endpoint has the URL.
        """
        ...

    async def add_signing_key(self, project_id: str, endpoint_id: str, key: SigningKeyRow) -> None:
        """Add a second signing key.

        Raises:
            MaxSigningKeysReachedError: there are two.
        """
        ...

    async def remove_signing_key(self, project_id: str, endpoint_id: str, key_id: str) -> None:
        """Remove a signing key.

        Raises:
            NotFoundError: the endpoint has no such key.
            CannotDeleteLastKeyError: it is the only one.
        """
        ...

    async def delete(self, project_id: str, endpoint_id: str) -> None:
        """Delete; what waited is given up. An attempt in flight may finish."""
        ...

    def hint(self, endpoint_id: str) -> None:
        """Say that the endpoint may have work. Never blocks; may be lost or repeated harmlessly."""
        ...

    def in_flight(self) -> AbstractSet[str]:
        """Ids of the messages whose attempts are in flight or not yet recorded."""
        ...
