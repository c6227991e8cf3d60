"""The forms of ids and keys: how they are made, and how they are recognised."""

import base64
import re
import zlib

from sluicegate.engine.ports import Random

__all__ = [
    "SHARDS",
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
"""Endpoints are spread over so many fixed shards; the number is stored and never changes."""

_ENDPOINT = re.compile(r"ep_[a-f0-9]{32}")
_SIGNING_KEY = re.compile(r"sk_[a-f0-9]{32}")
_API_KEY_ID = re.compile(r"key_[a-f0-9]{32}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_IDEMPOTENCY_KEY = re.compile(r"[a-zA-Z0-9_-]{1,255}")


def new_endpoint_id(random: Random) -> str:
    """Return `ep_` and 32 lower-case hex digits."""
    return "ep_" + random.token_bytes(16).hex()


def new_project_id(random: Random) -> str:
    """Return `proj_` and 32 lower-case hex digits."""
    return "proj_" + random.token_bytes(16).hex()


def new_signing_key_id(random: Random) -> str:
    """Return `sk_` and 32 lower-case hex digits."""
    return "sk_" + random.token_bytes(16).hex()


def new_api_key_id(random: Random) -> str:
    """Return `key_` and 32 lower-case hex digits."""
    return "key_" + random.token_bytes(16).hex()


def new_request_id(random: Random) -> str:
    """Return `req_` and 32 lower-case hex digits."""
    return "req_" + random.token_bytes(16).hex()


def new_api_key(random: Random, *, mode: str) -> str:
    """Return a new API key: `sg_live_` or `sg_test_` and 43 url-safe characters (256 bits).

    Args:
        random: the source of chance.
        mode: `live` or `test`; a label, nothing more.
    """
    secret = base64.urlsafe_b64encode(random.token_bytes(32)).decode().rstrip("=")
    return f"sg_{mode}_{secret}"


def is_endpoint_id(text: str) -> bool:
    """Whether `text` has the form of an endpoint's id."""
    return _ENDPOINT.fullmatch(text) is not None


def is_signing_key_id(text: str) -> bool:
    """Whether `text` has the form of a signing key's id."""
    return _SIGNING_KEY.fullmatch(text) is not None


def is_api_key_id(text: str) -> bool:
    """Whether `text` has the form of an API key's id."""
    return _API_KEY_ID.fullmatch(text) is not None


def is_message_id(text: str) -> bool:
    """Whether `text` has the form of a message's id: a UUID with dashes, lower case."""
    return _UUID.fullmatch(text) is not None


def is_idempotency_key(text: str) -> bool:
    """Whether `text` is 1 to 255 of `[a-zA-Z0-9_-]`."""
    return _IDEMPOTENCY_KEY.fullmatch(text) is not None


def shard_of(endpoint_id: str) -> int:
    """Return the shard of an endpoint, 0..4095: the same in every process and release."""
    return zlib.crc32(endpoint_id.encode()) % SHARDS
