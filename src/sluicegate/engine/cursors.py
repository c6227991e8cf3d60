"""Cursors: opaque places in a list, bound to the list and its filters."""

import base64
import binascii
import hashlib
from collections.abc import Mapping

from sluicegate.engine.errors import InvalidRequestError

__all__ = ["decode_cursor", "encode_cursor"]

_MARK_BYTES = 8
_POSITION_BYTES = 8
_CHARS_MAX = 64


def encode_cursor(scope: str, filters: Mapping[str, object], position: int) -> str:
    """Return a cursor for `position` in the list `scope` under `filters`; url-safe text."""
    raw = position.to_bytes(_POSITION_BYTES) + _mark(scope, filters)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(cursor: str, scope: str, filters: Mapping[str, object]) -> int:
    """Return the position that a cursor stands for.

    Raises:
        InvalidRequestError: it is broken, or was made for another list or other filters.
    """
    try:
        if len(cursor) > _CHARS_MAX:
            raise binascii.Error
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _POSITION_BYTES + _MARK_BYTES or raw[_POSITION_BYTES:] != _mark(scope, filters):
        msg = "cursor is not one that this list gave with these filters"
        raise InvalidRequestError(msg, details={"field": "cursor"})
    return int.from_bytes(raw[:_POSITION_BYTES])


def _mark(scope: str, filters: Mapping[str, object]) -> bytes:
    text = repr((scope, sorted((name, str(value)) for name, value in filters.items())))
    return hashlib.blake2b(text.encode(), digest_size=_MARK_BYTES).digest()
