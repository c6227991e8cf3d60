"""What a receiver sees, and what it says."""

from enum import StrEnum

import msgspec

from sluicegate.engine.signing import signature_headers
from sluicegate.simulation.bounds import check_seconds

__all__ = ["Answer", "Exchange", "Fate", "ReceivedRequest", "check_length"]

_BODY_BYTES_MAX = 64 << 20
"""Of an answer: it is kept until it is whole."""


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
    method: str = "POST"

    def header(self, name: str) -> str | None:
        """Return the first header called `name`, in whatever case; `None` if there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def message_id(self) -> str:
        """The `webhook-id`: the same on every attempt of one message (Standard Webhooks)."""
        return self.header("webhook-id") or ""

    @property
    def attempt_no(self) -> int | None:
        """Which attempt of its message this is, from 1; `None` for a request that is none."""
        number = self.header("x-webhook-attempt")
        return int(number) if number is not None and number.isdecimal() else None

    def json(self) -> object:
        """Return what the body says.

        Raises:
            msgspec.DecodeError: it is not JSON.
        """
        return msgspec.json.decode(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """Return whether each of both forms has a signature of this body made with `secret`.

        Args:
            secret: a signing secret (`whsec_…`), such as the `secret` of a created endpoint.
        """
        timestamp = self.header("webhook-timestamp") or ""
        if not timestamp.isdecimal() or self.header("x-webhook-timestamp") != timestamp:
            return False
        if self.header("x-webhook-id") != self.message_id:
            return False
        wanted = dict(
            signature_headers(
                message_id=self.message_id,
                timestamp_s=int(timestamp),
                body=self.body,
                secrets=[secret],
            )
        )
        hexadecimal = (self.header("x-webhook-signature") or "").split(",")
        standard = (self.header("webhook-signature") or "").split(" ")
        return (
            wanted["X-Webhook-Signature"] in hexadecimal and wanted["webhook-signature"] in standard
        )


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
    """What a receiver answers.

    Raises:
        ValueError: `delay_s` is not from 0 to 100 years.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay_s: float = 0.0
    """How long the receiver takes."""
    fate: Fate = Fate.SENT

    def __post_init__(self) -> None:
        """Hold the time to its bounds."""
        check_seconds("delay_s", self.delay_s)


def check_length(body_bytes: int, what: str) -> None:
    """Refuse an answer that is longer than any that was ever meant for a webhook.

    Raises:
        RuntimeError: it is over 64 MiB.
    """
    if body_bytes > _BODY_BYTES_MAX:
        raise RuntimeError(f"{what}: an answer of more than 64 MiB: does it stream for ever?")


class Exchange(msgspec.Struct, kw_only=True):
    """One request that a receiver got whole, and what became of it."""

    request: ReceivedRequest
    answer: Answer | None = None
    """What the receiver said, or meant to; `None` while it works, or if it died before."""
    answered_s: float | None = None
    """When it had decided; the answer leaves `answer.delay_s` later."""
    acted: bool = False
    """Whether the application saw the request; not if a fault answered in its place."""
    error: BaseException | None = None
    """What the application raised."""
    mishap: str | None = None
    """The planned fault that befell it: see `sluicegate.simulation.MishapKind`."""
