"""The calls of `sluicegate.engine.calls.api_keys`, each of which blocks until it is answered.

Made by `make blocking-calls`; a test compares.
"""

from collections.abc import Sequence

from sluicegate.embedding.blocking.scope import BlockingScope
from sluicegate.engine.model import ApiKey, CreatedApiKey

__all__ = ["BlockingApiKeyCalls"]


class BlockingApiKeyCalls(BlockingScope):
    """API keys of one project, by name and with plain values."""

    def create_api_key(
        self, label: str | None = None, *, mode: str = "live", timeout_s: float | None = None
    ) -> CreatedApiKey:
        """Create an API key for the HTTP server; it is told only here."""
        return self._call(lambda engine: engine.create_api_key(label, mode=mode), timeout_s)

    def list_api_keys(self, *, timeout_s: float | None = None) -> list[ApiKey]:
        """Return the API keys, without the keys."""
        return self._call(lambda engine: engine.list_api_keys(), timeout_s)

    def api_key_labels(
        self, key_ids: Sequence[str], *, timeout_s: float | None = None
    ) -> dict[str, str | None]:
        """Return what up to 100 keys are called, deleted ones too; unknown ids are absent."""
        return self._call(lambda engine: engine.api_key_labels(key_ids), timeout_s)

    def delete_api_key(self, key_id: str, *, timeout_s: float | None = None) -> None:
        """Delete an API key; it stops working at once."""
        self._call(lambda engine: engine.delete_api_key(key_id), timeout_s)
