"""What is answered about endpoints: contract sections 4 and 5."""

from typing import Annotated, Self

import msgspec
from msgspec import Meta

from sluicegate.engine.model import (
    CreatedEndpoint,
    Endpoint,
    EndpointCounts,
    PauseReason,
)
from sluicegate.engine.moments import format_moment
from sluicegate.http.api.fields import EndpointId, Moment, SigningKeyId, known_moment

__all__ = [
    "CreatedEndpointAnswer",
    "DeletedEndpointAnswer",
    "EndpointAnswer",
    "EndpointCountsAnswer",
    "EndpointSummaryAnswer",
    "PausedAnswer",
    "ResumedAnswer",
    "UpdatedEndpointAnswer",
]

_True = Annotated[bool, Meta(extra_json_schema={"const": True})]
_False = Annotated[bool, Meta(extra_json_schema={"const": False})]


class CreatedEndpointAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A new endpoint, at the only moment when its signing secret is told."""

    id: EndpointId
    url: str
    description: str | None
    signing_key_id: SigningKeyId
    signing_secret: str
    """`whsec_` and the base64 of 32 random bytes. Keep it: it is not shown again."""
    key_hint: str
    """The secret's last 4 characters."""
    created_at: Moment

    @classmethod
    def of(cls, created: CreatedEndpoint) -> Self:
        """Write a new endpoint with its secret."""
        return cls(
            id=created.endpoint.id,
            url=created.endpoint.config.url,
            description=created.endpoint.config.description,
            signing_key_id=created.signing_key.id,
            signing_secret=created.signing_key.signing_secret,
            key_hint=created.signing_key.key_hint,
            created_at=format_moment(created.endpoint.created_at),
        )

    def __repr__(self) -> str:
        """Show which endpoint it is, never its secret."""
        return f"CreatedEndpointAnswer(id={self.id!r})"


class EndpointSummaryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as a list shows it."""

    id: EndpointId
    url: str
    description: str | None
    paused: bool
    created_at: Moment

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Write an endpoint in short."""
        return cls(
            id=endpoint.id,
            url=endpoint.config.url,
            description=endpoint.config.description,
            paused=endpoint.paused,
            created_at=format_moment(endpoint.created_at),
        )


class EndpointCountsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint's messages by the status that they read; deleted ones don't count."""

    queued: int
    delivering: int
    pending_retry: int
    paused: int
    failed_permanent: int

    @classmethod
    def of(cls, counts: EndpointCounts) -> Self:
        """Write the counts."""
        return cls(
            queued=counts.queued,
            delivering=counts.delivering,
            pending_retry=counts.pending_retry,
            paused=counts.paused,
            failed_permanent=counts.failed_permanent,
        )


class EndpointAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about an endpoint but its signing secrets."""

    id: EndpointId
    url: str
    description: str | None
    rate_limit_rps: int
    """Attempts a second; 0 = no limit."""
    burst: int
    """Attempts at once under the rate limit; 0 = as `rate_limit_rps`."""
    headers: dict[str, str]
    """Sent with every delivery."""
    paused: bool
    """Whether nothing is sent until a resume."""
    paused_at: Moment | None
    pause_reason: PauseReason | None
    """`manual`: a client asked for it; `gone`: the receiver answered 410; `failing`: nothing
    succeeded for too long."""
    ordered: bool
    """Whether messages are delivered one after the other."""
    max_in_flight: int
    """Attempts at once."""
    timeout_s: float
    """Seconds for a whole attempt."""
    counts: EndpointCountsAnswer
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Write an endpoint with the counts of its messages."""
        config = endpoint.config
        return cls(
            id=endpoint.id,
            url=config.url,
            description=config.description,
            rate_limit_rps=config.rate_limit_rps,
            burst=config.burst,
            headers=config.headers,
            paused=endpoint.paused,
            paused_at=known_moment(endpoint.paused_at),
            pause_reason=endpoint.pause_reason,
            ordered=config.ordered,
            max_in_flight=config.max_in_flight,
            timeout_s=_shortest(config.timeout_s),
            counts=EndpointCountsAnswer.of(endpoint.counts),
            created_at=format_moment(endpoint.created_at),
            updated_at=format_moment(endpoint.updated_at),
        )

    def __repr__(self) -> str:
        """Show which endpoint it is, never its headers."""
        return f"{type(self).__name__}(id={self.id!r})"


class UpdatedEndpointAnswer(EndpointAnswer, frozen=True, kw_only=True):
    """An endpoint after a change."""

    updated: _True = True


class DeletedEndpointAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint was deleted."""

    deleted: _True = True


class PausedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint was paused: from now on no attempt starts."""

    id: EndpointId
    paused: _True = True


class ResumedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint was resumed: what was held is due."""

    id: EndpointId
    paused: _False = False
    messages_requeued: int
    """How many messages were held."""


def _shortest(value: float) -> float:
    return int(value) if value == int(value) else value
