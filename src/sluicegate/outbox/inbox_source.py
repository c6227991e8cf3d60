"""The inbox, as its owner's relay reads it."""

import contextlib
import sqlite3

from sluicegate.engine.outbox import OutboxEntry
from sluicegate.engine.ports import Clock, Random
from sluicegate.outbox import inbox_file
from sluicegate.outbox.doorbell import Doorbell, doorbell_path
from sluicegate.outbox.sqlite_source import SqliteSource

__all__ = ["InboxSource"]

_ID_BYTES = 16
_PAGES_KEPT = 1024
"""An empty file with more pages than this is cut."""


class InboxSource(SqliteSource):
    """Implements `Source` on the file beside a database, if there is one."""

    def __init__(self, database: str, *, clock: Clock, random: Random) -> None:
        """Take the database's path, as `real_path` gives it."""
        super().__init__(inbox_file.inbox_path(database), clock=clock)
        self._random = random
        self._doorbell = Doorbell(doorbell_path(database), database=database)

    async def open(self, engine_id: str) -> str | None:  # noqa: ARG002 - it is its database's by name
        """Listen to the doorbell, then open the file, if anybody ever made it."""
        self._doorbell.open()
        if not inbox_file.exists(self._path):
            return None
        await self._connect(inbox_file.connect_inbox(self._path))
        return await self._do(
            inbox_file.prepare, path=self._path, outbox_id=self._random.token_bytes(_ID_BYTES).hex()
        )

    async def take(self, *, rows_max: int, bytes_max: int) -> list[OutboxEntry]:
        """Return what was written first."""
        entries = await super().take(rows_max=rows_max, bytes_max=bytes_max)
        if not entries:
            await self._do(_cut)
        return entries

    async def wait(self) -> None:
        """Wait until the doorbell rings."""
        await self._doorbell.wait()

    async def close(self) -> None:
        """Close the file, and listen no more."""
        self._doorbell.close()
        await super().close()


def _cut(db: sqlite3.Connection) -> None:
    """Give back the space of what was moved, if it was much; there is little to copy then."""
    (unused,) = db.execute("PRAGMA freelist_count").fetchone()
    if unused > _PAGES_KEPT:
        with contextlib.suppress(sqlite3.OperationalError):  # busy, or full: another time
            db.execute("VACUUM")
