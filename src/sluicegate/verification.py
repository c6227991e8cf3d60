"""The receiving side: is a webhook what its sender signed, and new?

A delivery is signed in two forms (see `sluicegate.engine.signing`). They are not equally strong:
Standard Webhooks (`webhook-…`) signs the message id, HookBridge's own (`X-Webhook-…`) does not.
Who has seen a request could leave the first form out, give the second one another id and send it
again: to a receiver that acts once for each id, that is a new message. So:

- the form that signs the id is demanded, unless the caller says that its sender has none;
- of what is there, everything must be right: neither form stands in for the other;
- both must speak of the same id and the same moment.

Signatures of a version that is not known (`v1a`, which is asymmetric, `sha512=`) are passed over,
as Standard Webhooks demands, and prove nothing.
"""

import hmac
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

from sluicegate.clock import SystemClock
from sluicegate.engine.errors import (
    MalformedWebhookError,
    SignatureDowngradeError,
    SignatureMismatchError,
    SigningSecretError,
    WebhookTimestampError,
)
from sluicegate.engine.signing import check_secret, signature_headers

if TYPE_CHECKING:
    from sluicegate.engine.ports import Clock  # with all other ports

__all__ = ["TOLERANCE_S", "ReceivedHeaders", "Verified", "verify"]

TOLERANCE_S = 300.0
"""Five minutes, as the libraries of Standard Webhooks have it."""

_TOLERANCE_MAX_S = 7 * 86_400.0
_SECRETS_MAX = 16
_SIGNATURES_MAX = 16
_STANDARD = ("webhook-id", "webhook-timestamp", "webhook-signature")
_OWN = ("x-webhook-id", "x-webhook-timestamp", "x-webhook-signature")

# A full stop separates what is signed: with one in the id, an id and a moment could be moved into
# one another.
_ID = re.compile(r"[!-\-/-~]{1,256}")
# As it is signed: decimal, without zeros in front.
_TIMESTAMP = re.compile(r"0|[1-9][0-9]{0,11}")

clock: "Clock" = SystemClock()
"""Where `verify` takes the time from when it is not told: the machine's, but in a simulation."""


class _HasItems(Protocol):
    """A mapping of whatever kind, with or without several values of a name."""

    def items(self) -> Iterable[tuple[object, object]]:
        """Return all pairs."""
        ...


ReceivedHeaders = Mapping[str, str] | Iterable[tuple[object, object]] | _HasItems
"""What a framework gives: a mapping, its `Headers`, or pairs; names in any case, text or bytes."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook proved."""

    message_id: str
    """The same on every attempt: act once for each."""
    timestamp_s: int
    """When this attempt was signed, in seconds since the Unix epoch."""
    key_index: int
    """Which of the secrets it was signed with, from 0: while keys are rotated, whether the old one
    is still in use."""
    id_is_signed: bool
    """Whether `message_id` is part of what was signed; `False` only with `allow_unsigned_id`."""

    @property
    def signed_at(self) -> datetime:
        """When this attempt was signed, in UTC."""
        return datetime.fromtimestamp(self.timestamp_s, tz=UTC)


