"""What stands around every answer: contract section 1."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

__all__ = ["CountedMetaAnswer", "ErrorAnswer", "ErrorDetailAnswer", "ListMetaAnswer", "MetaAnswer"]

_RequestId = Annotated[
    str,
    Meta(
        examples=["req_c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0"],
        extra_json_schema={"pattern": "^req_[0-9a-f]{32}$"},
    ),
]


class MetaAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the answer itself."""

    request_id: _RequestId
    """Also in the header `X-Request-Id`; the server's log has it too."""


class ListMetaAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The same of a list."""

    request_id: _RequestId
    next_cursor: str | None
    """Give it back as `cursor` for the next page; null on the last one."""
    has_more: bool


class CountedMetaAnswer(ListMetaAnswer, frozen=True, kw_only=True):
    """The same of a list whose pages go by number: `next_cursor` is always null."""

    total: int
    """Items on all pages."""
    limit: int
    """At most so many are on this one."""
    offset: int
    """So many come before it."""


class ErrorDetailAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong."""

    code: str
    """For programs: does not change."""
    message: str
    """For people: may change."""
    details: dict[str, Any] = {}
    """The field that offends and the limit that it is over, where there is one."""


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer from 400 on."""

    error: ErrorDetailAnswer
    meta: MetaAnswer
