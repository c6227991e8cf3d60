"""What changes an endpoint, on SQLite."""

from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet

from sluicegate.engine.model import EndpointConfig, EndpointState, PauseReason
from sluicegate.engine.ports import SigningKeyRow
from sluicegate.storage import signing_keys, waiting
from sluicegate.storage.access import Access
from sluicegate.storage.endpoint_writes import DeleteEndpoint, Pause, Resume, UpdateConfig
from sluicegate.storage.give_ups import GiveUpWaiting

__all__ = ["SqliteControlStorage"]


class SqliteControlStorage(Access):
    """Implements `sluicegate.engine.ports.control_storage.ControlStorage`."""

    async def load_state(self, endpoint_id: str) -> EndpointState | None:
        """Return what an actor needs at activation; `None` when unknown."""
        return await self._read.deliver(waiting.load_state, endpoint_id, box=self._box)

    def pause(
        self, endpoint_id: str, *, reason: PauseReason, at_ms: int
    ) -> Awaitable[EndpointState]:
        """Begin to make a pause durable. O(1), whatever waits."""
        return self._writing.write(
            Pause(endpoint_id=endpoint_id, reason=reason, at_ms=at_ms, box=self._box)
        )

    def resume(
        self, endpoint_id: str, *, at_ms: int, in_flight: AbstractSet[str]
    ) -> Awaitable[tuple[EndpointState, int]]:
        """Begin to make a resume durable; the answer has how many were held. O(in flight)."""
        flying = frozenset(in_flight)
        return self._writing.write(
            Resume(endpoint_id=endpoint_id, at_ms=at_ms, in_flight=flying, box=self._box)
        )

    def update_config(
        self,
        endpoint_id: str,
        change: Callable[[EndpointConfig], EndpointConfig],
        *,
        at_ms: int,
    ) -> Awaitable[EndpointState]:
        """Apply `change`, a pure function that runs on the writing thread, to the configuration."""
        return self._writing.write(
            UpdateConfig(endpoint_id=endpoint_id, change=change, at_ms=at_ms, box=self._box)
        )

    def add_signing_key(self, endpoint_id: str, key: SigningKeyRow) -> Awaitable[EndpointState]:
        """Add a signing key, unless there are two."""
        return self._writing.write(
            signing_keys.AddSigningKey(endpoint_id=endpoint_id, key=key, box=self._box)
        )

    def remove_signing_key(
        self, endpoint_id: str, key_id: str, *, at_ms: int
    ) -> Awaitable[EndpointState]:
        """Remove a signing key, unless it is the last."""
        return self._writing.write(
            signing_keys.RemoveSigningKey(
                endpoint_id=endpoint_id, key_id=key_id, at_ms=at_ms, box=self._box
            )
        )

    def delete_endpoint(self, endpoint_id: str, *, at_ms: int) -> Awaitable[EndpointState]:
        """Mark an endpoint deleted; its URL is free again."""
        return self._writing.write(
            DeleteEndpoint(endpoint_id=endpoint_id, at_ms=at_ms, box=self._box)
        )

    async def give_up_waiting(
        self, endpoint_id: str, *, error: str, at_ms: int, limit: int, in_flight: AbstractSet[str]
    ) -> int:
        """Turn up to `limit` waiting messages into failed ones, oldest first; return how many."""
        sweep = GiveUpWaiting(
            endpoint_id=endpoint_id,
            error=error,
            at_ms=at_ms,
            limit=limit,
            in_flight=frozenset(in_flight),
        )
        # Nobody waits for it, and the next one follows at once: commits of its own would halve
        # the sends meanwhile.
        return await self._writing.begin(sweep, urgent=False)
