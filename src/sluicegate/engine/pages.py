"""A page of a listing, and the place where the next one begins."""

from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from sluicegate.engine.cursors import decode_cursor

__all__ = ["Page", "position_of"]

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some items of a listing, newest first, and how to go on."""

    items: list[T]
    next_cursor: str | None
    """Opaque; give it back, with the same filters, for the next page. `None` on the last one."""

    @property
    def has_more(self) -> bool:
        """Whether there is a next page."""
        return self.next_cursor is not None


def position_of(cursor: object, scope: str, filters: Mapping[str, object]) -> int | None:
    """Return where a page begins; `None` for the first one, which has no cursor.

    Raises:
        InvalidRequestError: the cursor is broken, or was made for another list or other filters.
    """
    if cursor is None:
        return None
    return decode_cursor(cursor if isinstance(cursor, str) else "", scope, filters)
