"""Which headers a client may add to its deliveries, and the order in which all are sent.

Names are tokens (RFC 9110 §5.6.2). Values are printable ASCII, spaces and tabs: of what RFC 9110
§5.5 allows, that is what every receiver reads in the same way.
"""

import re
from collections.abc import Mapping

from sluicegate.engine.errors import InvalidHeadersError

__all__ = ["check_headers", "request_headers"]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_SHOWN_CHARS = 64

_FORBIDDEN = frozenset(
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
_FORBIDDEN_PREFIXES = ("proxy-", "x-webhook-", "webhook-", "x-forwarded-")


def check_headers(headers: Mapping[str, str], *, count_max: int, bytes_max: int) -> dict[str, str]:
    """Return the headers if all may be sent.

    Args:
        headers: name to value, as the client sent them.
        count_max: how many are allowed.
        bytes_max: how long names and values may be together.

    Raises:
        InvalidHeadersError: one is forbidden, malformed or given twice, or they are too many or
            too long; `details` names the header and the limit.
    """
    if len(headers) > count_max:
        msg = f"at most {count_max} headers are allowed, not {len(headers)}"
        raise InvalidHeadersError(msg, details={"field": "headers", "maximum": count_max})
    seen: set[str] = set()
    size = 0
    for name, value in headers.items():
        _check_one(name, value)
        folded = name.lower()
        if folded in seen:
            raise _refusal(name, "is given twice")
        seen.add(folded)
        size += len(name) + len(value)
    if size > bytes_max:
        msg = f"headers are {size} bytes, at most {bytes_max} are allowed"
        raise InvalidHeadersError(msg, details={"field": "headers", "maximum": bytes_max})
    return dict(headers)


def _check_one(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise _refusal(name, "has a name that is not an RFC 9110 token")
    folded = name.lower()
    if folded in _FORBIDDEN or folded.startswith(_FORBIDDEN_PREFIXES):
        raise _refusal(name, "is forbidden and cannot be overridden")
    if not _VALUE.fullmatch(value):
        raise _refusal(name, "has a value with characters other than printable ASCII")
    if value != value.strip():
        raise _refusal(name, "has a value that begins or ends with white space")


def _refusal(name: str, why: str) -> InvalidHeadersError:
    shown = name if len(name) <= _SHOWN_CHARS else name[:_SHOWN_CHARS] + "…"
    shown = shown.encode("unicode_escape").decode()
    return InvalidHeadersError(f"header '{shown}' {why}", details={"header": shown})


def request_headers(
    *,
    user_agent: str,
    endpoint_headers: Mapping[str, str],
    message_headers: Mapping[str, str],
    signature: tuple[tuple[str, str], ...],
    attempt_no: int,
) -> tuple[tuple[str, str], ...]:
    """Return every header of a delivery in sending order, `Host` and `Content-Length` excepted.

    The endpoint's headers come after ours and the message's after those; of two with one name
    (in any case) the later one is sent. The signature cannot be overridden: its names are
    forbidden.
    """
    if not endpoint_headers and not message_headers:
        own: tuple[tuple[str, str], ...] = (
            ("Content-Type", "application/json"),
            ("User-Agent", user_agent),
        )
    else:
        merged = {
            "content-type": ("Content-Type", "application/json"),
            "user-agent": ("User-Agent", user_agent),
        }
        for headers in (endpoint_headers, message_headers):
            for name, value in headers.items():
                merged[name.lower()] = (name, value)
        own = tuple(merged.values())
    return (*own, *signature, ("X-Webhook-Attempt", str(attempt_no)))
