"""`Retry-After`: a number of seconds or a date (RFC 9110 §10.2.3)."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from sluicegate.engine.moments import to_ms

__all__ = ["parse_retry_after"]

_SECONDS = re.compile(r"[0-9]{1,10}")
_VALUE_CHARS_MAX = 64


def parse_retry_after(value: str, *, now_ms: int) -> int | None:
    """Return the whole seconds that a receiver asks for, never negative; `None` for nonsense.

    Args:
        value: the header's value: delay-seconds, or an HTTP-date in any of its three forms.
        now_ms: the wall clock, against which a date is measured.
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return int(value)
    if not value or len(value) > _VALUE_CHARS_MAX or not value[0].isalpha():
        return None
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0, -((now_ms - to_ms(moment)) // 1000))
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
