"""Query parameters: known ones at most once, unknown ones ignored."""

import re
from datetime import datetime
from typing import Any

import msgspec

from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.moments import from_ms, parse_moment
from sluicegate.http.calls import HttpRequest

__all__ = ["Query"]

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

    def text(self, request: HttpRequest) -> str | None:
        """Return it as it is, or the default.

        Raises:
            InvalidRequestError: it is there more than once.
        """
        values = request.query.getall(self.name, [])
        if len(values) > 1:
            raise InvalidRequestError(
                f"{self.name} must be given once", details={"field": self.name}
            )
        return values[0] if values else self.default

    def whole(self, request: HttpRequest) -> int:
        """Return it as an integer, or the default, which must be one.

        Raises:
            InvalidRequestError: it is there more than once, or is no integer in plain digits.
        """
        found = self.text(request)
        if not isinstance(found, str):
            default: int = self.default
            return default
        if not _WHOLE.fullmatch(found):
            raise InvalidRequestError(
                f"{self.name} must be an integer", details={"field": self.name}
            )
        return int(found)

    def moment(self, request: HttpRequest) -> datetime | None:
        """Return it as a moment in UTC.

        Raises:
            InvalidRequestError: it is there more than once, or is not RFC 3339.
        """
        text = self.text(request)
        return None if text is None else from_ms(parse_moment(text, field=self.name))
