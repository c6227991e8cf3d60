"""Cursors: a position in a list, as opaque text that fits no other list.

A cursor holds the position and a digest over it, the list's scope and its filters. The digest
guards against mistakes, not against forgery: a position is worth nothing to a forger, because
each page is read within the caller's own project.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256

import msgspec

from sluicegate.engine.errors import InvalidRequestError

__all__ = ["decode_cursor", "encode_cursor"]

_POSITION_BYTES = 8
_POSITION_MAX = 2**63 - 1
_DIGEST_BYTES = 16
# 24 bytes are 32 characters without padding, so each cursor has exactly one spelling.
_CURSOR = re.compile(r"[A-Za-z0-9_-]{32}")


def encode_cursor(scope: str, filters: Mapping[str, object], position: int) -> str:
    """Return a cursor: 32 characters of `[A-Za-z0-9_-]`.

    Args:
        scope: which list, of whom; for example `logs:proj_…`.
        filters: what the list was filtered by. Their order does not matter, and `None` is as
            good as absent. Values are anything that msgspec can encode.
        position: 0 to 2^63 - 1.
    """
    assert 0 <= position <= _POSITION_MAX
    packed = position.to_bytes(_POSITION_BYTES, "big")
    return urlsafe_b64encode(packed + _digest(scope, filters, packed)).decode("ascii")


def decode_cursor(cursor: str, scope: str, filters: Mapping[str, object]) -> int:
    """Return the position in a cursor that `encode_cursor` made for this scope and these filters.

    Raises:
        InvalidRequestError: it is broken, or was made for another list or other filters.
    """
    if _CURSOR.fullmatch(cursor) is not None:
        raw = urlsafe_b64decode(cursor)
        packed, digest = raw[:_POSITION_BYTES], raw[_POSITION_BYTES:]
        position = int.from_bytes(packed, "big")
        if position <= _POSITION_MAX and digest == _digest(scope, filters, packed):
            return position
    raise InvalidRequestError(
        "cursor is invalid, or belongs to other filters", details={"field": "cursor"}
    )


def _digest(scope: str, filters: Mapping[str, object], packed: bytes) -> bytes:
    given = {name: value for name, value in filters.items() if value is not None}
    bound = msgspec.json.encode((scope, given), order="deterministic")
    return sha256(packed + bound).digest()[:_DIGEST_BYTES]
