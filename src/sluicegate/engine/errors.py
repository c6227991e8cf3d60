"""Every error that a caller can be told, as one tree; each carries its contract code.

These are the *caller's* mistakes and our refusals. A receiver's failure is a value
(`sluicegate.engine.outcome.Outcome`), and a bug of ours is neither: it crashes the actor.
The HTTP status of a code lives in `sluicegate.http.errors`.
"""

from collections.abc import Mapping
from typing import ClassVar

__all__ = [
    "AlreadyPausedError",
    "CannotDeleteLastKeyError",
    "DeliveryInProgressError",
    "DuplicateUrlError",
    "EndpointBlockedError",
    "EndpointNotFoundError",
    "EndpointUnreachableError",
    "EnqueueOnlyError",
    "ExportExpiredError",
    "ExportNotReadyError",
    "IdempotencyMismatchError",
    "InvalidEndpointError",
    "InvalidHeadersError",
    "InvalidRequestError",
    "InvalidStatusError",
    "MalformedWebhookError",
    "MaxSigningKeysReachedError",
    "MethodNotAllowedError",
    "NotFoundError",
    "NotPausedError",
    "OutboxError",
    "PartialDeleteFailureError",
    "PayloadTooLargeError",
    "PayloadUnavailableError",
    "RateLimitExceededError",
    "RateLimitedError",
    "ReplayLimitExceededError",
    "RetentionExpiredError",
    "RetryInProgressError",
    "SettingError",
    "SignatureDowngradeError",
    "SignatureMismatchError",
    "SigningSecretError",
    "SluicegateError",
    "StorageLockedError",
    "StorageVersionError",
    "UnauthorizedError",
    "UnavailableError",
    "VerificationError",
    "WebhookTimestampError",
]


class SluicegateError(Exception):
    """Base of every error that Sluicegate raises on purpose."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    default_message: ClassVar[str] = "internal error"

    def __init__(
        self, message: str | None = None, *, details: Mapping[str, object] | None = None
    ) -> None:
        """Carry a sentence for people and, in `details`, the field and its limit for programs."""
        self.message = message if message is not None else self.default_message
        self.details = dict(details) if details else {}
        super().__init__(self.message)


class UnauthorizedError(SluicegateError):
    """No key, a malformed one, or one that is not known (any more)."""

    code = "UNAUTHORIZED"
    default_message = "Invalid or missing API key"


class InvalidRequestError(SluicegateError):
    """A value of the wrong type, form or range."""

    code = "INVALID_REQUEST"
    default_message = "invalid request"


class InvalidEndpointError(SluicegateError):
    """The URL is not one that may be delivered to."""

    code = "INVALID_ENDPOINT"
    default_message = "endpoint must be a valid HTTPS URL"


class EndpointBlockedError(SluicegateError):
    """The URL leads to an address that is not on the public internet."""

    code = "ENDPOINT_BLOCKED"
    default_message = "endpoint address is private or internal"


class EndpointUnreachableError(SluicegateError):
    """The URL's host name does not resolve."""

    code = "ENDPOINT_UNREACHABLE"
    default_message = "endpoint host name does not resolve"


class DuplicateUrlError(SluicegateError):
    """Another endpoint of the project has this URL."""

    code = "DUPLICATE_URL"
    default_message = "an endpoint with this URL already exists"


class InvalidHeadersError(SluicegateError):
    """A header that is reserved, malformed, or one too many."""

    code = "INVALID_HEADERS"
    default_message = "invalid headers"


class PayloadTooLargeError(SluicegateError):
    """The payload is over the limit."""

    code = "PAYLOAD_TOO_LARGE"
    default_message = "payload is too large"


class EndpointNotFoundError(SluicegateError):
    """The project has no such endpoint."""

    code = "ENDPOINT_NOT_FOUND"
    default_message = "endpoint not found"


class NotFoundError(SluicegateError):
    """The project has no such message, key or route."""

    code = "NOT_FOUND"
    default_message = "not found"


class MethodNotAllowedError(SluicegateError):
    """The route exists, but not for this method."""

    code = "METHOD_NOT_ALLOWED"
    default_message = "method not allowed"


class IdempotencyMismatchError(SluicegateError):
    """The key stands for another payload."""

    code = "IDEMPOTENCY_MISMATCH"
    default_message = "Idempotency key already used with different payload"


class AlreadyPausedError(SluicegateError):
    """A pause of what is paused."""

    code = "ALREADY_PAUSED"
    default_message = "Endpoint is already paused"


class NotPausedError(SluicegateError):
    """A resume of what is not paused."""

    code = "NOT_PAUSED"
    default_message = "Endpoint is not paused"


class MaxSigningKeysReachedError(SluicegateError):
    """Two keys live already."""

    code = "MAX_SIGNING_KEYS_REACHED"
    default_message = "Endpoint already has the maximum of 2 signing keys"


class CannotDeleteLastKeyError(SluicegateError):
    """The last signing key of an endpoint, or the last API key of a project."""

    code = "CANNOT_DELETE_LAST_KEY"
    default_message = "the last key cannot be deleted"


