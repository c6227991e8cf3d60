"""What is answered about who did something: contract section 6."""

from collections.abc import Mapping
from typing import Self

import msgspec

from sluicegate.http.api.fields import ApiKeyId

__all__ = ["ActorsAnswer"]


class ActorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who an id stands for."""

    label: str
    """What people call it; empty if they call it nothing."""


class ActorsAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Those of the ids asked for that are known; a kind that was not asked for is absent."""

    users: dict[str, ActorAnswer] | None = None
    """Always empty: a self-hosted server has no users, only API keys."""
    api_keys: dict[ApiKeyId, ActorAnswer] | None = None
    """Deleted keys included."""

    @classmethod
    def of(cls, labels: Mapping[str, str | None] | None, *, users: bool) -> Self:
        """Write the labels of API keys, if they were asked for."""
        keys = None
        if labels is not None:
            keys = {key_id: ActorAnswer(label=label or "") for key_id, label in labels.items()}
        return cls(users={} if users else None, api_keys=keys)
