"""The rows and queries that go through the storage port."""

import msgspec

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import EndpointConfig, EndpointState, WaitingMessage

__all__ = ["ApiKeyRow", "EndpointRow", "Head", "LogQuery", "SigningKeyRow", "WorkItem"]


class SigningKeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A signing key on its way into storage, which encrypts the secret."""

    id: str
    secret: str
    created_at_ms: int

    def __repr__(self) -> str:
        """Show which key it is, never its secret."""
        return f"SigningKeyRow(id={self.id!r})"


class EndpointRow(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint on its way into storage."""

    id: str
    project_id: str
    config: EndpointConfig
    key: SigningKeyRow
    created_at_ms: int

    def __repr__(self) -> str:
        """Show which endpoint it is, never its secret or its headers."""
        return f"EndpointRow(id={self.id!r})"


class ApiKeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """An API key on its way into storage, which sees only its hash."""

    id: str
    project_id: str
    key_sha256: bytes
    prefix: str
    label: str | None
    created_at_ms: int

    def __repr__(self) -> str:
        """Show which key it is, never its hash."""
        return f"ApiKeyRow(id={self.id!r}, prefix={self.prefix!r})"


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages a log page holds; newest first."""

    project_id: str
    limit: int
    before_seq: int | None = None
    """Only messages accepted before this one."""
    endpoint_id: str | None = None
    status: MessageStatus | None = None
    """By the status that a reader sees."""
    deleted: bool | None = None
    """Only deleted ones, or only those that are not; `None` = both."""
    start_at_ms: int | None = None
    """Inclusive."""
    end_at_ms: int | None = None
    """Exclusive."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint's actor must know to begin: its state, and the head of its backlog."""

    state: EndpointState
    queued: list[WaitingMessage]
    """`QUEUED` messages in acceptance order; none of an endpoint that is paused or deleted."""
    due: list[WaitingMessage]
    """`PENDING_RETRY` messages without their payloads, earliest first; likewise."""
    limit: int
    """How many of each were asked for: where there are as many, more may wait."""


class WorkItem(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that has something to do, and when."""

    endpoint_id: str
    due_at_ms: int
    """0 when it has work now."""
