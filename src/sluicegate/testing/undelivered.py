"""What a drain could not deliver, in words."""

from collections.abc import Sequence

from sluicegate.engine.model import LogEntry

__all__ = ["undelivered"]

_SHOWN_MAX = 20


def undelivered(left: Sequence[LogEntry], waited_s: float) -> str:
    """Return a text about messages that are still to be delivered."""
    lines = [
        f"  {each.message_id} to {each.endpoint}: {each.status}, {each.attempt_count} attempts,"
        f" last error: {each.last_error or 'none'}"
        for each in left[:_SHOWN_MAX]
    ]
    more = len(left) - len(lines)
    return "\n".join(
        (
            f"after {waited_s:g} s these messages are still to be delivered:",
            *lines,
            *([f"  and {more} more"] if more else []),
        )
    )
