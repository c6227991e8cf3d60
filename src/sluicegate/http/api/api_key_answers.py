"""What is answered about API keys: contract section 6."""

from typing import Self

import msgspec

from sluicegate.engine.model import ApiKey, CreatedApiKey
from sluicegate.engine.moments import format_moment
from sluicegate.http.api.fields import ApiKeyId, Moment, known_moment

__all__ = ["ApiKeyAnswer", "CreatedApiKeyAnswer"]


class ApiKeyAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An API key without the key."""

    key_id: ApiKeyId
    label: str | None
    prefix: str
    """The key's first 11 characters."""
    created_at: Moment
    last_used_at: Moment | None = None
    """Absent while it was never used. Up to a minute behind after a crash."""

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Write an API key."""
        return cls(
            key_id=key.key_id,
            label=key.label,
            prefix=key.prefix,
            created_at=format_moment(key.created_at),
            last_used_at=known_moment(key.last_used_at),
        )


class CreatedApiKeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A new API key, at the only moment when the key is told."""

    key_id: ApiKeyId
    key: str
    """Keep it: only its hash is stored."""
    prefix: str
    """The key's first 11 characters."""
    label: str | None
    created_at: Moment

    @classmethod
    def of(cls, key: CreatedApiKey) -> Self:
        """Write a new API key with the key."""
        return cls(
            key_id=key.key_id,
            key=key.key,
            prefix=key.prefix,
            label=key.label,
            created_at=format_moment(key.created_at),
        )

    def __repr__(self) -> str:
        """Show which key it is, never the key."""
        return f"CreatedApiKeyAnswer(key_id={self.key_id!r}, prefix={self.prefix!r})"
