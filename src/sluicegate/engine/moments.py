"""Moments: integer milliseconds since the Unix epoch inside, RFC 3339 text outside."""

import re
from datetime import UTC, datetime, timedelta

from sluicegate.engine.errors import InvalidRequestError

__all__ = ["format_moment", "format_ms", "from_ms", "parse_moment", "to_ms"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_MOMENT_CHARS_MAX = 64

# RFC 3339 §5.6, with the offset optional.
_RFC3339 = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]"
    r"(?P<minute>[0-9]{2}:[0-9]{2}):(?P<second>[0-5][0-9]|60)(?:\.(?P<fraction>[0-9]+))?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<offset_h>[01][0-9]|2[0-3]):(?P<offset_min>[0-5][0-9]))?"
)


def from_ms(ms: int) -> datetime:
    """Return the moment as an aware UTC datetime, exactly.

    Raises:
        OverflowError: it is not in the years 1 to 9999.
    """
    return _EPOCH + timedelta(milliseconds=ms)


def to_ms(moment: datetime) -> int:
    """Return whole milliseconds since the Unix epoch, rounded towards the past.

    A datetime without an offset is taken as UTC.
    """
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MS


def format_ms(ms: int) -> str:
    """Return RFC 3339 text in UTC with `Z` and 3 fractional digits.

    Raises:
        OverflowError: it is not in the years 1 to 9999.
    """
    return from_ms(ms).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def format_moment(moment: datetime) -> str:
    """Return a datetime (UTC if it has no offset) as `format_ms` would write it."""
    return format_ms(to_ms(moment))


def parse_moment(text: str, *, field: str = "time") -> int:
    """Return the milliseconds since the Unix epoch that RFC 3339 text stands for.

    Any offset is accepted; without one UTC is meant. What is finer than a millisecond is cut
    off, a leap second (RFC 3339 §5.7) is the second after it.

    Args:
        text: what the caller sent.
        field: what the caller knows it by; the error names it.

    Raises:
        InvalidRequestError: it is not RFC 3339, there is no such day or time, or in UTC it is
            not in the years 1 to 9999.
    """
    found = _RFC3339.fullmatch(text) if len(text) <= _MOMENT_CHARS_MAX else None
    if found is None:
        raise _invalid(field)
    is_leap = found["second"] == "60"
    second = "59" if is_leap else found["second"]
    try:
        whole = datetime.fromisoformat(f"{found['date']}T{found['minute']}:{second}+00:00")
        ms = to_ms(whole) + is_leap * 1000 + int((found["fraction"] or "")[:3].ljust(3, "0"))
        if found["sign"]:
            offset_min = int(found["offset_h"]) * 60 + int(found["offset_min"])
            ms -= (offset_min if found["sign"] == "+" else -offset_min) * 60_000
        from_ms(ms)
    except (ValueError, OverflowError):
        raise _invalid(field) from None
    return ms


def _invalid(field: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{field} must be in RFC 3339 format, such as 2026-04-05T14:23:11.123Z",
        details={"field": field, "format": "RFC 3339"},
    )
