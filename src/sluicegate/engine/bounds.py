"""The types and bounds of single values. Each refusal names the field and what is allowed.

HTTP bodies come here with their types known; values from Python programs do not, so each check
looks at the type too, and both are told the same.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Meta

from sluicegate.engine.errors import InvalidRequestError

__all__ = ["Limits", "flag", "headers_of", "number", "text", "whole"]


class Limits(NamedTuple):
    """From where to where a number may be, or how many characters a text may have."""

    minimum: int
    maximum: int

    def of_number(self) -> Meta:
        """Say so in the type of a field. The schema tells it to clients; nothing is checked."""
        return Meta(extra_json_schema={"minimum": self.minimum, "maximum": self.maximum})

    def of_text(self, **more: object) -> Meta:
        """Say so in the type of a field, with `more` of JSON Schema's words about texts."""
        shortest = {"minLength": self.minimum} if self.minimum else {}
        return Meta(extra_json_schema={**shortest, "maxLength": self.maximum, **more})


def whole(field: str, value: object, *, minimum: int, maximum: int) -> int:
    """Return `value` if it is a whole number from `minimum` to `maximum`.

    Raises:
        InvalidRequestError: it is not.
    """
    if type(value) is int and minimum <= value <= maximum:
        return value
    raise _outside(field, "an integer", minimum=minimum, maximum=maximum)


def number(field: str, value: object, *, minimum: int, maximum: int) -> float:
    """Return `value` if it is a number from `minimum` to `maximum`; not-a-number is none.

    Raises:
        InvalidRequestError: it is not.
    """
    if type(value) in (int, float) and isinstance(value, int | float):
        exact: float = value
        if minimum <= exact <= maximum:
            return exact
    raise _outside(field, "a number", minimum=minimum, maximum=maximum)


def text(field: str, value: object, *, chars_max: int) -> str:
    """Return `value` if it is text of at most `chars_max` characters that UTF-8 can carry.

    Raises:
        InvalidRequestError: it is not.
    """
    if not isinstance(value, str):
        raise InvalidRequestError(f"{field} must be a string", details={"field": field})
    if len(value) > chars_max:
        raise InvalidRequestError(
            f"{field} must be at most {chars_max} characters",
            details={"field": field, "minimum": 0, "maximum": chars_max},
        )
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidRequestError(
            f"{field} must not contain lone surrogates", details={"field": field}
        )
    return value


def flag(field: str, value: object) -> bool:
    """Return `value` if it is true or false.

    Raises:
        InvalidRequestError: it is not.
    """
    if isinstance(value, bool):
        return value
    raise InvalidRequestError(f"{field} must be true or false", details={"field": field})


def headers_of(value: object) -> Mapping[str, str]:
    """Return `value` if it maps text to text; `None` is no headers.

    Raises:
        InvalidRequestError: it does not.
    """
    if value is None:
        return {}
    if isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(content, str) for name, content in value.items()
    ):
        return value
    raise InvalidRequestError("headers must be an object of strings", details={"field": "headers"})


def _outside(field: str, kind: str, *, minimum: int, maximum: int) -> InvalidRequestError:
    return InvalidRequestError(
        f"{field} must be {kind} from {minimum} to {maximum}",
        details={"field": field, "minimum": minimum, "maximum": maximum},
    )
