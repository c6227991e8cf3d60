"""Signing secrets, and the signatures that receivers check.

Each delivery carries two forms of the same signature, both HMAC-SHA256 with the same secrets:

- `X-Webhook-Signature: sha256=<hex>` over `timestamp.body`, keyed with the secret's whole text;
- Standard Webhooks (https://www.standardwebhooks.com): `webhook-signature: v1,<base64>` over
  `id.timestamp.body`, keyed with the 32 bytes that the secret's text stands for.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import b2a_base64
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate.engine.ports import Random  # with all other ports: who verifies needs none

__all__ = ["SECRET_PREFIX", "check_secret", "key_hint", "new_secret", "signature_headers"]

SECRET_PREFIX = "whsec_"  # noqa: S105 - how every secret begins, not a secret

_SECRET_BYTES = 32
_HINT_CHARS = 4
_KEY_BYTES_MIN = 24
_KEY_BYTES_MAX = 64
"""Standard Webhooks: a symmetric key has from 24 to 64 bytes."""
_KEYED_MAX = 2048
"""Secrets that are kept worked in: of the endpoints that are delivered to now; about 1 KiB each."""


def new_secret(random: "Random") -> str:
    """Return a new signing secret: `whsec_` and the standard base64 of 32 random bytes."""
    return SECRET_PREFIX + b64encode(random.token_bytes(_SECRET_BYTES)).decode("ascii")


def key_hint(secret: str) -> str:
    """Return the secret's last 4 characters, by which people tell their keys apart."""
    return secret[-_HINT_CHARS:]


def check_secret(secret: object) -> str:
    """Return a signing secret that any sender of Standard Webhooks may have given out.

    Args:
        secret: `whsec_` and the standard base64 of 24 to 64 bytes. An empty key, which anybody
            could sign with, is therefore none.

    Raises:
        ValueError: it is something else; the text says what is wrong and shows nothing of it.
    """
    if not isinstance(secret, str):
        raise ValueError(f"text is needed, not {type(secret).__name__}")  # noqa: TRY004 - one error for all
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"it does not begin with {SECRET_PREFIX}")
    try:
        key = b64decode(secret.removeprefix(SECRET_PREFIX).encode("ascii"), validate=True)
    except ValueError:
        raise ValueError(f"what follows {SECRET_PREFIX} is not base64") from None
    if not _KEY_BYTES_MIN <= len(key) <= _KEY_BYTES_MAX:
        raise ValueError(
            f"it stands for {len(key)} bytes; {_KEY_BYTES_MIN} to {_KEY_BYTES_MAX} are allowed"
        )
    return secret


def signature_headers(
    *, message_id: str, timestamp_s: int, body: bytes, secrets: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Return the six headers that sign one attempt.

    Args:
        message_id: the same on every attempt, so that a receiver can tell a repetition.
        timestamp_s: Unix time of this attempt, so that a receiver's freshness window holds for
            retries too.
        body: the exact bytes that are sent.
        secrets: one or two, newest first; the signatures keep the order.

    Raises:
        ValueError: a secret is not one that `new_secret` could have made.
    """
    assert secrets, "an endpoint keeps at least one signing key"
    timestamp = str(timestamp_s)
    signed = timestamp.encode("ascii") + b"." + body
    standard_signed = message_id.encode("utf-8") + b"." + signed
    return (
        ("X-Webhook-Id", message_id),
        ("X-Webhook-Timestamp", timestamp),
        ("X-Webhook-Signature", ",".join([_sha256_form(secret, signed) for secret in secrets])),
        ("webhook-id", message_id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", " ".join([_v1_form(secret, standard_signed) for secret in secrets])),
    )


def _sha256_form(secret: str, signed: bytes) -> str:
    return "sha256=" + _keys(secret)[0].digest(signed).hex()


def _v1_form(secret: str, signed: bytes) -> str:
    return "v1," + b2a_base64(_keys(secret)[1].digest(signed), newline=False).decode("ascii")


class _Hmac:
    """HMAC-SHA256 (RFC 2104) with its key worked in: what depends on the key is done once.

    OpenSSL's one-shot HMAC does it for each message, and takes half as long again for a short one.
    It is for the first message: an endpoint of very many may come into memory for no other.
    """

    __slots__ = ("_key", "_used", "_worked_in")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._used = False
        self._worked_in: tuple[hashlib._Hash, hashlib._Hash] | None = None

    def digest(self, message: bytes) -> bytes:
        if not self._used:
            self._used = True
            return hmac.digest(self._key, message, "sha256")
        inner, outer = self._worked_in or self._work_in()
        inner, outer = inner.copy(), outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()

    def _work_in(self) -> "tuple[hashlib._Hash, hashlib._Hash]":
        inner, key = hashlib.sha256(), self._key
        if len(key) > inner.block_size:
            key = hashlib.sha256(key).digest()
        block = key.ljust(inner.block_size, b"\0")
        inner.update(block.translate(_INNER))
        self._worked_in = inner, hashlib.sha256(block.translate(_OUTER))
        return self._worked_in


_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


@lru_cache(_KEYED_MAX)
def _keys(secret: str) -> tuple[_Hmac, _Hmac]:
    """Return what the two forms are keyed with."""
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError("a signing secret begins with whsec_")
    key = b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    return _Hmac(secret.encode("ascii")), _Hmac(key)