def verify(
    secret: str | Sequence[str],
    headers: ReceivedHeaders,
    body: bytes | bytearray | memoryview | str,
    tolerance_s: float = TOLERANCE_S,
    *,
    allow_unsigned_id: bool = False,
    now_s: float | None = None,
) -> Verified:
    """Return what a received webhook proves, or raise.

    Does not block, touches no network and no disk; safe from any thread. Signatures are compared
    in constant time. No error shows a secret or a signature that would be right.

    Args:
        secret: the endpoint's signing secret (`whsec_…`), or several, any of which will do: both
            while a key is rotated; at most 16.
        headers: all of the request's, in any kind of mapping or as pairs; names in any case.
        body: the bytes as they came. Text is taken as UTF-8; JSON that was parsed and written
            again is another body.
        tolerance_s: how far the signed timestamp may be from now, in both directions; from 0 to
            a week.
        allow_unsigned_id: also take a webhook that has only `X-Webhook-Signature`, from a sender
            that has no other form. Its message id is then whatever somebody wrote there.
        now_s: the time, in seconds since the Unix epoch; the machine's when not given, or in a
            simulation the virtual one.

    Raises:
        MalformedWebhookError: a header that signs is missing, there twice or malformed.
        SignatureDowngradeError: only the form is there that does not sign the message id.
        WebhookTimestampError: it was signed too long ago, or lies too far in the future.
        SignatureMismatchError: a form that is there has no signature made with any of the secrets.
        SigningSecretError: a secret is none: this program's configuration is wrong. It is no
            `VerificationError`, so that it does not look like a forgery.
        TypeError: the body or the headers are something else.
        ValueError: `tolerance_s` or `now_s` is out of bounds, or text has no UTF-8.
    """
    secrets = _checked_secrets(secret)
    if type(tolerance_s) not in {int, float} or not 0 <= tolerance_s <= _TOLERANCE_MAX_S:
        raise ValueError(
            f"tolerance_s: {tolerance_s!r} is not allowed: seconds from 0 to {_TOLERANCE_MAX_S:.0f}"
        )
    if now_s is not None and not math.isfinite(now_s):
        raise ValueError(f"now_s: {now_s!r} is not allowed: seconds since 1970")  # none is too old
    found = _signing_headers(headers)
    is_standard = any(name in found for name in _STANDARD)
    is_own = any(name in found for name in _OWN)
    if not is_standard and not is_own:
        raise MalformedWebhookError("the request is not signed: it has no header webhook-signature")
    if not is_standard and not allow_unsigned_id:
        raise SignatureDowngradeError(
            "the request has only X-Webhook-Signature, which does not sign the message id, and no"
            " webhook-signature: it may have been taken away. If this sender has no other form,"
            " give allow_unsigned_id=True"
        )
    forms = [names for names, there in ((_STANDARD, is_standard), (_OWN, is_own)) if there]
    message_id, timestamp_s = _signed_claims(found, forms)
    _check_timestamp(timestamp_s, tolerance_s, clock.wall_ms() / 1000 if now_s is None else now_s)
    content = _bytes_of(body)
    wanted = [
        dict(
            signature_headers(
                message_id=message_id, timestamp_s=timestamp_s, body=content, secrets=[each]
            )
        )
        for each in secrets
    ]
    key_index = -1
    if is_own:
        given = _signatures(found, "x-webhook-signature", separator=",", version="sha256=")
        key_index = _matching(given, [each["X-Webhook-Signature"] for each in wanted], _OWN[2])
    if is_standard:
        given = _signatures(found, "webhook-signature", separator=" ", version="v1,")
        key_index = _matching(given, [each["webhook-signature"] for each in wanted], _STANDARD[2])
    return Verified(
        message_id=message_id,
        timestamp_s=timestamp_s,
        key_index=key_index,
        id_is_signed=is_standard,
    )


def _checked_secrets(secret: object) -> list[str]:
    given = [secret] if isinstance(secret, str) or not isinstance(secret, Sequence) else secret
    if not 1 <= len(given) <= _SECRETS_MAX:
        raise SigningSecretError(
            f"secret: {len(given)} signing secrets; 1 to {_SECRETS_MAX} are allowed"
        )
    secrets = []
    for number, each in enumerate(given):
        try:
            secrets.append(check_secret(each))
        except ValueError as error:
            raise SigningSecretError(f"signing secret {number}: {error}") from None
    return secrets


def _bytes_of(body: object) -> bytes:
    match body:
        case bytes():
            return body
        case bytearray() | memoryview():
            return bytes(body)
        case str():
            try:
                return body.encode()
            except UnicodeEncodeError:
                raise ValueError("body: text that cannot be UTF-8; give the bytes") from None
        case _:
            raise TypeError(f"body: the bytes as they came are needed, not {type(body).__name__}")


