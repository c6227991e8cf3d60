"""What is answered about signing keys: contract section 4."""

from typing import Self

import msgspec

from sluicegate.engine.model import CreatedSigningKey, SigningKey
from sluicegate.engine.moments import format_moment
from sluicegate.http.api.fields import Moment, SigningKeyId

__all__ = ["CreatedSigningKeyAnswer", "SigningKeyAnswer"]


class SigningKeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A signing key without its secret."""

    id: SigningKeyId
    key_hint: str
    """The secret's last 4 characters."""
    created_at: Moment

    @classmethod
    def of(cls, key: SigningKey) -> Self:
        """Write a signing key."""
        return cls(id=key.id, key_hint=key.key_hint, created_at=format_moment(key.created_at))


class CreatedSigningKeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A new signing key, at the only moment when its secret is told."""

    id: SigningKeyId
    signing_secret: str
    """`whsec_` and the base64 of 32 random bytes. Keep it: it is not shown again."""
    key_hint: str
    """The secret's last 4 characters."""
    created_at: Moment

    @classmethod
    def of(cls, key: CreatedSigningKey) -> Self:
        """Write a new signing key with its secret."""
        return cls(
            id=key.id,
            signing_secret=key.signing_secret,
            key_hint=key.key_hint,
            created_at=format_moment(key.created_at),
        )

    def __repr__(self) -> str:
        """Show which key it is, never its secret."""
        return f"CreatedSigningKeyAnswer(id={self.id!r})"
