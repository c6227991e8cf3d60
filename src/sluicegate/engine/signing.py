"""Signatures, in both forms that receivers know, from the same secret.

The Standard Webhooks form signs `id.timestamp.body` with the decoded secret; the `sha256=` form
signs `timestamp.body` with the secret's text, `whsec_` included (contract, section 7).
"""

import base64
import hmac
from collections.abc import Sequence

from sluicegate.engine.ports import Random

__all__ = ["key_hint", "new_secret", "signature_headers"]

_PREFIX = "whsec_"


def new_secret(random: Random) -> str:
    """Return `whsec_` and the standard base64 of 32 random bytes."""
    return _PREFIX + base64.b64encode(random.token_bytes(32)).decode()


def key_hint(secret: str) -> str:
    """Return the last 4 characters of a secret, by which people tell two apart."""
    return secret[-4:]


def signature_headers(
    *, message_id: str, timestamp_s: int, body: bytes, secrets: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Return the six headers that prove where a request comes from.

    Args:
        message_id: the same on every attempt.
        timestamp_s: of this attempt, so that a receiver's freshness window holds for retries.
        body: exactly what is sent.
        secrets: 1 or 2, newest first; each signs.
    """
    timestamp = str(timestamp_s)
    plain = timestamp.encode() + b"." + body
    standard = message_id.encode() + b"." + plain
    plain_signatures, standard_signatures = [], []
    for secret in secrets:
        digest = hmac.digest(secret.encode(), plain, "sha256")
        plain_signatures.append("sha256=" + digest.hex())
        key = base64.b64decode(secret.removeprefix(_PREFIX))
        digest = hmac.digest(key, standard, "sha256")
        standard_signatures.append("v1," + base64.b64encode(digest).decode())
    return (
        ("X-Webhook-Id", message_id),
        ("X-Webhook-Timestamp", timestamp),
        ("X-Webhook-Signature", ",".join(plain_signatures)),
        ("webhook-id", message_id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", " ".join(standard_signatures)),
    )
