"""Projects and API keys, on SQLite."""

from collections.abc import Sequence

from sluicegate.engine.model import ApiKey, Principal
from sluicegate.engine.ports import ApiKeyRow
from sluicegate.storage import projects
from sluicegate.storage.access import Access

__all__ = ["SqliteProjectStorage"]


class SqliteProjectStorage(Access):
    """Implements `sluicegate.engine.ports.project_storage.ProjectStorage`."""

    async def create_project(self, project_id: str, label: str, *, created_at_ms: int) -> None:
        """Create a project."""
        await self._write(
            projects.CreateProject(project_id=project_id, label=label, created_at_ms=created_at_ms)
        )

    async def default_project(self) -> str | None:
        """Return the oldest project's id, or `None` before the first start."""
        return await self._read.read(projects.default_project)

    async def create_api_key(self, row: ApiKeyRow) -> None:
        """Store a key's hash."""
        await self._write(projects.CreateApiKey(row))

    async def list_api_keys(self, project_id: str) -> list[ApiKey]:
        """Return the project's keys, newest first."""
        return await self._read.read(projects.list_api_keys, project_id)

    async def api_key_labels(
        self, project_id: str, key_ids: Sequence[str]
    ) -> dict[str, str | None]:
        """Return the labels of the project's keys, deleted ones too; unknown ids are absent."""
        return await self._read.read(projects.api_key_labels, project_id, list(key_ids))

    async def delete_api_key(self, project_id: str, key_id: str) -> None:
        """Delete a key, unless it is the project's last."""
        await self._write(projects.DeleteApiKey(project_id=project_id, key_id=key_id))

    async def find_api_key(self, key_sha256: bytes) -> Principal | None:
        """Return whom a key stands for."""
        return await self._read.read(projects.find_api_key, key_sha256)

    async def touch_api_keys(self, used_at_ms: dict[str, int]) -> None:
        """Record when keys were last used; key id → moment."""
        await self._write(projects.TouchApiKeys(dict(used_at_ms)))
