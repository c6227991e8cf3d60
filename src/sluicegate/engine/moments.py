"""Moments: RFC 3339 on the outside, integer milliseconds since the Unix epoch within."""

from datetime import UTC, datetime, timedelta

from sluicegate.engine.errors import InvalidRequestError

__all__ = ["format_moment", "format_ms", "from_ms", "parse_moment", "to_ms"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """Return the aware UTC datetime of `ms`."""
    return _EPOCH + timedelta(milliseconds=ms)


def to_ms(moment: datetime) -> int:
    """Return the milliseconds of an aware datetime, rounded down."""
    return (moment - _EPOCH) // _MILLISECOND


def format_moment(moment: datetime) -> str:
    """Return RFC 3339 in UTC, with `Z` and 3 fractional digits."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def format_ms(ms: int) -> str:
    """Return `ms` as RFC 3339 in UTC, with `Z` and 3 fractional digits."""
    return format_moment(from_ms(ms))


def parse_moment(text: str, *, field: str = "time") -> int:
    """Return the milliseconds of an RFC 3339 moment; without an offset, UTC is meant.

    Args:
        text: what the client sent; a space for the `+` of the offset is forgiven, because
            that is what an unescaped query string makes of it.
        field: named in the error.

    Raises:
        InvalidRequestError: it is no moment.
    """
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return to_ms(moment)
    except (ValueError, OverflowError):
        msg = f"{field} must be an RFC 3339 time such as 2026-04-05T14:23:11Z"
        raise InvalidRequestError(msg, details={"field": field}) from None
