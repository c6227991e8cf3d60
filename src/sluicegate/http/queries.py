"""Query parameters: known ones at most once, unknown ones ignored."""

import re
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.moments import from_ms, parse_moment

__all__ = ["Query", "query_text", "query_whole"]

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A query parameter: how it is described, and how it is read.

    Reading looks at the form alone; what a value may be the use cases check.
    """

    name: str
    description: str
    type: Any = str
    """What its text is read as; bounds stand in it: `Annotated[int, Meta(ge=1, le=100)]`."""
    required: bool = False
    default: Any = None

    def text(self, request: web.Request) -> str | None:
        """Return it as it is, or the default.

        Raises:
            InvalidRequestError: it is there more than once.
        """
        found = query_text(request, self.name)
        return self.default if found is None else found

    def whole(self, request: web.Request) -> int:
        """Return it as an integer, or the default, which must be one.

        Raises:
            InvalidRequestError: it is there more than once, or is no integer in plain digits.
        """
        return query_whole(request, self.name, default=self.default)

    def moment(self, request: web.Request) -> datetime | None:
        """Return it as a moment in UTC.

        Raises:
            InvalidRequestError: it is there more than once, or is not RFC 3339.
        """
        text = query_text(request, self.name)
        return None if text is None else from_ms(parse_moment(text, field=self.name))


def query_text(request: web.Request, name: str) -> str | None:
    """Return a parameter, or `None` when it is not there.

    Raises:
        InvalidRequestError: it is there more than once.
    """
    values = request.query.getall(name, [])
    if len(values) > 1:
        raise InvalidRequestError(f"{name} must be given once", details={"field": name})
    return values[0] if values else None


def query_whole(request: web.Request, name: str, *, default: int) -> int:
    """Return a parameter as an integer.

    Raises:
        InvalidRequestError: it is there more than once, or is no integer in plain digits.
    """
    text = query_text(request, name)
    if text is None:
        return default
    if not _WHOLE.fullmatch(text):
        raise InvalidRequestError(f"{name} must be an integer", details={"field": name})
    return int(text)