class PayloadUnavailableError(SluicegateError):
    """The payload was removed; the record of the message stays."""

    code = "PAYLOAD_UNAVAILABLE"
    default_message = "payload is no longer available"


class RetentionExpiredError(PayloadUnavailableError):
    """The payload was removed because its retention is over."""

    code = "RETENTION_EXPIRED"
    default_message = "the payload's retention is over"


class InvalidStatusError(SluicegateError):
    """The message's status does not allow it."""

    code = "INVALID_STATUS"
    default_message = "the message's status does not allow this"


class DeliveryInProgressError(SluicegateError):
    """An attempt of the message is in flight."""

    code = "DELIVERY_IN_PROGRESS"
    default_message = "Message is being delivered"


class RetryInProgressError(SluicegateError):
    """The message waits on a fast retry, which will come by itself."""

    code = "RETRY_IN_PROGRESS"
    default_message = "Message is in an active fast retry"


class ReplayLimitExceededError(SluicegateError):
    """The message was replayed as often as it may be.

    Attributes:
        retry_after_s: a day. No waiting helps, but clients expect every 429 to say how long.
    """

    code = "REPLAY_LIMIT_EXCEEDED"
    default_message = "a message can be replayed 10 times"
    retry_after_s = 86_400


class PartialDeleteFailureError(SluicegateError):
    """Some of many messages could not be deleted. Never raised: it stands beside the others."""

    code = "PARTIAL_DELETE_FAILURE"
    default_message = "some messages could not be deleted, ask again"


class ExportNotReadyError(SluicegateError):
    """The export is not completed, or has failed."""

    code = "EXPORT_NOT_READY"
    default_message = "the export is not ready"


class ExportExpiredError(SluicegateError):
    """The export's file was removed."""

    code = "EXPORT_EXPIRED"
    default_message = "the export has expired"


class RateLimitedError(SluicegateError):
    """Too many failed authentication attempts from one address.

    Attributes:
        retry_after_s: whole seconds after which to try again.
    """

    code = "RATE_LIMITED"
    default_message = "too many failed authentication attempts"

    def __init__(self, message: str | None = None, *, retry_after_s: int = 1) -> None:
        """Say when to come back."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimitExceededError(RateLimitedError):
    """The project's requests of this minute are used up."""

    code = "RATE_LIMIT_EXCEEDED"
    default_message = "project's requests-per-minute exceeded"


class UnavailableError(SluicegateError):
    """Not now: overloaded, out of disk, or shutting down. Nothing was stored unless said so.

    Attributes:
        retry_after_s: whole seconds after which to try again.
    """

    code = "UNAVAILABLE"
    default_message = "temporarily unavailable, try again"

    def __init__(self, message: str | None = None, *, retry_after_s: int = 1) -> None:
        """Say when to come back."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SettingError(SluicegateError):
    """A setting with a value that is not allowed; stops the start."""

    code = "INVALID_SETTING"
    default_message = "invalid setting"


class EnqueueOnlyError(SluicegateError):
    """Only sending is possible in this process; all else is asked where the messages are delivered.

    Never raised over HTTP: a server owns its database.
    """

    code = "ENQUEUE_ONLY"
    default_message = (
        'an engine with mode="enqueue" can only send: the database belongs to the process that '
        "delivers; ask that one, in its program or over HTTP"
    )


class OutboxError(SluicegateError):
    """A message cannot be put into the host's database as that stands; nothing was written.

    Never raised over HTTP: a server's clients have no transaction of the host's.
    """

    code = "OUTBOX_UNUSABLE"
    default_message = "a message cannot be put into this database"


class StorageLockedError(SluicegateError):
    """Another process owns the database file."""

    code = "STORAGE_LOCKED"
    default_message = "the database is in use by another process"


class StorageVersionError(SluicegateError):
    """The database was written by a newer version."""

    code = "STORAGE_VERSION"
    default_message = "the database was written by a newer version"


class VerificationError(SluicegateError):
    """A received webhook is not to be believed: base of what `sluicegate.verify` refuses."""

    code = "VERIFICATION_FAILED"
    default_message = "the webhook could not be verified"


class MalformedWebhookError(VerificationError):
    """A header that signs is missing, there twice, or not of its form."""

    code = "MALFORMED_WEBHOOK"


class WebhookTimestampError(VerificationError):
    """The signed timestamp is too old or too far in the future."""

    code = "WEBHOOK_TIMESTAMP"


class SignatureMismatchError(VerificationError):
    """No signature is of this body with any of the secrets."""

    code = "SIGNATURE_MISMATCH"


class SignatureDowngradeError(VerificationError):
    """The form of signature that covers the message id was left out."""

    code = "SIGNATURE_DOWNGRADE"


class SigningSecretError(SluicegateError):
    """The receiver's own signing secret is none: its configuration is wrong, not the webhook."""

    code = "INVALID_SIGNING_SECRET"
    default_message = "invalid signing secret"
