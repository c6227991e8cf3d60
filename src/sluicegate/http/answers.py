"""The envelopes of contract section 1 as responses."""

from collections.abc import Sequence

import msgspec
from aiohttp import web

from sluicegate.engine.errors import SluicegateError
from sluicegate.http.envelopes import (
    CountedMetaAnswer,
    ErrorAnswer,
    ErrorDetailAnswer,
    ListMetaAnswer,
    MetaAnswer,
)
from sluicegate.http.errors import headers_of, status_of

__all__ = ["counted", "empty", "failure", "listing", "raw_json", "success"]

_JSON = "application/json"
_encode = msgspec.json.Encoder().encode


def success(
    request_id: str,
    data: object,
    *,
    status: int = 200,
    message: str | None = None,
    error: SluicegateError | None = None,
) -> web.Response:
    """Answer with `data` in its envelope.

    Args:
        request_id: of this request.
        data: what was asked for.
        status: 2xx.
        message: a sentence that stands beside it.
        error: what kept the rest from being done; stands beside it.
    """
    body: dict[str, object] = {"data": data, "meta": MetaAnswer(request_id=request_id)}
    if message is not None:
        body = {"message": message, **body}
    if error is not None:
        body["error"] = ErrorDetailAnswer(code=error.code, message=error.message)
    return _response(status, body)


def listing(
    request_id: str,
    items: Sequence[object],
    *,
    next_cursor: str | None = None,
    has_more: bool = False,
) -> web.Response:
    """Answer with a list; whether there is more stands in `meta`."""
    meta = ListMetaAnswer(request_id=request_id, next_cursor=next_cursor, has_more=has_more)
    return _response(200, {"data": items, "meta": meta})


def counted(
    request_id: str, items: Sequence[object], *, total: int, limit: int, offset: int
) -> web.Response:
    """Answer with a part of a list whose pages go by number."""
    meta = CountedMetaAnswer(
        request_id=request_id,
        next_cursor=None,
        has_more=offset + len(items) < total,
        total=total,
        limit=limit,
        offset=offset,
    )
    return _response(200, {"data": items, "meta": meta})


def raw_json(payload: bytes) -> web.Response:
    """Answer with JSON text as it is, without an envelope."""
    headers = {"Content-Type": _JSON, "X-Content-Type-Options": "nosniff"}
    return web.Response(body=payload, headers=headers)


def empty(headers: dict[str, str] | None = None) -> web.Response:
    """Answer that it is done: 204, no body."""
    return web.Response(status=204, headers=headers)


def failure(request_id: str, error: SluicegateError) -> web.Response:
    """Answer with an error. One that clients should not see is told without its words."""
    status = status_of(error)
    code, message, details = error.code, error.message, error.details
    if status >= 500 and code != "UNAVAILABLE":  # noqa: PLR2004 - server errors
        code, message, details = "INTERNAL_ERROR", SluicegateError.default_message, {}
    answer = ErrorAnswer(
        error=ErrorDetailAnswer(code=code, message=message, details=details),
        meta=MetaAnswer(request_id=request_id),
    )
    return _response(status, answer, headers=headers_of(error))


def _response(status: int, body: object, *, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, body=_encode(body), headers={"Content-Type": _JSON, **(headers or {})}
    )
