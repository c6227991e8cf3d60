"""JSON without the leniencies that let two parsers read one text differently (RFC 8259).

`msgspec` refuses what is malformed, `NaN`, and bad UTF-8, at the speed of C. It does not see
duplicate names, so those are looked for with the standard library's scanner; nor lone surrogates
in escapes, nor depth, which are looked for before anything recurses.
"""

import json
import re
from typing import Any

import msgspec

from sluicegate.engine.errors import InvalidRequestError

__all__ = ["check_json"]

DEPTH_MAX = 100

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_PAIR_HIGH, _PAIR_LOW, _PAIR_END = 0xD800, 0xDC00, 0xE000


class _Duplicate(ValueError):
    """An object has a name twice."""


def check_json(text: bytes, *, depth_max: int = DEPTH_MAX) -> None:
    """Check that `text` is one JSON value that every parser reads alike.

    Args:
        text: UTF-8, without a byte order mark.
        depth_max: how deep arrays and objects may be nested.

    Raises:
        InvalidRequestError: it is malformed, has a duplicate name, `NaN` or infinity, a lone
            surrogate, or is nested deeper than `depth_max`.
    """
    if text.startswith(b"\xef\xbb\xbf"):
        raise _refusal("must not begin with a byte order mark")
    if text.count(b"[") + text.count(b"{") > depth_max:
        _check_depth(text, depth_max)
    if _SURROGATE.search(text):
        _check_surrogates(text)
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
        json.loads(
            text.decode(),
            object_pairs_hook=_unique,
            parse_int=_ignore,
            parse_float=_ignore,
            parse_constant=_constant,
        )
    except _Duplicate as error:
        raise _refusal(f"has the name {error} twice in one object") from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise _refusal(f"must be valid JSON: {_reason(error)}") from None


def _refusal(why: str) -> InvalidRequestError:
    return InvalidRequestError(f"request body {why}")


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    return str(error)


def _ignore(_digits: str) -> None:
    """Leave a number unread: converting 100,000 digits would take quadratic time."""


def _constant(name: str) -> None:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    names = {name for name, _ in pairs}
    if len(names) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Duplicate(json.dumps(name[:40]))
            seen.add(name)


def _check_depth(text: bytes, depth_max: int) -> None:
    depth = 0
    for byte in _STRINGS.sub(b"", text).translate(None, _NOT_BRACKETS):
        if byte in b"[{":
            depth += 1
            if depth > depth_max:
                raise _refusal(f"is nested deeper than {depth_max} levels")
        else:
            depth -= 1


def _check_surrogates(text: bytes) -> None:
    high_end = -1
    for match in _ESCAPE.finditer(text):
        digits = match.group(1)
        unit = int(digits, 16) if digits else 0
        follows = match.start() == high_end
        if high_end >= 0 and not (follows and _PAIR_LOW <= unit < _PAIR_END):
            raise _refusal("has a lone surrogate in an escape")
        if not follows and _PAIR_LOW <= unit < _PAIR_END:
            raise _refusal("has a lone surrogate in an escape")
        high_end = match.end() if _PAIR_HIGH <= unit < _PAIR_LOW else -1
    if high_end >= 0:
        raise _refusal("has a lone surrogate in an escape")
