"""A batch, taken apart into its messages and checked piece by piece.

The strict check of JSON keeps the interpreter to itself for as long as its text is, and a batch
is longer than anything else that is sent here. So a long one is first taken apart by msgspec,
which is many times quicker, and then checked message by message: in between, other threads get
their turn.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from itertools import takewhile

import msgspec

from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.strict_json import check_depth, check_json
from sluicegate.http.bodies import decoded

__all__ = ["split_batch"]

_WHOLE_BYTES_MAX = 65_536
_REST_BYTES_MAX = 65_536
_LEVELS = 2
"""The object and the array around each message."""
_WHITE_SPACE = re.compile(r"[ \t\n\r]*")
_BETWEEN = re.compile(rb"[ \t\n\r,]*")


class _Body(msgspec.Struct, frozen=True):
    messages: msgspec.Raw


_BODY = msgspec.json.Decoder(_Body)


def split_batch(
    body: bytes, *, items_max: int, item_bytes_max: int, depth_max: int
) -> list[bytes | None]:
    """Check a batch as `strict_json.check_json` does, and return the texts of its messages.

    Keeps the interpreter to itself for as long as the check of the longest message takes, and
    for at most about 3 ms a MiB of the whole.

    Args:
        body: a JSON object whose `messages` is an array.
        items_max: how many messages the caller accepts.
        item_bytes_max: up to how many bytes a message is returned; in place of a longer one
            stands `None`.
        depth_max: how deep one message may be nested.

    Raises:
        InvalidRequestError: not strict JSON; `messages` is missing, no array, or has more than
            `items_max` items; more than 64 KiB stand beside it.
    """
    whole = len(body) <= _WHOLE_BYTES_MAX
    if whole:
        check_json(body, depth_max=depth_max + _LEVELS)
    else:
        check_depth(body, depth_max=depth_max + _LEVELS)
    text = bytes(decoded(body, _BODY).messages)
    start = 0 if whole else _start_checked(body, text)
    if not text.startswith(b"["):
        raise InvalidRequestError("messages must be an array", details={"field": "messages"})
    items: list[bytes | None] = []
    at = 1
    for raw in _items(text, items_max):
        item = bytes(raw)
        between = _BETWEEN.match(text, at)
        at = at if between is None else between.end()
        fits = len(item) <= item_bytes_max
        if fits and not whole:
            _check_at(start + at, item, depth_max)
        items.append(item if fits else None)
        at += len(item)
    return items


def _items(array: bytes, items_max: int) -> list[msgspec.Raw]:
    first: tuple[msgspec.Raw, ...] = msgspec.structs.astuple(_first_items(items_max + 1)(array))
    items = list(takewhile(memoryview, first))  # those that are not there are empty
    if len(items) > items_max:
        raise InvalidRequestError(
            f"messages must be a list of 1 to {items_max}",
            details={"field": "messages", "minimum": 1, "maximum": items_max},
        )
    return items


@cache
def _first_items(count: int) -> Callable[[bytes], msgspec.Struct]:
    """Return what decodes the first items of an array; a list would be made of all of them."""
    fields = [(f"item_{number}", msgspec.Raw, msgspec.Raw()) for number in range(count)]
    shape = msgspec.defstruct("_FirstItems", fields, array_like=True)
    return msgspec.json.Decoder(shape).decode


def _start_checked(body: bytes, array: bytes) -> int:
    """Check everything but the text of `messages`; return where that begins."""
    rest = len(body) - len(array)
    if rest > _REST_BYTES_MAX:
        raise InvalidRequestError(
            f"request body has over {_REST_BYTES_MAX} bytes beside messages",
            details={"maximum": _REST_BYTES_MAX},
        )
    start = _start(body, array, rest)
    check_json(body[:start] + b"[]" + body[start + len(array) :])
    return start


def _start(body: bytes, array: bytes, rest: int) -> int:
    # What stands before the array is part of the rest. As Latin-1 each byte is a character.
    text = body[: rest + 1].decode("latin-1")
    try:
        at = _skip(text, text.index("{") + 1)
        while True:
            key, at = _SKIM.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
            if key == "messages" and body.startswith(array, at):
                return at
            _, at = _SKIM.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
    except ValueError:
        # The last of two `messages` counts for msgspec: the one here is another.
        raise InvalidRequestError(
            "request body must be valid JSON: a key twice in one object",
            details={"reason": "a key twice in one object", "key": "messages"},
        ) from None


def _check_at(start: int, item: bytes, depth_max: int) -> None:
    try:
        check_json(item, depth_max=depth_max)
    except InvalidRequestError as error:
        details = dict(error.details or {})
        if isinstance(byte := details.get("byte"), int):
            details["byte"] = start + byte
        raise InvalidRequestError(error.message, details=details) from None


def _skip(text: str, at: int) -> int:
    found = _WHITE_SPACE.match(text, at)
    return at if found is None else found.end()


def _nothing(_: object) -> None:
    """Keep nothing of what is skimmed; above all, convert no number."""


_SKIM = json.JSONDecoder(
    parse_int=_nothing, parse_float=_nothing, parse_constant=_nothing, object_pairs_hook=_nothing
)
