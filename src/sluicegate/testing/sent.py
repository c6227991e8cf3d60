"""What an engine was given for a receiver, for the texts of failures."""

import msgspec

from sluicegate.engine.calls import ProjectCalls
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.model import LogEntry

__all__ = ["SENT_SHOWN_MAX", "Sent", "sent_to"]

SENT_SHOWN_MAX = 20
_PAGE = 500


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One message that was sent."""

    entry: LogEntry
    payload: bytes | None
    """`None` when it is kept no longer."""


async def sent_to(engine: ProjectCalls, url: str) -> list[Sent]:
    """Return the newest messages to the endpoints under a URL, the oldest of them first.

    At most `SENT_SHOWN_MAX` among the 500 that were sent last.
    """
    page = await engine.list_logs(limit=_PAGE)
    newest = [each for each in page.items if each.endpoint.startswith(url)][:SENT_SHOWN_MAX]
    return [
        Sent(entry=each, payload=await _payload(engine, each.message_id))
        for each in reversed(newest)
    ]


async def _payload(engine: ProjectCalls, message_id: str) -> bytes | None:
    try:
        return await engine.get_payload(message_id)
    except SluicegateError:
        return None
