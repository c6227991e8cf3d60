"""A route: what a method on a path does, and all that its clients must know of it.

The server routes by these records and `/openapi.json` is made from them, so the two cannot differ.
"""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any

import msgspec

from sluicegate.http.answers import Reply
from sluicegate.http.calls import Call
from sluicegate.http.queries import Query

__all__ = ["Envelope", "Handler", "Query", "Route"]

Handler = Callable[[Call], Awaitable[Reply]]


class Envelope(Enum):
    """What stands around the answer of a route that succeeds (contract, section 1)."""

    DATA = "data"
    """`{"data": answer, "meta": {request_id}}`."""
    LIST = "list"
    """`{"data": [answer, …], "meta": {request_id, next_cursor, has_more}}`."""
    COUNTED = "counted"
    """`LIST` with `{total, limit, offset}` in `meta`: pages go by number."""
    MESSAGE = "message"
    """`DATA` with a sentence beside it, `{"message": …, "data": …, "meta": …}`."""
    NONE = "none"
    """None: the answer is the whole body, or there is none."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A method on a path."""

    method: str
    path: str
    """With `{names}` for its variable parts."""
    handler: Handler
    name: str
    """Unique; the `operationId`, as `pause_endpoint`."""
    tag: str
    """The part of the API it belongs to, as `Endpoints`."""
    summary: str
    """What it does, in a few words, as `Pause an endpoint`."""
    description: str = ""
    """What is not said by that; Markdown."""
    auth: bool = True
    """Whether an API key is needed."""
    query: tuple[Query, ...] = ()
    body: Any = None
    """The type of the JSON body; `None`: none is read."""
    body_required: bool = True
    """Whether no body at all is refused."""
    status: int = 200
    """Of success."""
    answer: Any = None
    """The type of what is answered on success, without its envelope; `None`: nothing."""
    envelope: Envelope = Envelope.DATA
    media_type: str = "application/json"
    """Of the answer on success."""
    gives: dict[str, str] = {}
    """Parts of paths that its answer knows, each with the JSON Pointer to it: `message_id`, of a
    message that was sent, is at `/data/message_id`. So a reader, or a program, finds on."""
    headers: tuple[str, ...] = ()
    """Headers of the answer on success that clients look at, as `Location`."""
    errors: tuple[str, ...] = ()
    """Contract codes that it may answer beside those that every route may (`INTERNAL_ERROR`),
    and every route that needs a key (`UNAUTHORIZED`, `RATE_LIMITED`, `RATE_LIMIT_EXCEEDED`,
    `UNAVAILABLE`)."""
    in_line: bool = False
    """Comes in floods: such requests are answered some a turn of the loop (see `Pacer`), and others
    go past them."""
    listed: bool = True
    """Whether `/openapi.json` speaks of it: not of what only browsers ask for."""
