"""What ids and API keys look like, how they are made, and which shard owns an endpoint.

Everything unguessable is drawn through the `Random` port; nothing here keeps state.
"""

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from sluicegate.engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from sluicegate.engine.ports import Random  # with all other ports: who has ids needs none

__all__ = [
    "API_KEY_ID",
    "API_KEY_MODES",
    "ENDPOINT_ID",
    "IDEMPOTENCY_KEY",
    "SHARDS",
    "SIGNING_KEY_ID",
    "UUID7",
    "is_api_key_id",
    "is_endpoint_id",
    "is_idempotency_key",
    "is_message_id",
    "is_signing_key_id",
    "new_api_key",
    "new_api_key_id",
    "new_endpoint_id",
    "new_project_id",
    "new_request_id",
    "new_signing_key_id",
    "shard_of",
]

SHARDS = 4096
"""How many shards endpoints hash to. Stored with every endpoint, so it never changes."""

API_KEY_MODES: tuple[str, ...] = ("live", "test")
"""The modes of an API key. A mode is a label: it changes the key's prefix and nothing else."""

_ID_BYTES = 16
_API_KEY_BYTES = 32

ENDPOINT_ID = re.compile(r"ep_[0-9a-f]{32}")
SIGNING_KEY_ID = re.compile(r"sk_[0-9a-f]{32}")
API_KEY_ID = re.compile(r"key_[0-9a-f]{32}")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""The form of message, attempt and export ids (RFC 9562 §5.7), in lower case, with dashes."""
IDEMPOTENCY_KEY = re.compile(r"[a-zA-Z0-9_-]{1,255}")


def new_endpoint_id(random: "Random") -> str:
    """Return a new endpoint id: `ep_` and 32 lower-case hexadecimal digits."""
    return f"ep_{random.token_bytes(_ID_BYTES).hex()}"


def new_project_id(random: "Random") -> str:
    """Return a new project id: `proj_` and 32 lower-case hexadecimal digits."""
    return f"proj_{random.token_bytes(_ID_BYTES).hex()}"


def new_signing_key_id(random: "Random") -> str:
    """Return a new signing key's id: `sk_` and 32 lower-case hexadecimal digits."""
    return f"sk_{random.token_bytes(_ID_BYTES).hex()}"


def new_api_key_id(random: "Random") -> str:
    """Return a new API key's id: `key_` and 32 lower-case hexadecimal digits."""
    return f"key_{random.token_bytes(_ID_BYTES).hex()}"


def new_request_id(random: "Random") -> str:
    """Return a new request id: `req_` and 32 lower-case hexadecimal digits."""
    # Not drawn from the operating system, as secrets are: that costs a call for each request.
    return f"req_{random.uuid7().replace('-', '')}"


def new_api_key(random: "Random", *, mode: str) -> str:
    """Return a new API key: `sg_<mode>_` and 43 URL-safe characters (256 random bits).

    Args:
        random: where the bits come from.
        mode: one of `API_KEY_MODES`.

    Raises:
        InvalidRequestError: there is no such mode.
    """
    if mode not in API_KEY_MODES:
        raise InvalidRequestError(
            "mode must be live or test", details={"field": "mode", "allowed": list(API_KEY_MODES)}
        )
    text = urlsafe_b64encode(random.token_bytes(_API_KEY_BYTES)).decode("ascii").rstrip("=")
    return f"sg_{mode}_{text}"


def is_endpoint_id(text: object) -> bool:
    """Say whether `text` has the form of an endpoint id; whether there is one is another matter."""
    return isinstance(text, str) and ENDPOINT_ID.fullmatch(text) is not None


def is_message_id(text: object) -> bool:
    """Say whether `text` is a UUIDv7 (RFC 9562 §5.7) in lower case, with dashes."""
    return isinstance(text, str) and UUID7.fullmatch(text) is not None


def is_signing_key_id(text: object) -> bool:
    """Say whether `text` has the form of a signing key's id."""
    return isinstance(text, str) and SIGNING_KEY_ID.fullmatch(text) is not None


def is_api_key_id(text: object) -> bool:
    """Say whether `text` has the form of an API key's id."""
    return isinstance(text, str) and API_KEY_ID.fullmatch(text) is not None


def is_idempotency_key(text: object) -> bool:
    """Say whether `text` is 1 to 255 of `[a-zA-Z0-9_-]`."""
    return isinstance(text, str) and IDEMPOTENCY_KEY.fullmatch(text) is not None


def shard_of(endpoint_id: str) -> int:
    """Return the shard that owns an endpoint, 0 to `SHARDS - 1`.

    The same for ever and in every process: it is stored. So it is not `hash`, which differs
    between processes.
    """
    return int.from_bytes(sha256(endpoint_id.encode("utf-8")).digest()[:4], "big") % SHARDS
