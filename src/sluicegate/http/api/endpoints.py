"""Endpoints over HTTP: contract sections 4 and 5."""

from collections.abc import Awaitable

import msgspec

from sluicegate.engine.drafts import EndpointDraft, EndpointPatch
from sluicegate.engine.endpoints import ENDPOINTS_LISTED_MAX, Endpoints
from sluicegate.engine.settings import Settings
from sluicegate.http.answers import Answer, listing, success
from sluicegate.http.api.endpoint_answers import (
    CreatedEndpointAnswer,
    DeletedEndpointAnswer,
    EndpointAnswer,
    EndpointSummaryAnswer,
    PausedAnswer,
    ResumedAnswer,
    UpdatedEndpointAnswer,
)
from sluicegate.http.api.parameters import CURSOR, limit
from sluicegate.http.api.route import Envelope, Route
from sluicegate.http.bodies import Bodies
from sluicegate.http.calls import Call
from sluicegate.http.coming import Coming

__all__ = ["EndpointHandlers"]

_ESCAPE_GROWTH = 6
"""A header byte may be written as an escape of six."""
_FIELDS_BYTES = 65_536
"""For everything but the headers."""

_ONE = "/v1/endpoints/{endpoint_id}"
_LIMIT = limit(ENDPOINTS_LISTED_MAX, default=50)
_ID_ERRORS = ("INVALID_REQUEST", "ENDPOINT_NOT_FOUND")
_FIELD_ERRORS = (
    "INVALID_ENDPOINT",
    "ENDPOINT_BLOCKED",
    "ENDPOINT_UNREACHABLE",
    "INVALID_HEADERS",
    "DUPLICATE_URL",
)

_PAUSE = """\
Once this is answered, no attempt to the endpoint starts until it is resumed: no retry, no replay,
not after a restart either. Attempts already in flight run to their end and count. What waits, and
what is sent from now on, is accepted, stored and held, and reads `paused`; no attempt count
changes. The answer takes as long with a million waiting messages as with none.

Of several pauses at once one gets 200, the others 409 `ALREADY_PAUSED`. No body is needed.
"""
_RESUME = """\
Everything that was held is due at once and goes out in the order in which it was accepted, with
its attempts counted on, as the endpoint's rate limit and `max_in_flight` allow.
`messages_requeued` says how many messages that are. No body is needed.
"""

_DRAFT = msgspec.json.Decoder(EndpointDraft)
_PATCH = msgspec.json.Decoder(EndpointPatch)


