"""API keys over HTTP: contract section 6."""

import msgspec
from aiohttp import web

from sluicegate.engine.api_keys import ApiKeys
from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.strict_json import check_json
from sluicegate.http import responses
from sluicegate.http.answers import empty, listing, success
from sluicegate.http.bodies import Bodies, decoded
from sluicegate.http.calls import Call

__all__ = ["ApiKeyHandlers"]

_BODY_BYTES_MAX = 16_384


class _CreateBody(msgspec.Struct, frozen=True):
    label: str | None = None
    mode: str = "live"


_CREATE = msgspec.json.Decoder(_CreateBody)


class ApiKeyHandlers:
    """Translates requests about a project's API keys."""

    def __init__(self, api_keys: ApiKeys, bodies: Bodies) -> None:
        self._api_keys = api_keys
        self._bodies = bodies

    async def create(self, call: Call) -> web.Response:
        """POST /v1/api-keys; no body is as good as an empty object."""
        too_large = InvalidRequestError(
            f"request body is over {_BODY_BYTES_MAX} bytes", details={"maximum": _BODY_BYTES_MAX}
        )
        async with self._bodies.of(
            call.request, bytes_max=_BODY_BYTES_MAX, too_large=too_large
        ) as body:
            text = body or b"{}"
            check_json(text)
            wanted = decoded(text, _CREATE)
        created = await self._api_keys.create(call.project_id, wanted.label, wanted.mode)
        return success(call.request_id, responses.created_api_key(created), status=201)

    async def list_all(self, call: Call) -> web.Response:
        """GET /v1/api-keys."""
        keys = await self._api_keys.list(call.project_id)
        return listing(call.request_id, [responses.api_key(key) for key in keys])

    async def delete(self, call: Call) -> web.Response:
        """DELETE /v1/api-keys/{key_id}."""
        await self._api_keys.delete(call.project_id, call.path("key_id"))
        return empty()
