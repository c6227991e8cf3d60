"""The messages of a batch, each read for itself: a bad one spoils no other."""

import json

from sluicegate.engine.errors import InvalidRequestError

__all__ = ["split_batch"]

_WHITE_SPACE = " \t\n\r"


def split_batch(array: bytes, *, items_max: int) -> list[bytes]:
    """Return the JSON texts of an array's items, at most one more than `items_max`.

    Items beyond that are never looked at: an array of millions of them costs no memory here.

    Args:
        array: well-formed JSON, checked before.
        items_max: how many the caller accepts.

    Raises:
        InvalidRequestError: it is no array.
    """
    text = array.decode()
    if not text.startswith("["):
        raise InvalidRequestError("messages must be an array", details={"field": "messages"})
    items: list[bytes] = []
    at = _skip(text, 1)
    while text[at] != "]" and len(items) <= items_max:
        _, end = _SKIM.raw_decode(text, at)
        items.append(text[at:end].encode())
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return items


def _skip(text: str, at: int) -> int:
    while text[at] in _WHITE_SPACE:
        at += 1
    return at


def _nothing(_: object) -> None:
    """Keep nothing of what is skimmed; above all, convert no number."""


_SKIM = json.JSONDecoder(
    parse_int=_nothing, parse_float=_nothing, parse_constant=_nothing, object_pairs_hook=_nothing
)
