"""Requests that come in one piece, and what is written in answer to them.

Most requests are sends, and most sends are small: head and body come together, and nothing else
does. What such a request needs of a server is little, and aiohttp's own way of serving it (a
stream for the body, another for the answer, a search for the route) takes longer than all that
we do with it. Whatever is unusual here is left to aiohttp, byte for byte: there is one place
that refuses what is not HTTP.
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from aiohttp.helpers import rfc822_formatted_time
from aiohttp.web_response import REASON_PHRASES
from multidict import CIMultiDict, MultiDict

from sluicegate.http.answers import Answer

if TYPE_CHECKING:
    import asyncio

__all__ = ["WholeRequest", "WholeRoutes", "written"]

T = TypeVar("T")

_VARIABLE = re.compile(r"\{(\w+)\}")

_NO_CONTENT = 204


class WholeRequest:
    """A request whose body is there already. What handlers ask of it is as aiohttp's has it."""

    __slots__ = ("_transport", "body", "headers", "let_go", "made", "match_info", "method", "path")

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
        self.let_go: Callable[[], None] | None = None
        """Whoever answered the request calls it."""
        self._transport = transport
        self.made: dict[Callable[[Self], Any], Any] = {}
        """What `once` returned; shared by requests with the same head."""

    def once(self, make: Callable[[Self], T]) -> T:
        """Return `make(self)`, which looks at the head alone, but not at the length.

        It is called once for all requests of a connection that have the same head.
        """
        if make not in self.made:
            self.made[make] = make(self)
        made: T = self.made[make]
        return made

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


def written(answer: Answer, *, keep_alive: bool) -> bytes:
    """Return an answer as aiohttp would write it to a request of HTTP/1.1 that is not a HEAD."""
    status, body = answer.status, answer.body or b""
    head = f"HTTP/1.1 {status} {REASON_PHRASES.get(status, '')}\r\n"
    for name, value in answer.headers.items():
        head += f"{name}: {value}\r\n"
    if status != _NO_CONTENT:
        head += f"Content-Length: {len(body)}\r\n"
    if not keep_alive:
        head += "Connection: close\r\n"
    return f"{head}Date: {rfc822_formatted_time()}\r\n\r\n".encode() + body
