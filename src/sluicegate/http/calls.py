"""One request on its way through a handler."""

from collections.abc import Mapping
from typing import Protocol

import msgspec
from aiohttp import web
from multidict import MultiMapping

from sluicegate.engine.model import Principal

__all__ = ["Call", "HttpRequest"]


class HttpRequest(Protocol):
    """What is asked of a request: aiohttp's, or one that came in one piece."""

    @property
    def method(self) -> str:
        """`POST`."""

    @property
    def path(self) -> str:
        """Without the query."""

    @property
    def match_info(self) -> Mapping[str, str]:
        """The variable parts of the path."""

    @property
    def query(self) -> MultiMapping[str]:
        """The query's parameters."""

    @property
    def headers(self) -> MultiMapping[str]:
        """The headers."""

    @property
    def remote(self) -> str | None:
        """The client's address."""


class Call(msgspec.Struct, frozen=True):
    """A request, its id, and whom it speaks for."""

    request: HttpRequest
    request_id: str
    principal: Principal | None
    """Whom an API key stands for; `None` on routes that need no key."""

    @property
    def aiohttp_request(self) -> web.Request:
        """The request with all that aiohttp knows of it; not of a POST, which it may not have."""
        assert isinstance(self.request, web.Request)
        return self.request

    @property
    def project_id(self) -> str:
        """The project that everything is scoped to; only on routes that need a key."""
        assert self.principal is not None
        return self.principal.project_id

    @property
    def api_key_id(self) -> str:
        """The key that asks; only on routes that need one."""
        assert self.principal is not None
        return self.principal.api_key_id

    def path(self, name: str) -> str:
        """Return a part of the path, percent-decoded."""
        return self.request.match_info[name]
