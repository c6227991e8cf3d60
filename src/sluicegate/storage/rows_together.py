"""Statements for many rows at once.

Each step of a statement lets go of the interpreter and asks for it again, and in a busy process
somebody else has it then. Even in an idle one, rows by 32 cost a quarter less than one by one.
"""

import sqlite3
from collections.abc import Sequence
from itertools import chain

__all__ = ["RowsTogether"]

_SIZES = (64, 16, 8, 4, 3, 2, 1)
"""Rows of one statement; each size is prepared once, and kept by the connection."""


class RowsTogether:
    """A statement with a list of rows in it, such as `INSERT … VALUES (…), (…)`.

    Args:
        before: the statement up to the first row.
        columns: values in a row.
        after: the statement behind the last row.
    """

    def __init__(self, before: str, *, columns: int, after: str = "") -> None:
        row = f"({', '.join('?' * columns)})"
        self._texts = {size: f"{before} {', '.join([row] * size)} {after}" for size in _SIZES}

    def execute(self, db: sqlite3.Connection, rows: Sequence[Sequence[object]]) -> None:
        """Run it for all of `rows`, in order."""
        at = 0
        for size, text in self._texts.items():
            while len(rows) - at >= size:
                db.execute(text, tuple(chain.from_iterable(rows[at : at + size])))
                at += size
