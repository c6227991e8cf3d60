"""What an attempt came to: a value, whatever the receiver did.

`Outcome` says what was seen; `sluicegate.engine.decision` says what follows from it.
"""

from enum import StrEnum

import msgspec

__all__ = ["Outcome", "OutcomeKind", "Timings"]


class OutcomeKind(StrEnum):
    """How far an attempt got."""

    ANSWERED = "answered"
    """The receiver sent a complete response head; `status` holds its code."""
    TIMEOUT = "timeout"
    """The connection or the whole attempt took too long."""
    DNS_ERROR = "dns_error"
    """The host name did not resolve, or not in time."""
    CONNECTION_ERROR = "connection_error"
    """Refused, reset, unreachable, closed early, or an answer that is not HTTP."""
    TLS_ERROR = "tls_error"
    """The handshake or the certificate failed."""
    BLOCKED = "blocked"
    """The address is not allowed; nothing was sent to it."""
    RECALLED = "recalled"
    """The endpoint was paused before the first byte was sent: this was no attempt."""


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """How long each phase took, in milliseconds; `None` for a phase that did not happen."""

    dns_ms: float | None = None
    tcp_connect_ms: float | None = None
    tls_handshake_ms: float | None = None
    ttfb_ms: float | None = None
    """From the request's last byte to the response's head."""
    transfer_ms: float | None = None
    """From the response's head to the last byte read."""
    total_ms: float = 0.0
    conn_reused: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt came to. Never an exception, for anything a receiver can do."""

    kind: OutcomeKind
    status: int | None = None
    """The HTTP status; set exactly when `kind` is `ANSWERED`."""
    error: str | None = None
    """One line for people; `None` when answered with 2xx."""
    headers: tuple[tuple[str, str], ...] = ()
    """Response headers as received, at most 16 KiB of them, undecodable bytes replaced."""
    retry_after: str | None = None
    """The raw `Retry-After` value, if the receiver sent one."""
    body: bytes = b""
    """The first bytes of the response as sent (still compressed, if it was)."""
    body_truncated: bool = False
    """More came, or might have come, than `body` holds."""
    resolved_ip: str | None = None
    """The address that was connected to."""
    timings: Timings = Timings()
