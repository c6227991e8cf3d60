"""The `Retry-After` header, RFC 9110 §10.2.3: seconds, or a date in one of three formats."""

import re
from datetime import UTC, datetime

from sluicegate.engine.moments import from_ms, to_ms

__all__ = ["RETRY_AFTER_S_MAX", "parse_retry_after"]

RETRY_AFTER_S_MAX = 2**31 - 1
"""More seconds than this count as this (as RFC 9111 §1.2.2 has it for its delta-seconds)."""

_YEARS_AHEAD = 50
_LEAP_SECOND = 60

_SECONDS = re.compile(r"[0-9]+")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"

# RFC 9110 §5.6.7. The day of the week is not compared with the date: it says nothing new.
_DATES = (
    # IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
    re.compile(
        rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), "
        rf"(?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"
    ),
    # RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
    re.compile(
        rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, "
        rf"(?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"
    ),
    # asctime: Sun Nov  6 08:49:37 1994
    re.compile(
        rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) "
        rf"{_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})"
    ),
)


def parse_retry_after(value: str, *, now_ms: int) -> int | None:
    """Return how many seconds a receiver asks to wait; `None` when the value makes no sense.

    Args:
        value: the header's value as received.
        now_ms: the wall clock, which a date is compared with. A date that has passed gives 0;
            parts of a second are rounded up.

    Returns:
        Whole seconds, 0 to `RETRY_AFTER_S_MAX`.
    """
    text = value.strip(" \t")
    if _SECONDS.fullmatch(text) is not None:
        digits = text.lstrip("0")
        # `int` refuses more than 4300 digits, and takes quadratic time for fewer.
        too_many = len(digits) > len(str(RETRY_AFTER_S_MAX))
        return RETRY_AFTER_S_MAX if too_many else min(int(digits or "0"), RETRY_AFTER_S_MAX)
    at_ms = _parse_date(text, now_ms=now_ms)
    if at_ms is None:
        return None
    return min(max(0, -((now_ms - at_ms) // 1000)), RETRY_AFTER_S_MAX)


def _parse_date(text: str, *, now_ms: int) -> int | None:
    for date in _DATES:
        found = date.fullmatch(text)
        if found is not None:
            break
    else:
        return None
    year, second = int(found["year"]), int(found["second"])
    if len(found["year"]) == 2:  # noqa: PLR2004 - the digits of an RFC 850 year
        # RFC 9110 §5.6.7: what seems more than 50 years ahead is in the past.
        latest = from_ms(now_ms).year + _YEARS_AHEAD
        year = latest - (latest - year) % 100
    if second > _LEAP_SECOND:
        return None
    try:
        moment = datetime(
            year,
            _MONTHS.index(found["month"]) + 1,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            min(second, 59),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return to_ms(moment) + (1000 if second == _LEAP_SECOND else 0)
