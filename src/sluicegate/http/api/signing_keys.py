"""Signing keys over HTTP: contract section 4."""

from sluicegate.engine.endpoints import Endpoints
from sluicegate.http.answers import Answer, empty, listing, success
from sluicegate.http.api.route import Envelope, Route
from sluicegate.http.api.signing_key_answers import CreatedSigningKeyAnswer, SigningKeyAnswer
from sluicegate.http.calls import Call

__all__ = ["SigningKeyHandlers"]

_ALL = "/v1/endpoints/{endpoint_id}/signing-keys"
_ID_ERRORS = ("INVALID_REQUEST", "ENDPOINT_NOT_FOUND")


class SigningKeyHandlers:
    """Translates requests about the keys that an endpoint's deliveries are signed with."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        return (
            Route(
                method="POST",
                path=_ALL,
                handler=self.create,
                name="create_signing_key",
                tag="Signing keys",
                summary="Add a signing key",
                description="An endpoint has at most two: from now on every delivery carries a "
                "signature by each. To change keys, add one, let the receiver know it, then "
                "delete the old one. The secret stands in this answer and in no other.",
                status=201,
                answer=CreatedSigningKeyAnswer,
                gives={"signing_key_id": "/data/id"},
                errors=(*_ID_ERRORS, "MAX_SIGNING_KEYS_REACHED"),
            ),
            Route(
                method="GET",
                path=_ALL,
                handler=self.list_all,
                name="list_signing_keys",
                tag="Signing keys",
                summary="List signing keys",
                description="Newest first, without their secrets.",
                answer=SigningKeyAnswer,
                envelope=Envelope.LIST,
                errors=_ID_ERRORS,
            ),
            Route(
                method="DELETE",
                path=f"{_ALL}/{{signing_key_id}}",
                handler=self.delete,
                name="delete_signing_key",
                tag="Signing keys",
                summary="Delete a signing key",
                description="From now on no attempt is signed with it. An endpoint's last key "
                "cannot be deleted.",
                status=204,
                errors=(*_ID_ERRORS, "NOT_FOUND", "CANNOT_DELETE_LAST_KEY"),
            ),
        )

    async def create(self, call: Call) -> Answer:
        """POST /v1/endpoints/{endpoint_id}/signing-keys."""
        key = await self._endpoints.create_signing_key(call.project_id, call.path("endpoint_id"))
        return success(call.request_id, CreatedSigningKeyAnswer.of(key), status=201)

    async def list_all(self, call: Call) -> Answer:
        """GET /v1/endpoints/{endpoint_id}/signing-keys."""
        keys = await self._endpoints.list_signing_keys(call.project_id, call.path("endpoint_id"))
        return listing(call.request_id, [SigningKeyAnswer.of(key) for key in keys])

    async def delete(self, call: Call) -> Answer:
        """DELETE /v1/endpoints/{endpoint_id}/signing-keys/{signing_key_id}."""
        await self._endpoints.delete_signing_key(
            call.project_id, call.path("endpoint_id"), call.path("signing_key_id")
        )
        return empty()
