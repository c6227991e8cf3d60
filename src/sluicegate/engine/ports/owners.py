"""The port to the actors that own the endpoints."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Protocol

from sluicegate.engine.model import EndpointConfig
from sluicegate.engine.ports.rows import SigningKeyRow

__all__ = ["Owners"]


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
