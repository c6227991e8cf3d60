"""What a relay reads: an outbox, wherever it is."""

from collections.abc import Sequence
from typing import Protocol

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.outbox import OutboxEntry

__all__ = ["FOREIGN", "Source", "SourceError"]

FOREIGN = (
    "another engine empties this outbox; to let this one do it, end the other and set engine_id in "
    "sluicegate_outbox_meta to NULL"
)
"""What to tell when an outbox is another engine's."""


class SourceError(Exception):
    """An outbox cannot be reached, or cannot be used now; the message says why, for people."""


class Source(Protocol):
    """An outbox as the relay sees it. Used by one task, which opens it anew after an error.

    Every method but `close` raises `SourceError` when the outbox cannot be used now.
    """

    name: str
    """Which one, for people: without any password."""

    async def open(self, engine_id: str) -> str | None:
        """Connect; return the outbox's id, or `None` while there is no outbox.

        Args:
            engine_id: who is to empty it from now on; nobody else may.
        """
        ...

    async def take(self, *, rows_max: int, bytes_max: int) -> list[OutboxEntry]:
        """Return what was written first, and leave it there.

        Args:
            rows_max: at most so many.
            bytes_max: of payloads; the last one may reach beyond.
        """
        ...

    async def settle(
        self, *, moved: Sequence[str], refused: Sequence[tuple[str, SluicegateError]]
    ) -> None:
        """Take messages out in one commit, durable when this returns; put refused ones aside."""
        ...

    async def still_there(self, ids: Sequence[str]) -> list[str]:
        """Return those of `ids` that wait in the outbox."""
        ...

    async def wait(self) -> None:
        """Wait until there may be something new."""
        ...

    async def close(self) -> None:
        """Let go of it. Twice is fine; never raises."""
        ...
