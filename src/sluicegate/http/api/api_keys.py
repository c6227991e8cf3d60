"""API keys over HTTP: contract section 6."""

import msgspec
from aiohttp import web

from sluicegate.engine.api_keys import ApiKeys
from sluicegate.http.answers import empty, listing, success
from sluicegate.http.api.api_key_answers import ApiKeyAnswer, CreatedApiKeyAnswer
from sluicegate.http.api.route import Route
from sluicegate.http.bodies import Bodies
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

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        every, one = "/v1/api-keys", "/v1/api-keys/{key_id}"
        table = (
            ("POST", every, self.create, "create_api_key", "Create an API key"),
            ("GET", every, self.list_all, "list_api_keys", "List API keys"),
            ("DELETE", one, self.delete, "delete_api_key", "Delete an API key"),
        )
        return tuple(
            Route(method=m, path=path, handler=handler, name=name, tag="API keys", summary=text)
            for m, path, handler, name, text in table
        )

    async def create(self, call: Call) -> web.Response:
        """POST /v1/api-keys; no body is as good as an empty object."""
        wanted = await self._bodies.json(
            call.request, _CREATE, bytes_max=_BODY_BYTES_MAX, absent=b"{}"
        )
        created = await self._api_keys.create(call.project_id, wanted.label, wanted.mode)
        return success(call.request_id, CreatedApiKeyAnswer.of(created), status=201)

    async def list_all(self, call: Call) -> web.Response:
        """GET /v1/api-keys."""
        keys = await self._api_keys.list(call.project_id)
        return listing(call.request_id, [ApiKeyAnswer.of(key) for key in keys])

    async def delete(self, call: Call) -> web.Response:
        """DELETE /v1/api-keys/{key_id}."""
        await self._api_keys.delete(call.project_id, call.path("key_id"))
        return empty()
