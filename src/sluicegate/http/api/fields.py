"""The types of fields that many answers have, as `/openapi.json` describes them.

They say what a text looks like and check nothing: answers are only written, and what clients
send is checked by the engine, in its own words.
"""

from datetime import datetime
from re import Pattern
from typing import Annotated

from msgspec import Meta

from sluicegate.engine import ids
from sluicegate.engine.moments import format_moment

__all__ = ["ApiKeyId", "EndpointId", "Moment", "ProjectId", "SigningKeyId", "Uuid7", "known_moment"]


def _form(pattern: Pattern[str], example: str) -> Meta:
    return Meta(examples=[example], extra_json_schema={"pattern": f"^{pattern.pattern}$"})


Moment = Annotated[
    str,
    Meta(examples=["2026-04-05T14:23:11.123Z"], extra_json_schema={"format": "date-time"}),
]
"""RFC 3339 in UTC, with `Z` and 3 fractional digits."""
EndpointId = Annotated[str, _form(ids.ENDPOINT_ID, "ep_6f1c2a9b0d3e4f5a8b7c6d5e4f3a2b1c")]
SigningKeyId = Annotated[str, _form(ids.SIGNING_KEY_ID, "sk_0f1e2d3c4b5a69788796a5b4c3d2e1f0")]
ApiKeyId = Annotated[str, _form(ids.API_KEY_ID, "key_a1b2c3d4e5f60718293a4b5c6d7e8f90")]
ProjectId = Annotated[
    str,
    Meta(
        examples=["proj_3b9f8e7d6c5b4a392817f6e5d4c3b2a1"],
        extra_json_schema={"pattern": "^proj_[0-9a-f]{32}$"},
    ),
]
Uuid7 = Annotated[str, _form(ids.UUID7, "019603a1-7c3e-7d42-9b1a-5f6e8d7c4b3a")]
"""The id of a message, an attempt or an export."""


def known_moment(moment: datetime | None) -> str | None:
    """Write a moment that may not be known."""
    return None if moment is None else format_moment(moment)
