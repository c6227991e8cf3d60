"""JSON without surprises: RFC 8259 and nothing more, and one reading for every reader.

What two parsers may read differently is refused: duplicate keys, lone surrogates, a byte order
mark, `NaN`. A payload is passed on byte for byte, so it is checked here once and never again.

Everything is done by C code; the time is linear in the length of the text.
"""

import json
import re
from collections import Counter
from itertools import accumulate
from typing import Never

from sluicegate.engine.errors import InvalidRequestError

__all__ = ["check_depth", "check_json"]

_BOM = b"\xef\xbb\xbf"
_KEY_CHARS_SHOWN = 64
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_SLICE_BYTES = 65_536
_ALL_BUT_OPENING = bytes(set(range(256)) - set(b"[{"))
_ALL_BUT_MARKS = bytes(set(range(256)) - set(b'[{]}"'))

_ESCAPED_BACKSLASH, _AS_LONG = rb"\\", b"  "
# An escaped surrogate without its other half, where every backslash that is left begins an escape.
# No possessive quantifiers: Python 3.11.2 ends such matches in the wrong place.
_HALF = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F])"
)


def check_json(text: bytes, *, depth_max: int = 100, what: str = "request body") -> None:
    """Check that `text` is one JSON value that every reader reads alike.

    Numbers may have any size: they are never converted. Holds the thread for about 10 ms a MiB,
    and for about 150 ms a MiB of nothing but brackets.

    Args:
        text: UTF-8, without a byte order mark.
        depth_max: how many arrays and objects may stand inside one another, 1 to 200 (so that
            the parser's recursion stays far from the interpreter's limit).
        what: what the text is, for the error's sentence.

    Raises:
        InvalidRequestError: not UTF-8, not RFC 8259 JSON, a key twice in one object, nested
            deeper than `depth_max`, or half of a surrogate pair in an escape. `details` gives
            the reason and, where known, the byte (from 0).
    """
    try:
        _check(text, depth_max)
    except _FaultError as fault:
        raise InvalidRequestError(
            f"{what} must be valid JSON: {fault.reason}",
            details={"reason": fault.reason, **fault.details},
        ) from None


def check_depth(text: bytes, *, depth_max: int, what: str = "request body") -> None:
    """Check only how deep `text` is nested: that a parser may recurse into it.

    Holds the thread for about 30 ms a MiB at worst, but lets other threads run meanwhile.

    Args:
        text: any bytes.
        depth_max: as for `check_json`.
        what: what the text is, for the error's sentence.

    Raises:
        InvalidRequestError: nested deeper than `depth_max`.
    """
    if _is_deeper(text, depth_max):
        reason = _too_deep(depth_max)
        raise InvalidRequestError(
            f"{what} must be valid JSON: {reason}",
            details={"reason": reason, "depth_max": depth_max},
        )


class _FaultError(Exception):
    def __init__(self, reason: str, **details: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


def _check(text: bytes, depth_max: int) -> None:
    if text.startswith(_BOM):
        raise _FaultError("begins with a byte order mark", byte=0)
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _FaultError("not UTF-8", byte=error.start) from None
    if _is_deeper(text, depth_max):
        raise _FaultError(_too_deep(depth_max), depth_max=depth_max)
    try:
        _scan(decoded)
    except json.JSONDecodeError as error:
        raise _FaultError("malformed", byte=len(decoded[: error.pos].encode("utf-8"))) from None
    if b"\\" in text and b"\\u" in text:
        half = _HALF.search(text.replace(_ESCAPED_BACKSLASH, _AS_LONG))
        if half is not None:
            raise _FaultError("half of a surrogate pair", byte=half.start())


def _scan(decoded: str) -> None:
    try:
        _, end = _DECODER.raw_decode(decoded)
    except json.JSONDecodeError:
        end = -1
    if end != len(decoded):  # there is white space around it, or it is none
        _DECODER.decode(decoded)


def _is_deeper(text: bytes, depth_max: int) -> bool:
    """Say whether brackets outside strings nest deeper than `depth_max`, without recursion.

    Exact for well-formed text. For any other it never says `False` where a parser would go
    deeper before it finds the fault.
    """
    if len(text.translate(None, _ALL_BUT_OPENING)) <= depth_max:
        return False
    depth, inside, left_over = 0, False, b""
    for start in range(0, len(text), _SLICE_BYTES):
        piece = left_over + text[start : start + _SLICE_BYTES]
        left_over = b""
        if b"\\" in piece:
            piece = piece.replace(rb"\\", b"")
            if piece.endswith(b"\\"):  # what it escapes is in the next slice
                piece, left_over = piece[:-1], b"\\"
            piece = piece.replace(rb"\"", b"")
        # Two quotes side by side are a string without brackets, or two strings that become one.
        marks = piece.translate(None, _ALL_BUT_MARKS).replace(b'""', b"")
        parts = marks.split(b'"')
        brackets = b"".join(parts[inside::2])
        inside ^= len(parts) % 2 == 0
        opening = brackets.count(b"[") + brackets.count(b"{")
        if depth + opening > depth_max:
            steps = map(_STEPS.__getitem__, brackets)
            if max(accumulate(steps, initial=depth)) > depth_max:
                return True
        depth += 2 * opening - len(brackets)
    return False


def _too_deep(depth_max: int) -> str:
    return f"nested more than {depth_max} levels deep"


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) == len(pairs):
        return
    counts = Counter(key for key, _ in pairs)
    twice = next(key for key, count in counts.items() if count > 1)
    # Half of a surrogate pair could not be written into an answer.
    shown = twice[:_KEY_CHARS_SHOWN].encode("utf-8", "replace").decode("utf-8")
    raise _FaultError("a key twice in one object", key=shown)


def _refuse_constant(name: str) -> Never:
    raise _FaultError(f"no such value as {name}")


# `bool` in place of `int` and `float`: nothing is converted, nothing can overflow, and a number
# of any length costs no memory. The values are thrown away.
_DECODER = json.JSONDecoder(
    parse_int=bool,
    parse_float=bool,
    parse_constant=_refuse_constant,
    object_pairs_hook=_refuse_duplicates,
)
