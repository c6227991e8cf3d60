"""Which headers a client may add to its deliveries, and which a delivery carries in the end."""

import re
from collections.abc import Mapping

from sluicegate.engine.errors import InvalidHeadersError

__all__ = [
    "FORBIDDEN_NAMES",
    "FORBIDDEN_PREFIXES",
    "HEADER_NAME",
    "HEADER_VALUE",
    "check_headers",
    "request_headers",
]

FORBIDDEN_NAMES: frozenset[str] = frozenset(
    {
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Names in lower case that Sluicegate, or the HTTP client, sets itself or never sends."""

FORBIDDEN_PREFIXES: tuple[str, ...] = ("proxy-", "webhook-", "x-forwarded-", "x-webhook-")
"""Beginnings, in lower case, of more such names."""

_NAME_CHARS_SHOWN = 64
_CONTENT_TYPE = ("Content-Type", "application/json")

# RFC 9110 §5.6.2, token.
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# RFC 9110 §5.5, field-value, without obs-text: outside ASCII senders and receivers disagree
# about the encoding. No white space at either end, which a receiver would strip.
HEADER_VALUE = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")


def check_headers(headers: Mapping[str, str], *, count_max: int, bytes_max: int) -> dict[str, str]:
    """Check the headers that a client gave for an endpoint or a message, and return them.

    Args:
        headers: name to value. Names are RFC 9110 tokens, no two alike but for case. Values are
            printable ASCII and tabs, and neither begin nor end with white space; empty is fine.
        count_max: at most so many.
        bytes_max: at most so many bytes, names and values together.

    Raises:
        InvalidHeadersError: a name is reserved, twice there or malformed, a value is malformed,
            or there are too many. `details` names the header or the limit.
    """
    if len(headers) > count_max:
        raise InvalidHeadersError(
            f"at most {count_max} headers are allowed", details={"headers_max": count_max}
        )
    seen: set[str] = set()
    total_bytes = 0
    for name, value in headers.items():
        _check_header(name, value)
        lower = name.lower()
        if lower in seen:
            raise _invalid(name, "is there twice, in different case")
        seen.add(lower)
        total_bytes += len(name) + len(value)
    if total_bytes > bytes_max:
        raise InvalidHeadersError(
            f"headers must have at most {bytes_max} bytes in all", details={"bytes_max": bytes_max}
        )
    return dict(headers)


def request_headers(
    *,
    user_agent: str,
    endpoint_headers: Mapping[str, str],
    message_headers: Mapping[str, str],
    signature: tuple[tuple[str, str], ...],
    attempt_no: int,
) -> tuple[tuple[str, str], ...]:
    """Return the headers of one attempt, in sending order, each name once.

    A later one replaces an earlier one of the same name, whatever the case: first ours, then the
    endpoint's, then the message's. So either may also choose the `User-Agent`.

    Args:
        user_agent: what to send if nobody chose another.
        endpoint_headers: checked by `check_headers`.
        message_headers: checked by `check_headers`.
        signature: from `sluicegate.engine.signing.signature_headers`.
        attempt_no: the attempt's number, from 1, over all cycles.
    """
    chosen = {"content-type": _CONTENT_TYPE, "user-agent": ("User-Agent", user_agent)}
    for headers in (endpoint_headers, message_headers):
        for name, value in headers.items():
            chosen[name.lower()] = (name, value)
    return (*chosen.values(), *signature, ("X-Webhook-Attempt", str(attempt_no)))


def _check_header(name: str, value: str) -> None:
    if HEADER_NAME.fullmatch(name) is None:
        raise _invalid(name, "has a name that is not an HTTP token")
    lower = name.lower()
    if lower in FORBIDDEN_NAMES or lower.startswith(FORBIDDEN_PREFIXES):
        raise _invalid(name, "is forbidden and cannot be overridden")
    if HEADER_VALUE.fullmatch(value) is None:
        raise _invalid(
            name,
            "has a value that is not printable ASCII, or begins or ends with white space",
        )


def _invalid(name: str, fault: str) -> InvalidHeadersError:
    # A name may be anything that JSON can carry, and of any length.
    shown = name[:_NAME_CHARS_SHOWN].encode("utf-8", "replace").decode("utf-8")
    return InvalidHeadersError(f"header {shown!r} {fault}", details={"header": shown})
