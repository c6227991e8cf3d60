"""What stands in an outbox: messages that were accepted where the engine's own file is not."""

import msgspec

from sluicegate.engine.drafts import MessageDraft
from sluicegate.engine.errors import SluicegateError

__all__ = ["OutboxEntry"]


class OutboxEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A message in an outbox, as it was read: nothing of it can be relied on."""

    id: str
    """The message's own, chosen when it was written; whoever relays it knows it again by this."""
    accepted_at_ms: int
    """When it was written, by the clock there."""
    draft: MessageDraft | SluicegateError
    """What is to be sent; an error if that could not be read."""
    size_bytes: int = 0
    """Of the payload."""