def _signing_headers(headers: object) -> dict[str, str]:
    """Return the headers that sign, by their names in lower case.

    Raises:
        MalformedWebhookError: one is there more than once, in whatever case.
        TypeError: these are no headers.
    """
    pairs = headers.items() if hasattr(headers, "items") else headers
    if isinstance(pairs, str | bytes) or not isinstance(pairs, Iterable):
        raise TypeError(f"headers: a mapping or pairs are needed, not {type(headers).__name__}")
    found: dict[str, str] = {}
    for pair in pairs:
        if not isinstance(pair, Sequence) or isinstance(pair, str | bytes) or len(pair) != 2:  # noqa: PLR2004 - a pair
            raise TypeError("headers: pairs of a name and a value are needed")
        name = _text(pair[0]).lower()
        if name not in _STANDARD and name not in _OWN:
            continue
        values = pair[1] if isinstance(pair[1], list | tuple) else [pair[1]]
        if name in found or len(values) != 1:
            raise MalformedWebhookError(f"header {name} is there more than once, or without value")
        found[name] = _text(values[0])
    return found


def _text(part: object) -> str:
    if isinstance(part, bytes):
        return part.decode("latin-1")  # RFC 9110 §5.5: whatever it is, each byte is a character
    if isinstance(part, str):
        return part
    raise TypeError(f"headers: names and values are text or bytes, not {type(part).__name__}")


def _signed_claims(
    found: Mapping[str, str], forms: Sequence[tuple[str, str, str]]
) -> tuple[str, int]:
    """Return the message id and the timestamp, on which all forms must agree."""
    for names in forms:
        for name in names:
            if not found.get(name):
                raise MalformedWebhookError(f"header {name} is missing or empty")
        if _ID.fullmatch(found[names[0]]) is None:
            raise MalformedWebhookError(
                f"header {names[0]}: 1 to 256 visible characters without a full stop are allowed"
            )
        if _TIMESTAMP.fullmatch(found[names[1]]) is None:
            raise MalformedWebhookError(
                f"header {names[1]}: seconds since 1970 are needed, in at most 12 digits"
            )
    claims = {(found[names[0]], found[names[1]]) for names in forms}
    if len(claims) > 1:
        raise MalformedWebhookError(
            "the headers webhook-… and X-Webhook-… name different messages or moments"
        )
    ((message_id, timestamp),) = claims
    return message_id, int(timestamp)


def _check_timestamp(timestamp_s: int, tolerance_s: float, now_s: float) -> None:
    if timestamp_s < now_s - tolerance_s:
        raise WebhookTimestampError(
            f"signed {now_s - timestamp_s:.0f} s ago; {tolerance_s:g} s are allowed"
        )
    if timestamp_s > now_s + tolerance_s:
        raise WebhookTimestampError(
            f"signed {timestamp_s - now_s:.0f} s in the future; {tolerance_s:g} s are allowed:"
            " is a clock wrong?"
        )


def _signatures(found: Mapping[str, str], name: str, *, separator: str, version: str) -> list[str]:
    """Return the signatures of the version that is known."""
    given = [each.strip(" ") for each in found[name].split(separator)]
    if len(given) > _SIGNATURES_MAX:
        raise MalformedWebhookError(f"header {name}: at most {_SIGNATURES_MAX} signatures")
    known = [each for each in given if each.startswith(version)]
    if not known:
        raise MalformedWebhookError(
            f"header {name}: there is no signature that begins with {version!r}; others, such as"
            " asymmetric ones, are not known here"
        )
    return known


def _matching(given: Sequence[str], wanted: Sequence[str], name: str) -> int:
    """Return the number of the first secret whose signature was given.

    All are compared, and each comparison takes the same time wherever it differs.

    Raises:
        SignatureMismatchError: there is none.
    """
    matching = [
        number
        for number, right in enumerate(wanted)
        for each in given
        if hmac.compare_digest(each.encode("utf-8", "surrogatepass"), right.encode())
    ]
    if not matching:
        raise SignatureMismatchError(
            f"header {name}: no signature is of this body with"
            f" {'the secret' if len(wanted) == 1 else 'any of the secrets'}. Is it the endpoint's"
            " secret, and the body as it came?"
        )
    return matching[0]
