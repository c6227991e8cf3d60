"""Query parameters: known ones at most once, unknown ones ignored."""

import re

from aiohttp import web

from sluicegate.engine.errors import InvalidRequestError

__all__ = ["query_text", "query_whole"]

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")


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
