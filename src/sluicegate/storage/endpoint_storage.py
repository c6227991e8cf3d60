"""Endpoints as their clients see them, on SQLite."""

from collections.abc import Set as AbstractSet

from sluicegate.engine.model import Endpoint, SigningKey
from sluicegate.engine.ports import EndpointRow
from sluicegate.storage import endpoint_reads, signing_keys
from sluicegate.storage.access import Access
from sluicegate.storage.endpoint_writes import CreateEndpoint

__all__ = ["SqliteEndpointStorage"]


class SqliteEndpointStorage(Access):
    """Implements `sluicegate.engine.ports.endpoint_storage.EndpointStorage`."""

    async def create_endpoint(self, row: EndpointRow) -> Endpoint:
        """Store an endpoint with its first signing key."""
        return await self._write(CreateEndpoint(row, self._box))

    async def get_endpoint(
        self, project_id: str, endpoint_id: str, *, in_flight: AbstractSet[str]
    ) -> Endpoint | None:
        """Return an endpoint with its counts; `None` when unknown, foreign or deleted."""
        return await self._read.read(
            endpoint_reads.get_endpoint, project_id, endpoint_id, in_flight=frozenset(in_flight)
        )

    async def list_endpoints(
        self, project_id: str, *, limit: int, before_no: int | None
    ) -> tuple[list[Endpoint], int | None]:
        """Return endpoints newest first, and the position to go on from."""
        return await self._read.read(
            endpoint_reads.list_endpoints, project_id, limit=limit, before_no=before_no
        )

    async def list_signing_keys(self, project_id: str, endpoint_id: str) -> list[SigningKey] | None:
        """Return an endpoint's signing keys, newest first; `None` if there is no endpoint."""
        return await self._read.read(signing_keys.list_signing_keys, project_id, endpoint_id)
