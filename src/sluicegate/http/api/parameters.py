"""The parameters of paths, and the query parameters that several routes have."""

from typing import Annotated, Any

from msgspec import Meta

from sluicegate.http.api.fields import ApiKeyId, EndpointId, SigningKeyId, Uuid7
from sluicegate.http.queries import Query

__all__ = ["CURSOR", "PATH_PARAMETERS", "limit"]

PATH_PARAMETERS: dict[str, tuple[Any, str]] = {
    "api_key_id": (ApiKeyId, "The `key_id` of an API key."),
    "endpoint_id": (EndpointId, "The id of an endpoint."),
    "export_id": (Uuid7, "The id of an export."),
    "message_id": (Uuid7, "The id of a message."),
    "signing_key_id": (SigningKeyId, "The id of one of the endpoint's signing keys."),
}
"""Type and description of every variable part of a path."""

CURSOR = Query(
    name="cursor",
    description="The `next_cursor` of the page before, with the same filters; "
    "without it the first page.",
)


def limit(maximum: int, *, default: int) -> Query:
    """Return the parameter that says how many items a page may have."""
    return Query(
        name="limit",
        description="At most so many.",
        type=Annotated[int, Meta(ge=1, le=maximum)],
        default=default,
    )
