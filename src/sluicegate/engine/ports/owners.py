"""The port to the actors that own the endpoints."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.model import EndpointConfig
from sluicegate.engine.operations import Moved, ReplayKind
from sluicegate.engine.ports.rows import SigningKeyRow

__all__ = ["Owners"]


class Owners(Protocol):
    """The actors that own the endpoints. Each command is answered when it is durable."""

    def pause(self, project_id: str, endpoint_id: str) -> Awaitable[None]:
        """Pause; no attempt starts once this is answered.

        It is begun by the call, and goes on whether it is awaited or not; so is a resume.

        Raises:
            EndpointNotFoundError: the project has no such endpoint.
            AlreadyPausedError: it is paused.
            UnavailableError: the pause could not be stored; the endpoint goes on.
        """
        ...

    def resume(self, project_id: str, endpoint_id: str) -> Awaitable[int]:
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

    async def replay(
        self, project_id: str, owned: Mapping[str, Sequence[str]], *, kind: ReplayKind
    ) -> dict[str, Moved | SluicegateError]:
        """Begin a new cycle of attempts for each message; return what became of each, by id.

        The errors are those of `OperationStorage.replay_messages`; `UnavailableError`: nothing
        was changed of that message (or, after a crash of its owner, perhaps).

        Args:
            project_id: whose.
            owned: endpoint id → ids of some of its messages, in order, without repetitions.
            kind: which rules apply.
        """
        ...

    async def retry_now(self, project_id: str, endpoint_id: str, message_id: str) -> None:
        """Make a scheduled retry due; held, it stays held.

        Raises:
            NotFoundError: the endpoint has no such message.
            InvalidStatusError: it does not wait on a retry.
        """
        ...

    async def cancel(self, project_id: str, endpoint_id: str, message_id: str) -> None:
        """Give up a message that waits on a retry, held or not.

        Raises:
            NotFoundError: the endpoint has no such message.
            InvalidStatusError: it does not wait on a retry.
        """
        ...

    async def delete_messages(
        self, project_id: str, owned: Mapping[str, Sequence[str]], *, deleted_by: str | None
    ) -> dict[str, Moved | SluicegateError]:
        """Delete messages, also of deleted endpoints; return what became of each, by id.

        An attempt in flight may finish. Errors are `NotFoundError` and, as with `replay`,
        `UnavailableError`.

        Args:
            project_id: whose.
            owned: endpoint id → ids of some of its messages, in order, without repetitions.
            deleted_by: the API key that asked for it; `None`: a program.
        """
        ...

    def hint(self, endpoint_id: str) -> None:
        """Say that the endpoint may have work. Never blocks; may be lost or repeated harmlessly."""
        ...

    def in_flight(self) -> AbstractSet[str]:
        """Ids of the messages whose attempts are in flight or not yet recorded."""
        ...
