"""Finding the requests that come in one piece in what comes on a connection.

The next request of a connection most often has the head of the one before, but for its length.
Then nothing is read but that.
"""

import re
from typing import TYPE_CHECKING

from aiohttp import hdrs
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from multidict import CIMultiDict

from sluicegate.http.whole_requests import WholeRequest

if TYPE_CHECKING:
    import asyncio

__all__ = ["WholeRequests"]

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
_LENGTH = re.compile(rb"\r\n(content-length):[ \t]*([0-9]{1,15})(?=\r\n)", re.IGNORECASE)
_LENGTH_DIGITS_MAX = 15


class _Head:
    """The head of a request, of which the next one most often differs in its length alone."""

    __slots__ = ("after", "before", "headers", "length", "length_name", "made", "method", "path")

    def __init__(self, request: WholeRequest, text: bytes, length: re.Match[bytes]) -> None:
        self.method = request.method
        self.path = request.path
        self.headers = request.headers
        self.made = request.made
        self.before = text[: length.start(2)]
        self.length_name, self.length = length[1].decode("ascii"), length[2]
        self.after = text[length.end(2) :]

    def request(
        self, data: bytes, transport: "asyncio.BaseTransport | None"
    ) -> WholeRequest | None:
        """Return what came, if it is this head with a body of the length that it tells."""
        if not data.startswith(self.before):
            return None
        start = len(self.before)
        end = data.find(b"\r", start, start + _LENGTH_DIGITS_MAX + 1)
        length, at = data[start:end], end + len(self.after)
        if (
            end < 0
            or not data.startswith(self.after, end)
            or not length.isdigit()
            or len(data) - at != int(length)
            or at > _HEAD_BYTES_MAX
        ):
            return None
        headers = self.headers
        if length != self.length:
            headers = headers.copy()
            headers[self.length_name] = length.decode("ascii")
        request = WholeRequest(self.method, self.path, headers, data[at:], transport)
        request.made = self.made
        return request


class WholeRequests:
    """Reads what comes on one connection, and finds the requests that come in one piece."""

    __slots__ = ("_begun", "_body", "_ended", "_head", "_headers", "_parser", "_path", "_plain")

    def __init__(self) -> None:
        """Begin between two requests."""
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        self._path = b""
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._head: _Head | None = None
        """Of the last request that came in one piece."""
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
        between = self._begun == self._ended
        if between and self._head is not None and self._parser is not None:
            # What a parser that is between two requests made of this head, it would make again.
            request = self._head.request(data, transport)
            if request is not None:
                return request
        return self._parsed(data, transport, between=between)

    def _parsed(
        self, data: bytes, transport: "asyncio.BaseTransport | None", *, between: bool
    ) -> WholeRequest | None:
        parser = self._parser
        if parser is None:
            return None
        self._begun, self._ended = 0 if between else 1, 0
        self._headers, self._body, self._plain = CIMultiDict(), b"", between
        self._head = None
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._parser = None  # what it is, and where the next one would begin, aiohttp says
            return None
        headers, head_bytes = self._headers, len(data) - len(self._body)
        if (
            not self._plain
            or self._begun != 1
            or self._ended != 1
            or hdrs.HOST not in headers
            or len(headers) > _HEADERS_MAX
            or head_bytes > _HEAD_BYTES_MAX
            or parser.get_http_version() != "1.1"
        ):
            return None
        request = WholeRequest(
            parser.get_method().decode("ascii"),
            self._path.decode("ascii"),
            headers,
            self._body,
            transport,
        )
        length = _LENGTH.search(data, 0, head_bytes)
        if length is not None:
            self._head = _Head(request, data[:head_bytes], length)
        return request

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
        usual = _usual(name, value)
        if usual is None or usual[0] in self._headers:
            self._plain = False
        else:
            self._headers.add(*usual)

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
