"""The part of the storage port that keeps projects and API keys."""

from collections.abc import Sequence
from typing import Protocol

from sluicegate.engine.model import ApiKey, Principal
from sluicegate.engine.ports.rows import ApiKeyRow

__all__ = ["ProjectStorage"]


class ProjectStorage(Protocol):
    """Projects and their API keys."""

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

    async def api_key_labels(
        self, project_id: str, key_ids: Sequence[str]
    ) -> dict[str, str | None]:
        """Return the labels of the project's keys, deleted ones too; unknown ids are absent."""
        ...

    async def delete_api_key(self, project_id: str, key_id: str) -> None:
        """Delete a key; only its label is still known.

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
