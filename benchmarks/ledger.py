"""What a database holds, read from beside the process that owns it, at no cost to it."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

__all__ = ["Ledger"]

_WAITING = """
SELECT sum(queued_count + pending_retry_count) FROM endpoint_loads
WHERE endpoint_no BETWEEN ? AND ?
"""


class Ledger:
    """A database's file, and how many messages its owner accepted.

    Attributes:
        accepted: whoever sends messages, or stores them, counts them here.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.accepted = 0
        self._reader: sqlite3.Connection | None = None

    def numbers(self, endpoint_ids: Sequence[str]) -> tuple[int, int]:
        """Return the first and last number of endpoints that were created one after the other."""
        first, last = (
            self._read().execute("SELECT no FROM endpoints WHERE id = ?", (id_,)).fetchone()[0]
            for id_ in (endpoint_ids[0], endpoint_ids[-1])
        )
        assert last - first + 1 == len(endpoint_ids)
        return first, last

    def waiting(self, numbers: tuple[int, int]) -> int:
        """Return how many messages are queued, in flight or waiting on a retry.

        Args:
            numbers: of the first and the last endpoint that are asked about.
        """
        return int(self._read().execute(_WAITING, numbers).fetchone()[0])

    def statuses(self) -> dict[str, int]:
        """Return how many messages of each status are stored; the owner has ended."""
        self.close()
        with closing(sqlite3.connect(self.path)) as db:
            return dict(db.execute("SELECT status, count(*) FROM messages GROUP BY status"))

    def close(self) -> None:
        """Close the file; it is opened again when it is read."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _read(self) -> sqlite3.Connection:
        if self._reader is None:
            self._reader = sqlite3.connect(
                f"file:{self.path}?mode=ro", uri=True, isolation_level=None
            )
        return self._reader
