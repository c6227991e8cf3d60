"""Receiving webhooks in other people's frameworks: the body read with a cap, then `verify`.

A module for each framework, beside those that run the engine there: who only receives loads no
engine. Whatever the framework, a webhook is answered with 401 if it is not to be believed, with
400 if its headers are malformed, with 413 if it is too long; all three end its delivery. A secret
that is none raises, and becomes a 500, which is tried again when it is mended.
"""

from typing import TypedDict

import msgspec

from sluicegate.engine.errors import MalformedWebhookError, VerificationError
from sluicegate.verification import TOLERANCE_S, ReceivedHeaders, Verified, verify

__all__ = ["BODY_BYTES_MAX", "CHALLENGE", "Options", "ReceivedWebhook", "accept", "status_of"]

BODY_BYTES_MAX = 1_048_576
"""What is read of a body when nothing else is said: the longest payload of Sluicegate's own
defaults."""

CHALLENGE = "Webhook"
"""RFC 9110 §11.6.1: a 401 names a scheme in `WWW-Authenticate`; there is none registered."""


class Options(TypedDict, total=False):
    """What a receiver may choose."""

    body_bytes_max: int
    """How long a body may be; longer ones are not read to their end."""
    tolerance_s: float
    """See `sluicegate.verify`; as is the next one."""
    allow_unsigned_id: bool


class ReceivedWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that was verified."""

    verified: Verified
    body: bytes
    """As it came."""

    @property
    def message_id(self) -> str:
        """The same on every attempt: act once for each."""
        return self.verified.message_id

    def json(self) -> object:
        """Return what the body says.

        Raises:
            msgspec.DecodeError: it is not JSON.
        """
        return msgspec.json.decode(self.body)


def accept(
    secret: str | list[str] | tuple[str, ...],
    headers: ReceivedHeaders,
    body: bytes,
    options: Options,
) -> ReceivedWebhook:
    """Return a webhook that is to be believed, or raise what `sluicegate.verify` does."""
    verified = verify(
        secret,
        headers,
        body,
        options.get("tolerance_s", TOLERANCE_S),
        allow_unsigned_id=options.get("allow_unsigned_id", False),
    )
    return ReceivedWebhook(verified=verified, body=body)


def status_of(error: VerificationError) -> int:
    """Return what a webhook is answered that is refused."""
    return 400 if isinstance(error, MalformedWebhookError) else 401
