"""Requests that come in one piece, and what is written in answer to them.

Most requests are sends, and most sends are small: head and body come together, and nothing else
does. What such a request needs of a server is little, and aiohttp's own way of serving it (a
stream for the body, another for the answer, a search for the route) takes longer than all that
we do with it. Whatever is unusual here is left to aiohttp, byte for byte: there is one place
that refuses what is not HTTP.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from aiohttp import hdrs
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.web_response import REASON_PHRASES
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from multidict import CIMultiDict, MultiDict

from sluicegate.http.answers import Answer

if TYPE_CHECKING:
    import asyncio

__all__ = ["WholeRequest", "WholeRequests", "WholeRoutes", "written"]

T = TypeVar("T")

_VARIABLE = re.compile(r"\{(\w+)\}")

_HEAD_BYTES_MAX = 8190
"""Longer than this may be more than aiohttp takes of one line."""
_HEADERS_MAX = 128
_USUAL = {
    hdrs.CONNECTION.lower(): "keep-alive",
    hdrs.CONTENT_ENCODING.lower(): "identity",
    hdrs.EXPECT.lower(): None,
    "proxy-connection": None,  # llhttp takes it for `Connection`, and so does aiohttp
    hdrs.SEC_WEBSOCKET_KEY1.lower(): None,
    hdrs.TRANSFER_ENCODING.lower(): None,
    hdrs.UPGRADE.lower(): None,
}
"""What may stand in headers that change how a request is read or answered; `None`: nothing."""
_KNOWN_MAX = 16
_KNOWN_BYTES_MAX = 256
"""So many headers of a connection are remembered, none with a longer value."""
_NO_CONTENT = 204


class WholeRequest:
    """A request whose body is there already. What handlers ask of it is as aiohttp's has it."""

    __slots__ = ("_transport", "body", "headers", "match_info", "method", "path")

    def __init__(
        self,
        method: str,
        path: str,
        headers: CIMultiDict[str],
        body: bytes,
        transport: "asyncio.BaseTransport | None",
    ) -> None:
        """Take what was read; `path` is all of the target, as it was sent."""
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.match_info: Mapping[str, str] = {}
        self._transport = transport

    @property
    def query(self) -> MultiDict[str]:
        """Nothing: what has a query is not served here."""
        return MultiDict()

    @property
    def remote(self) -> str | None:
        """The client's address."""
        peer = None if self._transport is None else self._transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) and peer else None


class WholeRoutes(Generic[T]):
    """What answers such requests, by method and path."""

    def __init__(self) -> None:
        """Begin without any."""
        self._fixed: dict[tuple[str, str], T] = {}
        self._variable: list[tuple[str, re.Pattern[str], T]] = []

    def add(self, method: str, path: str, handler: T) -> None:
        """Add a route; `path` has `{names}` for its variable parts."""
        if "{" in path:
            parts = _VARIABLE.split(path)
            parts[::2] = [re.escape(text) for text in parts[::2]]
            parts[1::2] = [f"(?P<{name}>[^/?#%]+)" for name in parts[1::2]]
            self._variable.append((method, re.compile("".join(parts)), handler))
        else:
            self._fixed[method, path] = handler

    def find(self, request: WholeRequest) -> T | None:
        """Return what answers a request, which is told the variable parts of its path."""
        handler = self._fixed.get((request.method, request.path))
        if handler is not None:
            return handler
        for method, pattern, handler in self._variable:
            found = pattern.fullmatch(request.path)
            if found is not None and method == request.method:
                request.match_info = found.groupdict()
                return handler
        return None


class WholeRequests:
    """Reads what comes on one connection, and finds the requests that come in one piece."""

    __slots__ = ("_begun", "_body", "_ended", "_headers", "_known", "_parser", "_path", "_plain")

    def __init__(self) -> None:
        """Begin between two requests."""
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        self._path = b""
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._known: dict[tuple[bytes, bytes], tuple[str, str]] = {}
        """Headers of requests before: most come with every request."""
        self._body = b""
        self._plain = True
        self._begun = 0
        self._ended = 0

    def read(
        self, data: bytes, transport: "asyncio.BaseTransport | None" = None
    ) -> WholeRequest | None:
        """Read what came; everything that comes has to be read.

        Returns:
            The request, if that is what came, the whole of it and nothing else, and there is
            nothing unusual about it.
        """
        parser = self._parser
        if parser is None:
            return None
        between = self._begun == self._ended
        self._begun, self._ended = 0 if between else 1, 0
        self._headers, self._body, self._plain = CIMultiDict(), b"", between
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._parser = None  # what it is, and where the next one would begin, aiohttp says
            return None
        headers = self._headers
        if (
            not self._plain
            or self._begun != 1
            or self._ended != 1
            or hdrs.HOST not in headers
            or len(headers) > _HEADERS_MAX
            or len(data) - len(self._body) > _HEAD_BYTES_MAX
            or parser.get_http_version() != "1.1"
        ):
            return None
        return WholeRequest(
            parser.get_method().decode("ascii"),
            self._path.decode("ascii"),
            headers,
            self._body,
            transport,
        )

    # -- what httptools calls ---------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begun += 1
        self._path = b""

    def on_url(self, url: bytes) -> None:
        """Take the target, or a piece of it."""
        self._plain = self._plain and url.isascii()
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        known = self._known.get((name, value))
        if known is None:
            known = _usual(name, value)
            if known is None:
                self._plain = False
                return
            if len(value) <= _KNOWN_BYTES_MAX:
                if len(self._known) >= _KNOWN_MAX:
                    self._known.clear()
                self._known[name, value] = known
        key, text = known
        if key in self._headers:
            self._plain = False
        self._headers.add(key, text)

    def on_body(self, body: bytes) -> None:
        """Take the body: without an encoding there is one piece of it in what came."""
        self._body = body

    def on_message_complete(self) -> None:
        """A request ends."""
        self._ended += 1


def _usual(name: bytes, value: bytes) -> tuple[str, str] | None:
    """Return a header as text; `None` if there is something unusual about it."""
    if not (name.isascii() and value.isascii()):
        return None
    key, text = name.decode("ascii"), value.decode("ascii").rstrip(" \t")
    usual = _USUAL.get(key.lower(), text)
    return None if usual is None or text.lower() != usual.lower() else (key, text)


def written(answer: Answer, *, keep_alive: bool) -> bytes:
    """Return an answer as aiohttp would write it to a request of HTTP/1.1 that is not a HEAD."""
    status, body = answer.status, answer.body or b""
    lines = [f"{name}: {value}\r\n" for name, value in answer.headers.items()]
    if status != _NO_CONTENT:
        lines.append(f"Content-Length: {len(body)}\r\n")
    if not keep_alive:
        lines.append("Connection: close\r\n")
    head = (
        f"HTTP/1.1 {status} {REASON_PHRASES.get(status, '')}\r\n"
        f"{''.join(lines)}Date: {rfc822_formatted_time()}\r\n\r\n"
    )
    return head.encode() + body
