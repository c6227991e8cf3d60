"""Answers, most of them in the envelopes of contract section 1."""

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

__all__ = [
    "Answer",
    "Reply",
    "counted",
    "empty",
    "failure",
    "listing",
    "raw_json",
    "success",
    "whole",
]

_JSON = "application/json"
_encode = msgspec.json.Encoder().encode


class Answer:
    """An answer that is there as a whole.

    aiohttp's own response costs several times as much to make, and is only made of it where
    aiohttp is to send it.

    Attributes:
        status: of HTTP.
        headers: all but `Content-Length`, `Date` and `Connection`.
        body: `None`: there is none.
        is_last: whether the connection ends with it.
    """

    __slots__ = ("body", "headers", "is_last", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes | None = None) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.is_last = False

    def force_close(self) -> None:
        """Let the connection end with it."""
        self.is_last = True

    def as_response(self) -> web.Response:
        """Return it as aiohttp sends it."""
        response = web.Response(status=self.status, headers=self.headers, body=self.body)
        if self.is_last:
            response.force_close()
        return response


Reply = Answer | web.StreamResponse
"""What a handler answers with: aiohttp's only where there is a file to stream."""


def whole(reply: Reply) -> Answer:
    """Return a reply that is there as a whole.

    Raises:
        TypeError: it is a stream.
    """
    if not isinstance(reply, Answer):
        raise TypeError("the answer to a whole request is whole too")
    return reply


def success(
    request_id: str,
    data: object,
    *,
    status: int = 200,
    message: str | None = None,
    error: SluicegateError | None = None,
) -> Answer:
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
) -> Answer:
    """Answer with a list; whether there is more stands in `meta`."""
    meta = ListMetaAnswer(request_id=request_id, next_cursor=next_cursor, has_more=has_more)
    return _response(200, {"data": items, "meta": meta})


def counted(
    request_id: str, items: Sequence[object], *, total: int, limit: int, offset: int
) -> Answer:
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


def raw_json(payload: bytes) -> Answer:
    """Answer with JSON text as it is, without an envelope."""
    return Answer(200, {"Content-Type": _JSON, "X-Content-Type-Options": "nosniff"}, payload)


def empty(headers: dict[str, str] | None = None) -> Answer:
    """Answer that it is done: 204, no body."""
    return Answer(204, headers or {})


def failure(request_id: str, error: SluicegateError) -> Answer:
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


def _response(status: int, body: object, *, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, {"Content-Type": _JSON, **(headers or {})}, _encode(body))
