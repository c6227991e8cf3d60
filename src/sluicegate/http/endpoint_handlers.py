"""Endpoints over HTTP: contract sections 4 and 5."""

from typing import TypeVar

import msgspec
from aiohttp import web

from sluicegate.engine.drafts import EndpointDraft, EndpointPatch
from sluicegate.engine.endpoints import Endpoints
from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.settings import Settings
from sluicegate.engine.strict_json import check_json
from sluicegate.http import responses
from sluicegate.http.answers import empty, listing, success
from sluicegate.http.bodies import Bodies, decoded
from sluicegate.http.calls import Call
from sluicegate.http.queries import query_text, query_whole

__all__ = ["EndpointHandlers"]

_Body = TypeVar("_Body")

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

    async def create(self, call: Call) -> web.Response:
        """POST /v1/endpoints."""
        draft = await self._body(call, _DRAFT)
        created = await self._endpoints.create(call.project_id, draft)
        return success(call.request_id, responses.created_endpoint(created), status=201)

    async def list_page(self, call: Call) -> web.Response:
        """GET /v1/endpoints."""
        page = await self._endpoints.list(
            call.project_id,
            limit=query_whole(call.request, "limit", default=50),
            cursor=query_text(call.request, "cursor"),
        )
        return listing(
            call.request_id,
            [responses.endpoint_summary(endpoint) for endpoint in page.items],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def get(self, call: Call) -> web.Response:
        """GET /v1/endpoints/{endpoint_id}."""
        endpoint = await self._endpoints.get(call.project_id, call.path("endpoint_id"))
        return success(call.request_id, responses.endpoint(endpoint))

    async def update(self, call: Call) -> web.Response:
        """PATCH /v1/endpoints/{endpoint_id}."""
        patch = await self._body(call, _PATCH)
        endpoint = await self._endpoints.update(call.project_id, call.path("endpoint_id"), patch)
        return success(call.request_id, {**responses.endpoint(endpoint), "updated": True})

    async def delete(self, call: Call) -> web.Response:
        """DELETE /v1/endpoints/{endpoint_id}."""
        await self._endpoints.delete(call.project_id, call.path("endpoint_id"))
        return success(call.request_id, {"deleted": True})

    async def pause(self, call: Call) -> web.Response:
        """POST /v1/endpoints/{endpoint_id}/pause."""
        endpoint_id = call.path("endpoint_id")
        await self._endpoints.pause(call.project_id, endpoint_id)
        return success(call.request_id, {"id": endpoint_id, "paused": True})

    async def resume(self, call: Call) -> web.Response:
        """POST /v1/endpoints/{endpoint_id}/resume."""
        endpoint_id = call.path("endpoint_id")
        held = await self._endpoints.resume(call.project_id, endpoint_id)
        return success(
            call.request_id, {"id": endpoint_id, "paused": False, "messages_requeued": held}
        )

    async def create_signing_key(self, call: Call) -> web.Response:
        """POST /v1/endpoints/{endpoint_id}/signing-keys."""
        key = await self._endpoints.create_signing_key(call.project_id, call.path("endpoint_id"))
        return success(call.request_id, responses.created_signing_key(key), status=201)

    async def list_signing_keys(self, call: Call) -> web.Response:
        """GET /v1/endpoints/{endpoint_id}/signing-keys."""
        keys = await self._endpoints.list_signing_keys(call.project_id, call.path("endpoint_id"))
        return listing(call.request_id, [responses.signing_key(key) for key in keys])

    async def delete_signing_key(self, call: Call) -> web.Response:
        """DELETE /v1/endpoints/{endpoint_id}/signing-keys/{key_id}."""
        await self._endpoints.delete_signing_key(
            call.project_id, call.path("endpoint_id"), call.path("key_id")
        )
        return empty()

    async def _body(self, call: Call, decoder: msgspec.json.Decoder[_Body]) -> _Body:
        too_large = InvalidRequestError(
            f"request body is over {self._body_bytes_max} bytes",
            details={"maximum": self._body_bytes_max},
        )
        async with self._bodies.of(
            call.request, bytes_max=self._body_bytes_max, too_large=too_large
        ) as body:
            check_json(body)
            return decoded(body, decoder)
