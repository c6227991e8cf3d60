"""The document: OpenAPI 3.1, from the table of routes."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from sluicegate.engine.version import __version__
from sluicegate.http.api.parameters import PATH_PARAMETERS
from sluicegate.http.api.route import Envelope, Route
from sluicegate.http.envelopes import CountedMetaAnswer, ErrorAnswer, ListMetaAnswer, MetaAnswer
from sluicegate.http.openapi import failures, texts
from sluicegate.http.openapi.schemas import Json, Schemas

__all__ = ["build_document"]

_VARIABLE = re.compile(r"\{(\w+)\}")


def build_document(table: Sequence[Route]) -> Json:
    """Describe the routes of `table` that are listed.

    The same routes give the same document, down to the order of its keys.
    """
    listed = [route for route in table if route.listed]
    schemas = _schemas(listed)
    paths: dict[str, Json] = {}
    for route in listed:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas, listed)
    used = {code for route in listed for code in failures.codes_of(route)}
    codes = sorted(used | {"METHOD_NOT_ALLOWED", "NOT_FOUND"})
    tags = {route.tag for route in listed} | {"Deliveries"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sluicegate",
            "version": __version__,
            "summary": "Deliver webhooks; hold what is paused, lose nothing.",
            "description": texts.overview(failures.code_list(codes)),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The server that this document comes from."}],
        "security": [{name: []} for name in texts.SECURITY],
        "tags": [
            {"name": name, "description": text} for name, text in texts.TAGS.items() if name in tags
        ],
        "paths": paths,
        "webhooks": texts.webhooks(),
        "components": {
            "schemas": schemas.components,
            "headers": texts.HEADERS,
            "examples": failures.examples(sorted(used)),
            "securitySchemes": texts.SECURITY,
        },
    }


def _schemas(table: Sequence[Route]) -> Schemas:
    bodies = [route.body for route in table if route.body is not None]
    queries = [query.type for route in table for query in route.query]
    paths = [kind for kind, _ in PATH_PARAMETERS.values()]
    answers = [route.answer for route in table if route.answer is not None]
    return Schemas(
        bodies=[*bodies, *queries, *paths],
        answers=[*answers, MetaAnswer, ListMetaAnswer, CountedMetaAnswer, ErrorAnswer],
    )


def _operation(route: Route, schemas: Schemas, table: Sequence[Route]) -> Json:
    operation: Json = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "description": route.description.strip(),
    }
    if not route.auth:
        operation["security"] = []
    if parameters := [*_path_parameters(route, schemas), *_query_parameters(route, schemas)]:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {
            "required": route.body_required,
            "content": {"application/json": {"schema": schemas.of(route.body)}},
        }
    operation["responses"] = {
        str(route.status): _success(route, schemas, table),
        **failures.responses(route),
    }
    return operation


def _path_parameters(route: Route, schemas: Schemas) -> list[Json]:
    found = []
    for name in _VARIABLE.findall(route.path):
        kind, description = PATH_PARAMETERS[name]
        found.append(_parameter("path", name, description, schemas.of(kind), required=True))
    return found


def _query_parameters(route: Route, schemas: Schemas) -> list[Json]:
    found = []
    for query in route.query:
        schema = schemas.of(query.type)
        if query.default is not None:
            schema["default"] = query.default
        parameter = _parameter(
            "query", query.name, query.description, schema, required=query.required
        )
        if schema.get("type") == "array":
            parameter |= {"style": "form", "explode": False}  # one text, commas between
        found.append(parameter)
    return found


def _parameter(place: str, name: str, description: str, schema: Json, *, required: bool) -> Json:
    return {
        "name": name,
        "in": place,
        "required": required,
        "description": description,
        "schema": schema,
    }


def _success(route: Route, schemas: Schemas, table: Sequence[Route]) -> Json:
    response: Json = {
        "description": HTTPStatus(route.status).phrase,
        "headers": {
            name: {"$ref": f"#/components/headers/{name}"}
            for name in ("X-Request-Id", *route.headers)
        },
    }
    if route.answer is not None:
        schema = _enveloped(route.envelope, schemas.of(route.answer), schemas)
        response["content"] = {route.media_type: {"schema": schema}}
    if links := _links(route, table):
        response["links"] = links
    return response


def _links(route: Route, table: Sequence[Route]) -> Json:
    """Return where its answer leads: the routes whose paths it can fill with what it gives."""
    known = {name: f"$request.path.{name}" for name in _VARIABLE.findall(route.path)}
    known |= {name: f"$response.body#{pointer}" for name, pointer in route.gives.items()}
    links = {}
    for other in table:
        names = _VARIABLE.findall(other.path)
        if not route.gives.keys().isdisjoint(names) and known.keys() >= set(names):
            parameters = {name: known[name] for name in names}
            links[other.name] = {"operationId": other.name, "parameters": parameters}
    return links


def _enveloped(envelope: Envelope, answer: Json, schemas: Schemas) -> Json:
    meta = schemas.of(MetaAnswer)
    properties: dict[str, Any]
    match envelope:
        case Envelope.NONE:
            return answer
        case Envelope.DATA:
            properties = {"data": answer, "meta": meta}
        case Envelope.LIST:
            meta = schemas.of(ListMetaAnswer)
            properties = {"data": {"type": "array", "items": answer}, "meta": meta}
        case Envelope.COUNTED:
            meta = schemas.of(CountedMetaAnswer)
            properties = {"data": {"type": "array", "items": answer}, "meta": meta}
        case Envelope.MESSAGE:
            sentence = {"type": "string", "description": "What was done, for people."}
            properties = {"message": sentence, "data": answer, "meta": meta}
    return {"type": "object", "properties": properties, "required": list(properties)}
