"""What an embedding program asks about API keys."""

from collections.abc import Sequence

from sluicegate.engine.calls.scope import ProjectScope
from sluicegate.engine.model import (
    ApiKey,
    CreatedApiKey,
)

__all__ = ["ApiKeyCalls"]


class ApiKeyCalls(ProjectScope):
    """API keys of one project, by name and with plain values."""

    async def create_api_key(
        self, label: str | None = None, *, mode: str = "live"
    ) -> CreatedApiKey:
        """Create an API key for the HTTP server; it is told only here."""
        return await self.services.api_keys.create(self._project, label, mode)

    async def list_api_keys(self) -> list[ApiKey]:
        """Return the API keys, without the keys."""
        return await self.services.api_keys.list(self._project)

    async def api_key_labels(self, key_ids: Sequence[str]) -> dict[str, str | None]:
        """Return what up to 100 keys are called, deleted ones too; unknown ids are absent."""
        return await self.services.api_keys.labels(self._project, key_ids)

    async def delete_api_key(self, key_id: str) -> None:
        """Delete an API key; it stops working at once."""
        await self.services.api_keys.delete(self._project, key_id)
