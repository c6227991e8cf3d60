"""API keys over HTTP: contract section 6."""

from typing import Annotated

import msgspec
from msgspec import Meta

from sluicegate.engine.api_keys import LABEL, ApiKeys
from sluicegate.engine.ids import API_KEY_MODES
from sluicegate.http.answers import Answer, empty, listing, success
from sluicegate.http.api.api_key_answers import ApiKeyAnswer, CreatedApiKeyAnswer
from sluicegate.http.api.route import Envelope, Route
from sluicegate.http.bodies import Bodies
from sluicegate.http.calls import Call

__all__ = ["ApiKeyHandlers"]

_BODY_BYTES_MAX = 16_384


_ALL = "/v1/api-keys"


class ApiKeyDraft(msgspec.Struct, frozen=True):
    """An API key that is to be created."""

    label: Annotated[str, LABEL.of_text()] | None = None
    """What people call it, at most 255 characters."""
    mode: Annotated[str, Meta(extra_json_schema={"enum": list(API_KEY_MODES)})] = "live"
    """Stands in the key's prefix and changes nothing else."""


_CREATE = msgspec.json.Decoder(ApiKeyDraft)


class ApiKeyHandlers:
    """Translates requests about a project's API keys."""

    def __init__(self, api_keys: ApiKeys, bodies: Bodies) -> None:
        self._api_keys = api_keys
        self._bodies = bodies

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        return (
            Route(
                method="POST",
                path=_ALL,
                handler=self.create,
                name="create_api_key",
                tag="API keys",
                summary="Create an API key",
                description="The key stands in this answer and in no other: only its hash is "
                "stored. It belongs to the project of the key that asks.",
                body=ApiKeyDraft,
                body_required=False,
                status=201,
                answer=CreatedApiKeyAnswer,
                gives={"api_key_id": "/data/key_id"},
                errors=("INVALID_REQUEST",),
            ),
            Route(
                method="GET",
                path=_ALL,
                handler=self.list_all,
                name="list_api_keys",
                tag="API keys",
                summary="List API keys",
                description="The project's keys, newest first, each by its first characters.",
                answer=ApiKeyAnswer,
                envelope=Envelope.LIST,
            ),
            Route(
                method="DELETE",
                path=f"{_ALL}/{{api_key_id}}",
                handler=self.delete,
                name="delete_api_key",
                tag="API keys",
                summary="Delete an API key",
                description="Once this is answered, the key is refused. A project's last key "
                "cannot be deleted.",
                status=204,
                errors=("NOT_FOUND", "CANNOT_DELETE_LAST_KEY"),
            ),
        )

    async def create(self, call: Call) -> Answer:
        """POST /v1/api-keys; no body is as good as an empty object."""
        wanted = await self._bodies.json(
            call.request, _CREATE, bytes_max=_BODY_BYTES_MAX, absent=b"{}"
        )
        created = await self._api_keys.create(call.project_id, wanted.label, wanted.mode)
        return success(call.request_id, CreatedApiKeyAnswer.of(created), status=201)

    async def list_all(self, call: Call) -> Answer:
        """GET /v1/api-keys."""
        keys = await self._api_keys.list(call.project_id)
        return listing(call.request_id, [ApiKeyAnswer.of(key) for key in keys])

    async def delete(self, call: Call) -> Answer:
        """DELETE /v1/api-keys/{api_key_id}."""
        await self._api_keys.delete(call.project_id, call.path("api_key_id"))
        return empty()
