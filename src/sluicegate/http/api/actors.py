"""Who did something, over HTTP: contract section 6."""

from typing import Annotated

from msgspec import Meta

from sluicegate.engine.api_keys import ACTORS_MAX, ApiKeys
from sluicegate.engine.errors import InvalidRequestError
from sluicegate.http.answers import Answer, success
from sluicegate.http.api.actor_answers import ActorsAnswer
from sluicegate.http.api.route import Query, Route
from sluicegate.http.calls import Call, HttpRequest

__all__ = ["ActorHandlers"]

_Ids = Annotated[str, Meta(extra_json_schema={"pattern": "^[^,]+(,[^,]+)*$"})]


class ActorHandlers:
    """Tells what the ids in records, such as `deleted_by_api_key_id`, stand for."""

    def __init__(self, api_keys: ApiKeys) -> None:
        self._api_keys = api_keys

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        ids = f"Ids, separated by commas or given again; of both kinds together 1 to {ACTORS_MAX}."
        return (
            Route(
                method="GET",
                path="/v1/actors/lookup",
                handler=self.look_up,
                name="lookup_actors",
                tag="API keys",
                summary="Look up who an id stands for",
                description="Unknown ids are absent from the answer. Deleted API keys are known.",
                query=(
                    Query(name="user_id", description=ids, type=_Ids),
                    Query(name="api_key_id", description=ids, type=_Ids),
                ),
                answer=ActorsAnswer,
                errors=("INVALID_REQUEST",),
            ),
        )

    async def look_up(self, call: Call) -> Answer:
        """GET /v1/actors/lookup."""
        users, keys = _ids(call.request, "user_id"), _ids(call.request, "api_key_id")
        if not users and not keys:
            raise InvalidRequestError(
                "user_id or api_key_id is required", details={"fields": ["user_id", "api_key_id"]}
            )
        count = len(users) + len(keys)
        if count > ACTORS_MAX:
            raise InvalidRequestError(
                f"at most {ACTORS_MAX} ids can be looked up at once, not {count}",
                details={"fields": ["user_id", "api_key_id"], "maximum": ACTORS_MAX},
            )
        labels = await self._api_keys.labels(call.project_id, keys) if keys else None
        return success(call.request_id, ActorsAnswer.of(labels, users=bool(users)))


def _ids(request: HttpRequest, name: str) -> list[str]:
    """Return the ids of a parameter that may be repeated, and may hold several.

    Raises:
        InvalidRequestError: an id is empty.
    """
    found = [each for text in request.query.getall(name, []) for each in text.split(",")]
    if not all(found):
        raise InvalidRequestError(f"{name} must not be empty", details={"field": name})
    return found
