"""What is said of a response, and how much of one is borne: the same for every sender."""

from http import HTTPStatus

__all__ = [
    "HEADERS_MAX",
    "HEADER_LINE_MAX",
    "INTERIM_MAX",
    "KEPT_HEADERS_BYTES_MAX",
    "complaint",
]

KEPT_HEADERS_BYTES_MAX = 16 * 1024
"""Of a response's headers, names and values, so much is kept."""
HEADER_LINE_MAX = 8190
"""Longer header lines, name and value, end the attempt."""
HEADERS_MAX = 128
"""More headers end the attempt."""
INTERIM_MAX = 16
"""How many 1xx responses may precede the final one. Each costs a receiver 16 bytes and us a
thousand times as much work; without a bound one receiver could keep the loop busy."""


def complaint(status: int) -> str | None:
    """Return one line about a status, or `None` if it is 2xx. The reason phrase is ours."""
    if status // 100 == 2:  # noqa: PLR2004 - the class of success, RFC 9110 §15.3
        return None
    try:
        return f"receiver answered {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"receiver answered {status}"
