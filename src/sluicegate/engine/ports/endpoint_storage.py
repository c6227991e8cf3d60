"""The part of the storage port that keeps and lists endpoints."""

from collections.abc import Set as AbstractSet
from typing import Protocol

from sluicegate.engine.model import Endpoint, SigningKey
from sluicegate.engine.ports.rows import EndpointRow

__all__ = ["EndpointStorage"]


class EndpointStorage(Protocol):
    """Endpoints as their clients see them."""

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
