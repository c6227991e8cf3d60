"""The records that every layer speaks of.

Views that callers get hold moments as aware UTC datetimes. Records on the path of a
message hold them as integer milliseconds since the Unix epoch (`…_at_ms`).
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.outcome import Outcome

__all__ = [
    "Accepted",
    "ApiKey",
    "Arrivals",
    "Attempt",
    "AttemptResult",
    "CreatedApiKey",
    "CreatedEndpoint",
    "CreatedSigningKey",
    "Endpoint",
    "EndpointConfig",
    "EndpointCounts",
    "EndpointState",
    "Health",
    "LogEntry",
    "Message",
    "NewMessage",
    "PauseReason",
    "Principal",
    "RetryType",
    "SigningKey",
    "Verdict",
    "WaitingMessage",
]


class PauseReason(StrEnum):
    """Why an endpoint is paused."""

    MANUAL = "manual"
    """A client asked for it."""
    GONE = "gone"
    """The receiver answered 410."""
    FAILING = "failing"
    """Nothing succeeded for too long."""


class RetryType(StrEnum):
    """Which schedule a retry follows."""

    FAST = "fast"
    """After 429."""
    SLOW = "slow"
    """After anything else that may be repeated."""


class EndpointConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a client chose for an endpoint; already checked and normalised."""

    url: str
    description: str | None = None
    rate_limit_rps: int = 0
    """Attempts a second, 0..1000; 0 = no limit."""
    burst: int = 0
    """Attempts at once under the rate limit, 0..10000; 0 = as `rate_limit_rps`."""
    headers: dict[str, str] = {}
    ordered: bool = False
    max_in_flight: int = 16
    """1..256."""
    timeout_s: float = 30
    """For a whole attempt, 1..120."""


class EndpointCounts(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint's messages by the status that a reader sees (deleted ones don't count)."""

    queued: int = 0
    delivering: int = 0
    pending_retry: int = 0
    paused: int = 0
    failed_permanent: int = 0


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as its clients see it."""

    id: str
    project_id: str
    config: EndpointConfig
    paused_at: datetime | None
    pause_reason: PauseReason | None
    created_at: datetime
    updated_at: datetime
    counts: EndpointCounts = EndpointCounts()

    @property
    def paused(self) -> bool:
        """Whether nothing is sent until a resume."""
        return self.paused_at is not None

    @property
    def url(self) -> str:
        """Where messages are delivered to."""
        return self.config.url


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """One of an endpoint's signing keys, without its secret."""

    id: str
    key_hint: str
    """The secret's last 4 characters."""
    created_at: datetime


class CreatedSigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """A signing key at the only moment when its secret is told."""

    id: str
    signing_secret: str
    key_hint: str
    created_at: datetime

    def __repr__(self) -> str:
        """Show which key it is, never its secret."""
        return f"CreatedSigningKey(id={self.id!r}, key_hint={self.key_hint!r})"


class CreatedEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A new endpoint with its first signing key."""

    endpoint: Endpoint
    signing_key: CreatedSigningKey

    def __repr__(self) -> str:
        """Show which endpoint it is, never its secret or its headers."""
        return f"CreatedEndpoint(id={self.id!r})"

    @property
    def id(self) -> str:
        """The endpoint's id."""
        return self.endpoint.id

    @property
    def signing_secret(self) -> str:
        """The secret with which deliveries are signed; told only now."""
        return self.signing_key.signing_secret


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What the circuit remembers of an endpoint; stored with the attempts that change it."""

    consecutive_failures: int = 0
    """Retryable failures since the last 2xx."""
    failing_since_ms: int | None = None
    """When the first of them ended."""


class EndpointState(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint's actor knows of it: read at activation, returned by each control write."""

    id: str
    project_id: str
    config: EndpointConfig
    secrets: tuple[str, ...]
    """Signing secrets in the clear, newest first; 1 or 2."""
    paused: bool
    pause_reason: PauseReason | None
    deleted: bool
    health: Health
    release_no: int
    """How often the endpoint was resumed. A retry scheduled under a lower number is due now."""

    def __repr__(self) -> str:
        """Show which endpoint it is, never its secrets."""
        return f"EndpointState(id={self.id!r}, paused={self.paused})"


class NewMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A checked message on its way into storage."""

    id: str
    """UUIDv7 with dashes."""
    project_id: str
    endpoint_id: str
    payload: bytes
    """The JSON text to deliver, byte for byte."""
    payload_sha256: bytes
    headers: dict[str, str] = {}
    idempotency_key: str | None = None
    retention_hours: int | None = None
    accepted_at_ms: int


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A message is durable, or was already (same idempotency key, same payload)."""

    message_id: str
    duplicate: bool = False


class WaitingMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message in the window of its endpoint's actor."""

    seq: int
    """Acceptance order; unique in the database."""
    id: str
    status: MessageStatus
    """`QUEUED` or `PENDING_RETRY`."""
    accepted_at_ms: int
    next_attempt_at_ms: int | None
    """When a retry is due; `None` while queued."""
    release_no: int
    """The endpoint's `release_no` when the retry was scheduled; 0 while queued."""
    attempt_count: int
    """Attempts recorded so far, over all cycles."""
    cycle_attempts: int
    """Attempts recorded in this cycle."""
    fast_retries: int
    """How many retries of this cycle followed the fast schedule."""
    headers: dict[str, str]
    payload: bytes | None
    """`None` when too large to keep in a window: `Storage.get_payload_by_seq` reads it."""


class Arrivals(msgspec.Struct, frozen=True):
    """Messages that an endpoint got, without a gap."""

    after_seq: int | None
    """The `seq` of the endpoint's message before them; `None` if it is not known."""
    messages: list[WaitingMessage]
    """At least one, in acceptance order, as they wait."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt does to its message, decided by `sluicegate.engine.decision`."""

    status: MessageStatus
    """`SUCCEEDED`, `PENDING_RETRY` or `FAILED_PERMANENT`."""
    next_attempt_at_ms: int | None = None
    retry_type: RetryType | None = None
    retry_after_s: int | None = None
    """What the receiver asked for, if it asked."""
    last_error: str | None = None


class AttemptResult(msgspec.Struct, frozen=True, kw_only=True):
    """A finished attempt with all that follows from it: one durable write."""

    attempt_id: str
    seq: int
    message_id: str
    endpoint_id: str
    attempt_no: int
    """Numbered from 1, over all cycles."""
    started_at_ms: int
    finished_at_ms: int
    accepted_at_ms: int
    request_headers: tuple[tuple[str, str], ...]
    outcome: Outcome
    verdict: Verdict
    release_no: int
    """The endpoint's `release_no` when the attempt ended."""
    health: Health | None = None
    """The endpoint's health after this attempt; `None` when it did not change."""
    pause: PauseReason | None = None
    """Pause the endpoint in the same write."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message as its clients see it."""

    id: str
    project_id: str
    endpoint_id: str
    status: MessageStatus
    attempt_count: int
    replay_count: int
    content_type: str
    size_bytes: int
    payload_sha256: str
    """Lower-case hex."""
    created_at: datetime
    updated_at: datetime
    idempotency_key: str | None = None
    next_attempt_at: datetime | None = None
    last_error: str | None = None
    response_status: int | None = None
    response_latency_ms: int | None = None
    delivered_at: datetime | None = None
    queue_wait_ms: int | None = None
    """From acceptance to the start of the first attempt."""
    total_delivery_ms: int | None = None
    """From acceptance to the end of the attempt that succeeded."""
    retention_hours: int | None = None
    deleted_at: datetime | None = None
    deleted_by_api_key_id: str | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request to a receiver and what came back; field names are the contract's."""

    id: str
    attempt_no: int
    created_at: datetime
    """When the attempt started."""
    response_status: int | None = None
    response_latency_ms: int | None = None
    processing_ms: int | None = None
    error_text: str | None = None
    response_headers: dict[str, str] | None = None
    retry_type: RetryType | None = None
    retry_after_seconds: int | None = None
    resolved_ip: str | None = None
    request_headers: dict[str, str] | None = None
    dns_ms: float | None = None
    tcp_connect_ms: float | None = None
    tls_handshake_ms: float | None = None
    ttfb_ms: float | None = None
    transfer_ms: float | None = None
    conn_reused: bool = False
    response_body: str | None = None
    response_body_truncated: bool = False


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A message in the log, in short."""

    message_id: str
    endpoint: str
    """The endpoint's URL."""
    status: MessageStatus
    attempt_count: int
    created_at: datetime
    delivered_at: datetime | None = None
    next_attempt_at: datetime | None = None
    response_status: int | None = None
    response_latency_ms: int | None = None
    last_error: str | None = None
    deleted_at: datetime | None = None


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Whom an API key stands for."""

    project_id: str
    api_key_id: str


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key without the key."""

    key_id: str
    label: str | None
    prefix: str
    """The key's first 11 characters."""
    created_at: datetime
    last_used_at: datetime | None = None


class CreatedApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key at the only moment when the key is told."""

    key_id: str
    key: str
    prefix: str
    label: str | None
    created_at: datetime

    def __repr__(self) -> str:
        """Show which key it is, never the key."""
        return f"CreatedApiKey(key_id={self.key_id!r}, prefix={self.prefix!r})"
