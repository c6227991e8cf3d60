"""What a receiver sees, and what it says."""

from enum import StrEnum

import msgspec

__all__ = ["Answer", "Fate", "ReceivedRequest"]


class ReceivedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it arrived, complete."""

    at_s: float
    """When, on the virtual clock."""
    host: str
    """The name of the host it was sent to."""
    path: str
    """With the query, if there is one."""
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header called `name`, in whatever case; `None` if there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def message_id(self) -> str:
        """The `webhook-id`: the same on every attempt of one message (Standard Webhooks)."""
        return self.header("webhook-id") or ""


class Fate(StrEnum):
    """What becomes of an answer on its way."""

    SENT = "sent"
    """It is sent as it should be."""
    LOST = "lost"
    """The connection breaks before it: the sender cannot know that the receiver acted."""
    NEVER = "never"
    """It never comes."""
    DRIP = "drip"
    """It comes one byte at a time."""
    FLOODED = "flooded"
    """A hundred interim responses come first."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver answers."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay_s: float = 0.0
    """How long the receiver takes."""
    fate: Fate = Fate.SENT
