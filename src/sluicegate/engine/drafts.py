"""What a client asks for, before it is checked. The use cases check every field.

`EndpointDraft` and `EndpointPatch` are also the bodies of the requests: the names and types of
their fields are the contract's.
"""

import json
from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sluicegate.engine.bounds import Limits
from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.headers import HEADER_NAME, HEADER_VALUE
from sluicegate.engine.urls import URL_CHARS_MAX, URL_CHARS_MIN

__all__ = [
    "BATCH_MAX",
    "BURST",
    "DESCRIPTION",
    "MAX_IN_FLIGHT",
    "RATE_LIMIT_RPS",
    "TIMEOUT_S",
    "CheckedPayload",
    "EndpointDraft",
    "EndpointPatch",
    "HeadersDraft",
    "MessageDraft",
    "draft",
    "json_text",
    "message_draft",
]

BATCH_MAX = 1000
"""Messages in one batch."""

DESCRIPTION = Limits(0, 500)
RATE_LIMIT_RPS = Limits(0, 1000)
BURST = Limits(0, 10_000)
MAX_IN_FLIGHT = Limits(1, 256)
TIMEOUT_S = Limits(1, 120)

HeadersDraft = Annotated[
    dict[str, Annotated[str, Meta(extra_json_schema={"pattern": f"^{HEADER_VALUE.pattern}$"})]],
    Meta(
        extra_json_schema={
            "maxProperties": 50,
            "propertyNames": {"pattern": f"^{HEADER_NAME.pattern}$"},
        }
    ),
]
"""Headers as a client gives them. The limits are those of the default settings."""
_Url = Annotated[
    str,
    Limits(URL_CHARS_MIN, URL_CHARS_MAX).of_text(format="uri", pattern="^[Hh][Tt][Tt][Pp][Ss]://"),
]
_Description = Annotated[str, DESCRIPTION.of_text()]
_RateLimitRps = Annotated[int, RATE_LIMIT_RPS.of_number()]
_Burst = Annotated[int, BURST.of_number()]
_MaxInFlight = Annotated[int, MAX_IN_FLIGHT.of_number()]
_TimeoutS = Annotated[float, TIMEOUT_S.of_number()]


class EndpointDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that is to be created."""

    url: _Url
    """`https`, 12 to 2048 characters, no credentials, no fragment."""
    description: _Description | None = None
    """At most 500 characters."""
    rate_limit_rps: _RateLimitRps = 0
    """Attempts a second, 0 to 1000; 0 = no limit."""
    burst: _Burst = 0
    """Attempts at once under the rate limit, 0 to 10000; 0 = as `rate_limit_rps`."""
    headers: HeadersDraft | None = None
    """Sent with every delivery."""
    ordered: bool = False
    """Deliver one after the other: the next starts when the one before it is done with."""
    max_in_flight: _MaxInFlight = 16
    """Attempts at once, 1 to 256."""
    timeout_s: _TimeoutS = 30
    """Seconds for a whole attempt, 1 to 120."""


class EndpointPatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change of an endpoint; a field that is not given stays as it is."""

    url: _Url | UnsetType = UNSET
    """Checked as at creation."""
    description: _Description | UnsetType | None = UNSET
    """Null clears it."""
    rate_limit_rps: _RateLimitRps | UnsetType = UNSET
    """Attempts a second, 0 to 1000; 0 = no limit."""
    burst: _Burst | UnsetType = UNSET
    """Attempts at once under the rate limit, 0 to 10000; 0 = as `rate_limit_rps`."""
    headers: HeadersDraft | UnsetType | None = UNSET
    """Replaces all of them; null clears them."""
    ordered: bool | UnsetType = UNSET
    """Deliver one after the other."""
    max_in_flight: _MaxInFlight | UnsetType = UNSET
    """Attempts at once, 1 to 256."""
    timeout_s: _TimeoutS | UnsetType = UNSET
    """Seconds for a whole attempt, 1 to 120."""


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


_D = TypeVar("_D", EndpointDraft, EndpointPatch, MessageDraft)


def draft(kind: type[_D], /, **fields: object) -> _D:
    """Make a draft from what a Python caller gave by keyword.

    Raises:
        InvalidRequestError: a field has the wrong type, or there is no such field.
    """
    unknown = fields.keys() - set(kind.__struct_fields__)
    if unknown:
        msg = f"there is no field {min(unknown)!r}; there are {', '.join(kind.__struct_fields__)}"
        raise InvalidRequestError(msg, details={"field": min(unknown)})
    try:
        return msgspec.convert(fields, kind)
    except (msgspec.ValidationError, ValueError) as error:  # ValueError: lone surrogates
        raise InvalidRequestError(str(error)) from None


def message_draft(fields: object) -> MessageDraft:
    """Make a draft of a message from what a Python caller gave as one value.

    Raises:
        InvalidRequestError: it does not map names to values, a field is missing, unknown or of
            the wrong type, or the payload is not a JSON value.
    """
    if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
        raise InvalidRequestError("a message must be a mapping of field names to values")
    if "payload" not in fields:
        raise InvalidRequestError("payload is required", details={"field": "payload"})
    return draft(MessageDraft, **{**fields, "payload": json_text(fields["payload"])})


def json_text(payload: object) -> bytes:
    """Return the JSON text of a payload that a Python caller gave; `bytes` are such a text.

    Raises:
        InvalidRequestError: it is not a JSON value.
    """
    if isinstance(payload, bytes):
        return payload
    try:
        text = json.dumps(payload, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"payload must be a JSON value: {error}"
        raise InvalidRequestError(msg, details={"field": "payload"}) from None
