"""Endpoints over HTTP: contract sections 4 and 5."""

import msgspec
from aiohttp import web

from sluicegate.engine.drafts import EndpointDraft, EndpointPatch
from sluicegate.engine.endpoints import Endpoints
from sluicegate.engine.settings import Settings
from sluicegate.http.answers import empty, listing, success
from sluicegate.http.api.endpoint_answers import (
    CreatedEndpointAnswer,
    DeletedEndpointAnswer,
    EndpointAnswer,
    EndpointSummaryAnswer,
    PausedAnswer,
    ResumedAnswer,
    UpdatedEndpointAnswer,
)
from sluicegate.http.api.route import Route
from sluicegate.http.api.signing_key_answers import CreatedSigningKeyAnswer, SigningKeyAnswer
from sluicegate.http.bodies import Bodies
from sluicegate.http.calls import Call
from sluicegate.http.queries import query_text, query_whole

__all__ = ["EndpointHandlers"]

_ESCAPE_GROWTH = 6
"""A header byte may be written as an escape of six."""
_FIELDS_BYTES = 65_536
"""For everything but the headers."""

_DRAFT = msgspec.json.Decoder(EndpointDraft)
_PATCH = msgspec.json.Decoder(EndpointPatch)


class EndpointHandlers:
    """Translates requests about endpoints, their pause and their signing keys."""

    def __init__(self, endpoints: Endpoints, bodies: Bodies, settings: Settings) -> None:
        self._endpoints = endpoints
        self._bodies = bodies
        self._body_bytes_max = settings.headers_bytes_max * _ESCAPE_GROWTH + _FIELDS_BYTES

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        one = "/v1/endpoints/{endpoint_id}"
        keys = one + "/signing-keys"
        table = (
            ("POST", "/v1/endpoints", self.create, "create_endpoint", "Create an endpoint"),
            ("GET", "/v1/endpoints", self.list_page, "list_endpoints", "List endpoints"),
            ("GET", one, self.get, "get_endpoint", "Get an endpoint"),
            ("PATCH", one, self.update, "update_endpoint", "Change an endpoint"),
            ("DELETE", one, self.delete, "delete_endpoint", "Delete an endpoint"),
            ("POST", one + "/pause", self.pause, "pause_endpoint", "Pause an endpoint"),
            ("POST", one + "/resume", self.resume, "resume_endpoint", "Resume an endpoint"),
            ("POST", keys, self.create_signing_key, "create_signing_key", "Add a signing key"),
            ("GET", keys, self.list_signing_keys, "list_signing_keys", "List signing keys"),
            (
                "DELETE",
                keys + "/{key_id}",
                self.delete_signing_key,
                "delete_signing_key",
                "Delete a signing key",
            ),
        )
        return tuple(
            Route(method=m, path=path, handler=handler, name=name, tag="Endpoints", summary=text)
            for m, path, handler, name, text in table
        )

    async def create(self, call: Call) -> web.Response:
        """POST /v1/endpoints."""
        draft = await self._bodies.json(call.request, _DRAFT, bytes_max=self._body_bytes_max)
        created = await self._endpoints.create(call.project_id, draft)
        return success(call.request_id, CreatedEndpointAnswer.of(created), status=201)

    async def list_page(self, call: Call) -> web.Response:
        """GET /v1/endpoints."""
        page = await self._endpoints.list(
            call.project_id,
            limit=query_whole(call.request, "limit", default=50),
            cursor=query_text(call.request, "cursor"),
        )
        return listing(
            call.request_id,
            [EndpointSummaryAnswer.of(endpoint) for endpoint in page.items],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def get(self, call: Call) -> web.Response:
        """GET /v1/endpoints/{endpoint_id}."""
        endpoint = await self._endpoints.get(call.project_id, call.path("endpoint_id"))
        return success(call.request_id, EndpointAnswer.of(endpoint))

    async def update(self, call: Call) -> web.Response:
        """PATCH /v1/endpoints/{endpoint_id}."""
        patch = await self._bodies.json(call.request, _PATCH, bytes_max=self._body_bytes_max)
        endpoint = await self._endpoints.update(call.project_id, call.path("endpoint_id"), patch)
        return success(call.request_id, UpdatedEndpointAnswer.of(endpoint))

    async def delete(self, call: Call) -> web.Response:
        """DELETE /v1/endpoints/{endpoint_id}."""
        await self._endpoints.delete(call.project_id, call.path("endpoint_id"))
        return success(call.request_id, DeletedEndpointAnswer())

    async def pause(self, call: Call) -> web.Response:
        """POST /v1/endpoints/{endpoint_id}/pause."""
        endpoint_id = call.path("endpoint_id")
        await self._endpoints.pause(call.project_id, endpoint_id)
        return success(call.request_id, PausedAnswer(id=endpoint_id))

    async def resume(self, call: Call) -> web.Response:
        """POST /v1/endpoints/{endpoint_id}/resume."""
        endpoint_id = call.path("endpoint_id")
        held = await self._endpoints.resume(call.project_id, endpoint_id)
        return success(call.request_id, ResumedAnswer(id=endpoint_id, messages_requeued=held))

    async def create_signing_key(self, call: Call) -> web.Response:
        """POST /v1/endpoints/{endpoint_id}/signing-keys."""
        key = await self._endpoints.create_signing_key(call.project_id, call.path("endpoint_id"))
        return success(call.request_id, CreatedSigningKeyAnswer.of(key), status=201)

    async def list_signing_keys(self, call: Call) -> web.Response:
        """GET /v1/endpoints/{endpoint_id}/signing-keys."""
        keys = await self._endpoints.list_signing_keys(call.project_id, call.path("endpoint_id"))
        return listing(call.request_id, [SigningKeyAnswer.of(key) for key in keys])

    async def delete_signing_key(self, call: Call) -> web.Response:
        """DELETE /v1/endpoints/{endpoint_id}/signing-keys/{key_id}."""
        await self._endpoints.delete_signing_key(
            call.project_id, call.path("endpoint_id"), call.path("key_id")
        )
        return empty()
