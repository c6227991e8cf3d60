"""The part of the storage port that removes what has been kept for long enough."""

from typing import Protocol

import msgspec

__all__ = ["KeptFor", "Removed", "RetentionStorage"]


class KeptFor(msgspec.Struct, frozen=True, kw_only=True):
    """How long finished messages are kept, from the moment when they finished; milliseconds."""

    succeeded_ms: int
    """The payloads of succeeded messages without `retention_hours` of their own."""
    failed_ms: int
    """The payloads of failed ones, whatever `retention_hours` they have: they may be replayed."""
    history_ms: int
    """Everything else: rows, attempts, idempotency keys, and what payloads there still are."""


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What one piece of a sweep removed."""

    payloads: int = 0
    """Payloads of messages that stay listed."""
    messages: int = 0
    """Messages, with all that belongs to them."""
    attempts: int = 0
    """Attempts of messages that are past the history."""
    size_bytes: int = 0
    """Of payloads and stored response bodies."""
    position: int | None
    """Where the next piece goes on; `None`: nothing more was past its time."""


class RetentionStorage(Protocol):
    """What removes. A piece is a short write, so that no message waits behind it."""

    async def remove_expired(
        self, kept_for: KeptFor, *, at_ms: int, position: int | None = None
    ) -> Removed:
        """Remove one piece of what had finished so long ago at `at_ms`; O(removed).

        A message that waits or is in flight loses nothing: whether it still is what it was found
        to be is checked in the write itself, so a replay is before it or after it. Counts stay
        exact. Removing stops nobody's listing.

        Args:
            kept_for: how long things are kept.
            at_ms: the moment to judge by.
            position: the last piece's; `None` begins anew.
        """
        ...

    async def next_removal_ms(self, kept_for: KeptFor) -> int | None:
        """Return when `remove_expired` will have something to remove; `None` if nothing waits.

        In milliseconds since the Unix epoch; never later than it will be, and a moment past where
        that is too much to look up. Of what finishes later it knows nothing.
        """
        ...

    async def release_space(self) -> tuple[int, bool]:
        """Give a piece of the space that is no longer used back to the file system.

        Some stays for what is written next.

        Returns:
            How many bytes, and whether there is more to give back.
        """
        ...
