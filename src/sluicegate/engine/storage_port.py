"""The port to storage, and the rows that go through it."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

import msgspec

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import (
    Accepted,
    ApiKey,
    Attempt,
    AttemptResult,
    Endpoint,
    EndpointConfig,
    EndpointState,
    LogEntry,
    Message,
    NewMessage,
    PauseReason,
    Principal,
    SigningKey,
    WaitingMessage,
)

__all__ = ["ApiKeyRow", "EndpointRow", "LogQuery", "SigningKeyRow", "Storage", "WorkItem"]


class SigningKeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A signing key on its way into storage, which encrypts the secret."""

    id: str
    secret: str
    created_at_ms: int

    def __repr__(self) -> str:
        """Show which key it is, never its secret."""
        return f"SigningKeyRow(id={self.id!r})"


class EndpointRow(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint on its way into storage."""

    id: str
    project_id: str
    config: EndpointConfig
    key: SigningKeyRow
    created_at_ms: int

    def __repr__(self) -> str:
        """Show which endpoint it is, never its secret or its headers."""
        return f"EndpointRow(id={self.id!r})"


class ApiKeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """An API key on its way into storage, which sees only its hash."""

    id: str
    project_id: str
    key_sha256: bytes
    prefix: str
    label: str | None
    created_at_ms: int

    def __repr__(self) -> str:
        """Show which key it is, never its hash."""
        return f"ApiKeyRow(id={self.id!r}, prefix={self.prefix!r})"


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages a log page holds; newest first."""

    project_id: str
    limit: int
    before_seq: int | None = None
    """Only messages accepted before this one."""
    endpoint_id: str | None = None
    status: MessageStatus | None = None
    """By the status that a reader sees."""
    start_at_ms: int | None = None
    """Inclusive."""
    end_at_ms: int | None = None
    """Exclusive."""


class WorkItem(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that has something to do, and when."""

    endpoint_id: str
    due_at_ms: int
    """0 when it has work now."""


class Storage(Protocol):
    """Where everything durable lives. One writer; writes commit in groups.

    A write returns after its commit would survive `kill -9` and power loss. A cancelled write
    may still have happened. Every write is refused when the owner's epoch is stale.

    Raises (any method):
        UnavailableError: the disk is full, or too much waits to be written; nothing was stored.
    """

    async def open(self) -> None:
        """Lock, migrate and open the database; start the writer; take the next epoch.

        Raises:
            StorageLockedError: another process owns the file.
            StorageVersionError: the file was written by a newer version.
        """
        ...

    async def close(self) -> None:
        """Finish queued writes, close every connection, release the lock. Twice is fine."""
        ...

    def on_accepted(self, listener: Callable[[AbstractSet[str]], None]) -> None:
        """Call `listener` on the loop after each commit, with the endpoints that got messages."""
        ...

    def on_fatal(self, listener: Callable[[BaseException], None]) -> None:
        """Call `listener` once if a commit's outcome is unknown (fsync error): stop the process."""
        ...

    # -- projects and API keys ------------------------------------------------------------

    async def create_project(self, project_id: str, label: str, *, created_at_ms: int) -> None:
        """Create a project."""
        ...

    async def default_project(self) -> str | None:
        """Return the oldest project's id, or `None` before the first start."""
        ...

    async def create_api_key(self, row: ApiKeyRow) -> None:
        """Store a key's hash."""
        ...

    async def list_api_keys(self, project_id: str) -> list[ApiKey]:
        """Return the project's keys, newest first."""
        ...

    async def delete_api_key(self, project_id: str, key_id: str) -> None:
        """Delete a key.

        Raises:
            NotFoundError: the project has no such key.
            CannotDeleteLastKeyError: it is the only one.
        """
        ...

    async def find_api_key(self, key_sha256: bytes) -> Principal | None:
        """Return whom a key stands for."""
        ...

    async def touch_api_keys(self, used_at_ms: dict[str, int]) -> None:
        """Record when keys were last used; key id → moment."""
        ...

    # -- endpoints ------------------------------------------------------------------------

    async def create_endpoint(self, row: EndpointRow) -> Endpoint:
        """Store an endpoint with its first signing key.

        Raises:
            DuplicateUrlError: the project has an endpoint with this URL.
        """
        ...

    async def get_endpoint(
        self, project_id: str, endpoint_id: str, *, in_flight: AbstractSet[str]
    ) -> Endpoint | None:
        """Return an endpoint with its counts; `None` when unknown, foreign or deleted."""
        ...

    async def list_endpoints(
        self, project_id: str, *, limit: int, before_no: int | None
    ) -> tuple[list[Endpoint], int | None]:
        """Return endpoints newest first (without counts) and, if there are more, where to go on."""
        ...

    async def list_signing_keys(self, project_id: str, endpoint_id: str) -> list[SigningKey] | None:
        """Return an endpoint's signing keys, newest first; `None` without such an endpoint."""
        ...

    # -- control writes: only the endpoint's owner calls them --------------------------------

    async def load_state(self, endpoint_id: str) -> EndpointState | None:
        """Return what an actor needs at activation, also of a deleted one; `None` when unknown."""
        ...

    async def pause(self, endpoint_id: str, *, reason: PauseReason, at_ms: int) -> EndpointState:
        """Make a pause durable. O(1), whatever waits."""
        ...

    async def resume(
        self, endpoint_id: str, *, at_ms: int, in_flight: AbstractSet[str]
    ) -> tuple[EndpointState, int]:
        """Make a resume durable, raise `release_no`, forget failures; return how many were held.

        O(in flight), whatever waits.
        """
        ...

    async def update_config(
        self,
        endpoint_id: str,
        change: Callable[[EndpointConfig], EndpointConfig],
        *,
        at_ms: int,
    ) -> EndpointState:
        """Apply `change` to the configuration.

        Raises:
            DuplicateUrlError: the project has another endpoint with the new URL.
        """
        ...

    async def add_signing_key(self, endpoint_id: str, key: SigningKeyRow) -> EndpointState:
        """Add a signing key.

        Raises:
            MaxSigningKeysReachedError: there are two.
        """
        ...

    async def remove_signing_key(
        self, endpoint_id: str, key_id: str, *, at_ms: int
    ) -> EndpointState:
        """Remove a signing key.

        Raises:
            NotFoundError: the endpoint has no such key.
            CannotDeleteLastKeyError: it is the only one.
        """
        ...

    async def delete_endpoint(self, endpoint_id: str, *, at_ms: int) -> EndpointState:
        """Mark an endpoint deleted; its URL is free again."""
        ...

    async def give_up_waiting(
        self, endpoint_id: str, *, error: str, at_ms: int, limit: int, in_flight: AbstractSet[str]
    ) -> int:
        """Turn up to `limit` waiting messages into `FAILED_PERMANENT`; return how many.

        Those in flight are left alone.
        """
        ...

    # -- messages ---------------------------------------------------------------------------

    async def append(self, messages: Sequence[NewMessage]) -> list[Accepted | SluicegateError]:
        """Store messages in one commit, in order; each slot answers for itself.

        A slot may hold `EndpointNotFoundError` (unknown, foreign or deleted) or
        `IdempotencyMismatchError`; those messages were not stored.
        """
        ...

    async def get_message(
        self, project_id: str, message_id: str, *, in_flight: AbstractSet[str]
    ) -> Message | None:
        """Return a message with its derived status."""
        ...

    async def get_payload(self, project_id: str, message_id: str) -> bytes | None:
        """Return the payload, or `None` when there is no such message.

        Raises:
            PayloadUnavailableError: the message exists, its payload was removed.
        """
        ...

    async def list_attempts(
        self, project_id: str, message_id: str, *, limit: int
    ) -> tuple[list[Attempt], bool]:
        """Return attempts oldest first and whether there are more; `[]` for an unknown id."""
        ...

    async def list_logs(
        self, query: LogQuery, *, in_flight: AbstractSet[str]
    ) -> tuple[list[LogEntry], int | None]:
        """Return a page of the log and, if there are more, the `seq` to go on before."""
        ...

    # -- the delivery loop: only the endpoint's owner calls these -----------------------------

    async def load_queued(
        self, endpoint_id: str, *, after_seq: int, limit: int
    ) -> list[WaitingMessage]:
        """Return `QUEUED` messages with `seq > after_seq` in acceptance order."""
        ...

    async def load_retries_due(self, endpoint_id: str, *, limit: int) -> list[WaitingMessage]:
        """Return `PENDING_RETRY` messages by `(next_attempt_at_ms, seq)`, earliest first."""
        ...

    async def load_retries_in_order(
        self, endpoint_id: str, *, after_seq: int, below_release_no: int | None, limit: int
    ) -> list[WaitingMessage]:
        """Return `PENDING_RETRY` messages with `seq > after_seq` in acceptance order.

        Args:
            endpoint_id: whose.
            after_seq: exclusive lower bound.
            below_release_no: only those scheduled under a lower `release_no`; `None` = all.
            limit: at most so many.
        """
        ...

    async def get_payload_by_seq(self, seq: int) -> bytes | None:
        """Return a waiting message's payload; `None` when it was removed."""
        ...

    async def record_attempt(self, result: AttemptResult) -> None:
        """Store a finished attempt and all that follows from it, in one commit."""
        ...

    async def give_up_message(self, endpoint_id: str, seq: int, *, error: str, at_ms: int) -> None:
        """Turn one waiting message into `FAILED_PERMANENT`; anything else stays as it is."""
        ...

    async def work(self) -> list[WorkItem]:
        """Return every endpoint with waiting messages that is not paused, or is deleted."""
        ...