class EndpointHandlers:
    """Translates requests about endpoints and their pause."""

    def __init__(self, endpoints: Endpoints, bodies: Bodies, settings: Settings) -> None:
        self._endpoints = endpoints
        self._bodies = bodies
        self._body_bytes_max = settings.headers_bytes_max * _ESCAPE_GROWTH + _FIELDS_BYTES

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        return (
            Route(
                method="POST",
                path="/v1/endpoints",
                handler=self.create,
                name="create_endpoint",
                tag="Endpoints",
                summary="Create an endpoint",
                description="The signing secret stands in this answer and in no other. The host "
                "name is looked up at once, and every address that it has must be public.",
                body=EndpointDraft,
                status=201,
                answer=CreatedEndpointAnswer,
                gives={"endpoint_id": "/data/id", "signing_key_id": "/data/signing_key_id"},
                errors=("INVALID_REQUEST", *_FIELD_ERRORS),
            ),
            Route(
                method="GET",
                path="/v1/endpoints",
                handler=self.list_page,
                name="list_endpoints",
                tag="Endpoints",
                summary="List endpoints",
                description="Newest first.",
                query=(_LIMIT, CURSOR),
                answer=EndpointSummaryAnswer,
                envelope=Envelope.LIST,
                errors=("INVALID_REQUEST",),
            ),
            Route(
                method="GET",
                path=_ONE,
                handler=self.get,
                name="get_endpoint",
                tag="Endpoints",
                summary="Get an endpoint",
                description="Everything but the signing secret, with the counts of its messages.",
                answer=EndpointAnswer,
                errors=_ID_ERRORS,
            ),
            Route(
                method="PATCH",
                path=_ONE,
                handler=self.update,
                name="update_endpoint",
                tag="Endpoints",
                summary="Change an endpoint",
                description="What is not given stays as it is, so `{}` changes nothing. The next "
                "attempt goes by the result. A new URL is checked as at creation.",
                body=EndpointPatch,
                answer=UpdatedEndpointAnswer,
                errors=(*_ID_ERRORS, *_FIELD_ERRORS),
            ),
            Route(
                method="DELETE",
                path=_ONE,
                handler=self.delete,
                name="delete_endpoint",
                tag="Endpoints",
                summary="Delete an endpoint",
                description="What was waiting becomes `failed_permanent` with the error "
                "`endpoint deleted`; an attempt in flight may end. Its messages stay readable, "
                "and its URL is free again.",
                answer=DeletedEndpointAnswer,
                errors=_ID_ERRORS,
            ),
            Route(
                method="POST",
                path=f"{_ONE}/pause",
                handler=self.pause,
                name="pause_endpoint",
                tag="Endpoints",
                summary="Pause an endpoint",
                description=_PAUSE,
                answer=PausedAnswer,
                errors=(*_ID_ERRORS, "ALREADY_PAUSED"),
            ),
            Route(
                method="POST",
                path=f"{_ONE}/resume",
                handler=self.resume,
                name="resume_endpoint",
                tag="Endpoints",
                summary="Resume an endpoint",
                description=_RESUME,
                answer=ResumedAnswer,
                errors=(*_ID_ERRORS, "NOT_PAUSED"),
            ),
        )

    async def create(self, call: Call) -> Answer:
        """POST /v1/endpoints."""
        draft = await self._bodies.json(call.request, _DRAFT, bytes_max=self._body_bytes_max)
        created = await self._endpoints.create(call.project_id, draft)
        return success(call.request_id, CreatedEndpointAnswer.of(created), status=201)

    async def list_page(self, call: Call) -> Answer:
        """GET /v1/endpoints."""
        page = await self._endpoints.list(
            call.project_id,
            limit=_LIMIT.whole(call.request),
            cursor=CURSOR.text(call.request),
        )
        return listing(
            call.request_id,
            [EndpointSummaryAnswer.of(endpoint) for endpoint in page.items],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def get(self, call: Call) -> Answer:
        """GET /v1/endpoints/{endpoint_id}."""
        endpoint = await self._endpoints.get(call.project_id, call.path("endpoint_id"))
        return success(call.request_id, EndpointAnswer.of(endpoint))

    async def update(self, call: Call) -> Answer:
        """PATCH /v1/endpoints/{endpoint_id}."""
        patch = await self._bodies.json(call.request, _PATCH, bytes_max=self._body_bytes_max)
        endpoint = await self._endpoints.update(call.project_id, call.path("endpoint_id"), patch)
        return success(call.request_id, UpdatedEndpointAnswer.of(endpoint))

    async def delete(self, call: Call) -> Answer:
        """DELETE /v1/endpoints/{endpoint_id}."""
        await self._endpoints.delete(call.project_id, call.path("endpoint_id"))
        return success(call.request_id, DeletedEndpointAnswer())

    def pause(self, call: Call) -> Awaitable[Answer]:
        """POST /v1/endpoints/{endpoint_id}/pause."""
        endpoint_id = call.path("endpoint_id")

        def paused(_: None) -> Answer:
            return success(call.request_id, PausedAnswer(id=endpoint_id))

        return Coming(self._endpoints.pause(call.project_id, endpoint_id), paused)

    def resume(self, call: Call) -> Awaitable[Answer]:
        """POST /v1/endpoints/{endpoint_id}/resume."""
        endpoint_id = call.path("endpoint_id")

        def resumed(held: int) -> Answer:
            return success(call.request_id, ResumedAnswer(id=endpoint_id, messages_requeued=held))

        return Coming(self._endpoints.resume(call.project_id, endpoint_id), resumed)
