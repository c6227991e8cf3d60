"""Where a URL leads to, and the first lines of a request that goes there."""

import re

from yarl import URL

__all__ = ["InvalidTargetError", "Target", "as_written", "target_of"]

_RFC_3986 = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
_VISIBLE_ASCII = re.compile(r"[!-~]+")
_PLAIN = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<authority>(?P<host>[a-z0-9]+(?:(?:\.|-+)[a-z0-9]+)*)(?::(?P<port>[1-9][0-9]{0,4}))?)"
    r"(?P<path>/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@/?]+)?)"
)
"""A URL with nothing in it that is read otherwise than it is written: as nearly all are."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PORT_MAX = 65535


class InvalidTargetError(ValueError):
    """No request can be sent to the URL. The text names nothing of it."""


class Target:
    """Where requests for a URL go.

    Attributes:
        secure: whether TLS is spoken.
        host: a name in lower case, or an address, without brackets.
        port: 0..65535.
        key: alike for targets that may share a connection.
        head: the request line and the `Host` header, as they are sent.
    """

    __slots__ = ("head", "host", "key", "port", "secure")

    def __init__(self, *, secure: bool, host: str, port: int, head: bytes) -> None:
        self.secure = secure
        self.host = host
        self.port = port
        self.key = (secure, host, port)
        self.head = head

    @property
    def certified_name(self) -> str:
        """The name that the certificate must have: a full name's dot is not part of it."""
        return self.host.rstrip(".")


def as_written(url: str) -> URL:
    """Parse a URL so that it is sent as its owner wrote it, if that is lawful (RFC 3986).

    Raises:
        ValueError: it is no URL.
    """
    return URL(url, encoded=_RFC_3986.fullmatch(url) is not None)


def target_of(url: str) -> Target:
    """Return where requests for `url` go.

    Args:
        url: absolute, of the scheme http or https; checked when an endpoint is made.

    Raises:
        InvalidTargetError: it is no such URL, or has credentials, which would be sent.
    """
    plain = _PLAIN.fullmatch(url)
    if plain is None:
        return _parsed(url)
    scheme, authority, host, digits, path = plain.groups()
    default = _DEFAULT_PORTS[scheme]
    port = default if digits is None else int(digits)
    if port > _PORT_MAX:
        return _parsed(url)  # which says what is wrong
    authority = host if port == default else authority
    return _target(scheme, host, port, path=path, authority=authority)


def _parsed(url: str) -> Target:
    try:
        parsed = as_written(url)
        host, port, authority = parsed.raw_host, parsed.port, parsed.host_port_subcomponent
    except ValueError as error:
        raise InvalidTargetError("not a URL") from error
    if parsed.scheme not in {"http", "https"} or not host or port is None or authority is None:
        raise InvalidTargetError("not an absolute HTTP URL")
    if parsed.raw_user is not None or parsed.raw_password is not None:
        raise InvalidTargetError("credentials in the URL")
    path = parsed.raw_path_qs
    if _VISIBLE_ASCII.fullmatch(path) is None or _VISIBLE_ASCII.fullmatch(authority) is None:
        raise InvalidTargetError("the URL breaks its line")
    host = host.lower()
    if host.endswith(".."):
        host = host.rstrip(".") + "."
    return _target(parsed.scheme, host, port, path=path, authority=authority)


def _target(scheme: str, host: str, port: int, *, path: str, authority: str) -> Target:
    head = f"POST {path} HTTP/1.1\r\nHost: {authority}\r\n".encode()
    return Target(secure=scheme == "https", host=host, port=port, head=head)
