"""The part of the storage port that changes endpoints: only their owners call it."""

from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from typing import Protocol

from sluicegate.engine.model import EndpointConfig, EndpointState, PauseReason
from sluicegate.engine.ports.rows import SigningKeyRow

__all__ = ["ControlStorage"]


class ControlStorage(Protocol):
    """What changes an endpoint. Only the endpoint's owner calls these.

    What a command changes is begun by the call, and goes on whether it is awaited or not.
    """

    async def load_state(self, endpoint_id: str) -> EndpointState | None:
        """Return what an actor needs at activation, also of a deleted one; `None` when unknown."""
        ...

    def pause(
        self, endpoint_id: str, *, reason: PauseReason, at_ms: int
    ) -> Awaitable[EndpointState]:
        """Make a pause durable. O(1), whatever waits."""
        ...

    def resume(
        self, endpoint_id: str, *, at_ms: int, in_flight: AbstractSet[str]
    ) -> Awaitable[tuple[EndpointState, int]]:
        """Make a resume durable, raise `release_no`, forget failures; return how many were held.

        O(in flight), whatever waits.
        """
        ...

    def update_config(
        self,
        endpoint_id: str,
        change: Callable[[EndpointConfig], EndpointConfig],
        *,
        at_ms: int,
    ) -> Awaitable[EndpointState]:
        """Apply `change` to the configuration.

        Raises:
            DuplicateUrlError: the project has another endpoint with the new URL.
        """
        ...

    def add_signing_key(self, endpoint_id: str, key: SigningKeyRow) -> Awaitable[EndpointState]:
        """Add a signing key.

        Raises:
            MaxSigningKeysReachedError: there are two.
        """
        ...

    def remove_signing_key(
        self, endpoint_id: str, key_id: str, *, at_ms: int
    ) -> Awaitable[EndpointState]:
        """Remove a signing key.

        Raises:
            NotFoundError: the endpoint has no such key.
            CannotDeleteLastKeyError: it is the only one.
        """
        ...

    def delete_endpoint(self, endpoint_id: str, *, at_ms: int) -> Awaitable[EndpointState]:
        """Mark an endpoint deleted; its URL is free again."""
        ...

    async def give_up_waiting(
        self, endpoint_id: str, *, error: str, at_ms: int, limit: int, in_flight: AbstractSet[str]
    ) -> int:
        """Turn up to `limit` waiting messages into `FAILED_PERMANENT`; return how many.

        Those in flight are left alone.
        """
        ...
