"""Which URLs an endpoint may have.

Two programs that read one URL differently are a way around every check. So only URLs are
accepted that RFC 3986 and the HTTP client read alike: visible ASCII, a plain host, no
credentials. Where a host leads to is judged later, on the address that is connected to.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import msgspec

from sluicegate.engine.errors import InvalidEndpointError

__all__ = ["URL_CHARS_MAX", "URL_CHARS_MIN", "CheckedUrl", "check_url"]

URL_CHARS_MIN = 12
URL_CHARS_MAX = 2048

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PORT_MAX = 65535
_HOST_CHARS_MAX = 253

_VISIBLE_ASCII = re.compile(r"[!-~]*")
_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?]*)(?:[/?].*)?", re.IGNORECASE)
_AUTHORITY = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::(?P<port>[1-9][0-9]{0,4}))?",
    re.IGNORECASE,
)
# RFC 1123 §2.1; the underscore is no host name's, but stands in many internal ones.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
# What a resolver may take for the last part of an IPv4 address (WHATWG URL, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)


class CheckedUrl(msgspec.Struct, frozen=True, kw_only=True):
    """A URL that an endpoint may have."""

    url: str
    """Exactly as given."""
    host: str
    """In lower case; an IPv6 address without its brackets."""
    port: int
    """1..65535; the scheme's own if the URL names none."""


def check_url(url: str, *, dev: bool) -> CheckedUrl:
    """Check an endpoint's URL and take it apart. Looks nothing up.

    Args:
        url: `https://`, 12 to 2048 visible ASCII characters; anything else percent-encoded, and
            an international host name in its `xn--` form.
        dev: allow `http://` too.

    Raises:
        InvalidEndpointError: it is not such a URL, or has credentials, a fragment, a port that
            is none, or a host that is none or that could be read in two ways.
    """
    if not URL_CHARS_MIN <= len(url) <= URL_CHARS_MAX:
        raise _invalid(
            f"endpoint URL must have {URL_CHARS_MIN} to {URL_CHARS_MAX} characters",
            length_min=URL_CHARS_MIN,
            length_max=URL_CHARS_MAX,
        )
    if _VISIBLE_ASCII.fullmatch(url) is None or "\\" in url:
        raise _invalid(
            "endpoint URL must be ASCII without spaces, control characters and backslashes"
        )
    if "#" in url:
        raise _invalid("endpoint URL must not have a fragment")
    parts = _URL.fullmatch(url)
    if parts is None or not (dev or parts["scheme"].lower() == "https"):
        allowed = "HTTP or HTTPS" if dev else "HTTPS"
        raise _invalid(f"endpoint must be a valid {allowed} URL")
    if "@" in parts["authority"]:
        raise _invalid("endpoint URL must not have credentials")
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise _invalid("endpoint URL must have a valid host and port")
    port = int(authority["port"] or _DEFAULT_PORTS[parts["scheme"].lower()])
    if port > _PORT_MAX:
        raise _invalid(f"endpoint URL's port must be 1 to {_PORT_MAX}", port_max=_PORT_MAX)
    host = (authority["ipv6"] or authority["name"]).lower()
    if not (_is_ipv6(host) if authority["ipv6"] else _is_name_or_ipv4(host)):
        raise _invalid("endpoint URL must have a valid host")
    return CheckedUrl(url=url, host=host, port=port)


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except AddressValueError:
        return False
    return True


def _is_name_or_ipv4(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    if len(host) > _HOST_CHARS_MAX or any(_LABEL.fullmatch(label) is None for label in labels):
        return False
    if _NUMBER.fullmatch(labels[-1]) is None:
        return True
    # `2130706433`, `0x7f.1`, `127.1`, `0177.0.0.1`: loopback to some readers, names to others.
    try:
        IPv4Address(host)
    except AddressValueError:
        return False
    return True


def _invalid(message: str, **limits: int) -> InvalidEndpointError:
    return InvalidEndpointError(message, details={"field": "url", **limits})
