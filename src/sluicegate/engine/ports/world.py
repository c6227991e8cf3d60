"""The ports to time, chance and the network."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from sluicegate.engine.outcome import Outcome

__all__ = ["Clock", "Random", "Request", "Resolver", "Sender"]


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
