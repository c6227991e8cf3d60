"""What a client asks for, before it is checked. The use cases check every field.

`EndpointDraft` and `EndpointPatch` are also the bodies of the requests: the names and types of
their fields are the contract's.
"""

import msgspec
from msgspec import UNSET, UnsetType

__all__ = ["CheckedPayload", "EndpointDraft", "EndpointPatch", "MessageDraft"]


class EndpointDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that is to be created."""

    url: str
    """`https`, 12 to 2048 characters, no credentials, no fragment."""
    description: str | None = None
    """At most 500 characters."""
    rate_limit_rps: int = 0
    """Attempts a second, 0 to 1000; 0 = no limit."""
    burst: int = 0
    """Attempts at once under the rate limit, 0 to 10000; 0 = as `rate_limit_rps`."""
    headers: dict[str, str] | None = None
    """Sent with every delivery."""
    ordered: bool = False
    """Deliver one after the other: the next starts when the one before it is done with."""
    max_in_flight: int = 16
    """Attempts at once, 1 to 256."""
    timeout_s: float = 30
    """Seconds for a whole attempt, 1 to 120."""


class EndpointPatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change of an endpoint; a field that is `UNSET` stays as it is."""

    url: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    """`None` clears it."""
    rate_limit_rps: int | UnsetType = UNSET
    burst: int | UnsetType = UNSET
    headers: dict[str, str] | UnsetType | None = UNSET
    """Replaces all of them; `None` clears them."""
    ordered: bool | UnsetType = UNSET
    max_in_flight: int | UnsetType = UNSET
    timeout_s: float | UnsetType = UNSET


class CheckedPayload(msgspec.Struct, frozen=True):
    """A payload that stood in a JSON text which passed `strict_json.check_json` as a whole.

    Only the HTTP layer makes these, so that a body is not checked twice. Whoever wraps bytes
    that were not checked delivers them as they are to the receiver.
    """

    text: bytes


class MessageDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is to be sent."""

    endpoint_id: str
    payload: bytes | CheckedPayload
    """One JSON value as UTF-8; delivered byte for byte."""
    headers: dict[str, str] | None = None
    """Sent with this message; they win over the endpoint's."""
    idempotency_key: str | None = None
    """1 to 255 of `[a-zA-Z0-9_-]`; a second send with it makes no second message."""
    retention_hours: int | None = None
    """Hours that the payload is kept after delivery; 0 = none, `None` = as configured."""
