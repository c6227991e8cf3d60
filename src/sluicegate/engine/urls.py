"""Which URLs may be delivered to.

The check reads a URL with yarl, as the HTTP client does: two readers that differ are how an
internal address gets past a check.
"""

import re

import msgspec
from yarl import URL

from sluicegate.engine.errors import InvalidEndpointError

__all__ = ["CheckedUrl", "check_url"]

URL_CHARS_MIN, URL_CHARS_MAX = 12, 2048
_SHOWN = re.compile(r"[\x21-\x7e\x80-\U0010ffff]+")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?")


class CheckedUrl(msgspec.Struct, frozen=True, kw_only=True):
    """A URL that may be delivered to, as far as its form goes."""

    url: str
    """As the client gave it."""
    host: str
    """Without brackets; international names in their ASCII form."""
    port: int


def check_url(url: str, *, dev: bool) -> CheckedUrl:
    """Check the form of an endpoint's URL.

    Args:
        url: as the client gave it.
        dev: also allow `http`.

    Raises:
        InvalidEndpointError: not https, too short or long, with credentials, a fragment, white
            space or control characters, or with a host or port that cannot be.
    """
    if not URL_CHARS_MIN <= len(url) <= URL_CHARS_MAX:
        raise _refusal(f"must be {URL_CHARS_MIN} to {URL_CHARS_MAX} characters long")
    if not _SHOWN.fullmatch(url) or "\\" in url:
        raise _refusal("must not contain white space, control characters or backslashes")
    try:
        parsed = URL(url)
        scheme, host, port = parsed.scheme, parsed.raw_host, parsed.port
    except (ValueError, UnicodeError):
        raise _refusal("must be a valid HTTPS URL") from None
    if scheme != "https" and not (dev and scheme == "http"):
        raise _refusal("must be a valid HTTPS URL")
    if parsed.raw_user is not None or parsed.raw_password is not None or "@" in parsed.raw_authority:
        raise _refusal("must not contain credentials")
    if "#" in url:
        raise _refusal("must not contain a fragment")
    if not host or port is None or not 0 < port <= 65535:  # noqa: PLR2004 - TCP
        raise _refusal("must name a host and, if any, a port from 1 to 65535")
    if ":" not in host and not _HOST.fullmatch(host.lower()):
        raise _refusal("has a host name that cannot be")
    return CheckedUrl(url=url, host=host, port=port)


def _refusal(why: str) -> InvalidEndpointError:
    return InvalidEndpointError(f"endpoint {why}", details={"field": "url"})
