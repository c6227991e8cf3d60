"""The description of the API says what the API does."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openapi_spec_validator
import pytest

from sluicegate.cli.openapi import openapi_text
from sluicegate.http.errors import STATUS
from sluicegate.http.server import create_app

from .harness import Api, running_api

DOCUMENT = json.loads(openapi_text())
METHODS = ("get", "post", "patch", "delete", "put")
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}


def test_the_document_is_openapi() -> None:
    """It is valid OpenAPI 3.1, references included."""
    assert DOCUMENT["openapi"].startswith("3.1.")
    openapi_spec_validator.validate(DOCUMENT)


async def test_every_route_of_the_server_is_described(api: Api) -> None:
    """What can be called can be read about, but for the page for people and its parts."""
    app = create_app(
        api.engine.services,
        settings=api.engine.settings,
        clock=api.clock,
        random=api.engine.random,
        readiness=api.engine.readiness,
        exposition=api.engine.exposition,
    )
    served = {
        f"{route.method} {route.resource.canonical}"
        for route in app.router.routes()
        if route.resource is not None and route.method not in ("HEAD", "*")
    }
    assert served - set(OPERATIONS) == {"GET /docs", "GET /docs/{version}/{file}"}
    assert set(OPERATIONS) - served == set()


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_described_whole(name: str) -> None:
    """Each says what it does, what it answers, and every error with a code that exists."""
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert not operation["summary"].endswith(".")
    assert operation["description"]
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    answers = {status: each for status, each in operation["responses"].items() if status < "400"}
    assert len(answers) == 1
    for status, answer in answers.items():
        assert ("content" in answer) == (status not in ("204", "302"))
        assert "X-Request-Id" in answer["headers"]
    for status, response in operation["responses"].items():
        if status >= "400":
            [content] = response["content"].values()
            codes = content["schema"]["allOf"][1]["properties"]["error"]["properties"]["code"]
            assert list(content["examples"]) == codes["enum"]
            assert {STATUS.get(code, 500) for code in codes["enum"]} == {int(status)}
    needs_key = operation.get("security") != []
    assert needs_key == name.split()[1].startswith("/v1/")
    assert ("401" in operation["responses"]) == needs_key


def test_operations_are_told_apart() -> None:
    """No two have the same id or the same summary."""
    for field in ("operationId", "summary"):
        values = [operation[field] for operation in OPERATIONS.values()]
        assert sorted(set(values)) == sorted(values)


def test_every_field_that_is_sent_is_described() -> None:
    """A user learns of each field of a body, and of each parameter, what it is for."""
    schemas = DOCUMENT["components"]["schemas"]
    bodies = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
        for operation in OPERATIONS.values()
        if "requestBody" in operation
    }
    assert {"EndpointDraft", "EndpointPatch", "MessageBody"} <= bodies
    fields = [(name, *each) for name in bodies for each in schemas[name]["properties"].items()]
    missing = [(name, field) for name, field, schema in fields if "description" not in schema]
    assert missing == []
    parameters = [each for one in OPERATIONS.values() for each in one.get("parameters", ())]
    assert [each["name"] for each in parameters if not each["description"]] == []


def test_an_answers_field_is_there_or_is_never_null() -> None:
    """A field that is left out when it is not known cannot be null, and has no default."""
    message = DOCUMENT["components"]["schemas"]["Message"]
    assert "delivered_at" not in message["required"]
    assert message["properties"]["delivered_at"]["type"] == "string"
    attempt = DOCUMENT["components"]["schemas"]["Attempt"]
    assert set(attempt["required"]) == set(attempt["properties"])
    assert attempt["properties"]["dns_ms"]["type"] == ["integer", "null"]
    paused = DOCUMENT["components"]["schemas"]["Paused"]
    assert paused["required"] == ["id", "paused"]
    assert "default" not in paused["properties"]["paused"]


def test_the_document_is_the_same_every_time() -> None:
    """Neither the order of sets nor that of imports shows: the file can be compared."""
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "sluicegate", "openapi"],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        assert done.stdout.decode() == openapi_text()
        assert done.stderr == b""


async def test_the_server_tells_its_description(api: Api) -> None:
    """`/openapi.json` is the document; no key is needed, and who has it gets 304."""
    answer = await api.get("/openapi.json", key="")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == DOCUMENT
    tag = answer.headers["ETag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = await api.get("/openapi.json", key="", headers={"If-None-Match": known})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == tag
    other = await api.get("/openapi.json", headers={"If-None-Match": '"other"'})
    assert other.status == 200


async def test_the_description_can_be_switched_off(tmp_path: Path) -> None:
    """With `docs` false there is neither the document nor the page."""
    async with running_api(tmp_path, docs=False) as api:
        for path in ("/openapi.json", "/docs"):
            assert (await api.get(path)).refusal == (404, "NOT_FOUND")


# -- bounds ---------------------------------------------------------------------------------


def edges(schema: dict[str, Any]) -> Iterator[tuple[object, object]]:
    """Yield a value on each bound of a field, and one just outside."""
    if "minimum" in schema:
        yield schema["minimum"], schema["minimum"] - 1
    if "maximum" in schema:
        yield schema["maximum"], schema["maximum"] + 1
    if "maxLength" in schema and "pattern" not in schema:
        yield "é" * schema["maxLength"], "é" * (schema["maxLength"] + 1)
    if "minLength" in schema and "pattern" not in schema:
        yield "é" * schema["minLength"], "é" * (schema["minLength"] - 1)
    if "maxProperties" in schema:
        counts = (schema["maxProperties"], schema["maxProperties"] + 1)
        inside, outside = ({f"X-{number}": "" for number in range(count)} for count in counts)
        yield inside, outside


def url_of(length: int) -> str:
    """Return a URL of so many characters."""
    return "https://public.example/".ljust(length, "x")


def bounded(name: str) -> list[tuple[str, object, object]]:
    """Return the fields of a body with values inside and outside each of their bounds."""
    fields = DOCUMENT["components"]["schemas"][name]["properties"]
    return [(field, *pair) for field, schema in fields.items() for pair in edges(schema)]


BODIES = [
    *(("POST", "/v1/endpoints", *each) for each in bounded("EndpointDraft")),
    *(("PATCH", "/v1/endpoints/{endpoint_id}", *each) for each in bounded("EndpointPatch")),
    *(("POST", "/v1/webhooks/send", *each) for each in bounded("MessageBody")),
    *(("POST", "/v1/api-keys", *each) for each in bounded("ApiKeyDraft")),
    ("POST", "/v1/endpoints", "url", url_of(2048), url_of(2049)),
    ("PATCH", "/v1/endpoints/{endpoint_id}", "url", url_of(2048), url_of(2049)),
    ("POST", "/v1/webhooks/send", "idempotency_key", "k" * 255, "k" * 256),
    ("POST", "/v1/webhooks/send", "idempotency_key", "k", ""),
]


def test_the_urls_bounds_are_those_that_are_tried() -> None:
    """The bounds of a URL cannot be tried as those of any text: its form must be right too."""
    for name in ("EndpointDraft", "EndpointPatch"):
        url = DOCUMENT["components"]["schemas"][name]["properties"]["url"]
        assert (url["minLength"], url["maxLength"]) == (12, 2048)
    key = DOCUMENT["components"]["schemas"]["MessageBody"]["properties"]["idempotency_key"]
    assert key["pattern"] == "^[a-zA-Z0-9_-]{1,255}$"


async def test_the_bounds_of_bodies_are_those_that_are_checked(api: Api) -> None:
    """A value on a bound in the description is taken, one beyond it refused by its name."""
    assert len(BODIES) > 25
    endpoint_id = await api.endpoint()
    for number, (method, path, field, inside, outside) in enumerate(BODIES):
        base: dict[str, object] = {}
        if path == "/v1/webhooks/send":
            base = {"endpoint_id": endpoint_id, "payload": number}
        elif path == "/v1/endpoints":
            base = {"url": f"https://public.example/bounds/{number}"}
        target = path.format(endpoint_id=endpoint_id)
        taken = await api.request(method, target, json={**base, field: inside})
        assert taken.status in (200, 201, 202), (method, path, field, inside, taken.body)
        refused = await api.request(method, target, json={**base, field: outside})
        assert refused.status == 400, (method, path, field, outside, refused.body)
        if field != "headers":
            assert refused.error["details"]["field"] == field
        if path == "/v1/endpoints" and field == "url":
            await api.request("DELETE", f"/v1/endpoints/{taken.data['id']}")


LIMITS = [
    (name, each["name"], each["schema"])
    for name, operation in OPERATIONS.items()
    for each in operation.get("parameters", ())
    if each["in"] == "query" and "minimum" in each["schema"]
]


@pytest.mark.parametrize(("name", "parameter", "schema"), LIMITS)
async def test_the_bounds_of_parameters_are_those_that_are_checked(
    api: Api, name: str, parameter: str, schema: dict[str, Any]
) -> None:
    """The same of query parameters; the default is inside."""
    method, path = name.split()
    required = {
        each["name"]: each["schema"]["enum"][0]
        for each in OPERATIONS[name]["parameters"]
        if each["required"]
    }
    assert schema["minimum"] <= schema["default"] <= schema["maximum"]
    for inside, outside in edges(schema):
        for value, status in ((inside, 200), (outside, 400)):
            query = "&".join(
                f"{key}={text}" for key, text in {**required, parameter: value}.items()
            )
            answer = await api.request(method, f"{path}?{query}")
            assert answer.status == status, (query, answer.body)
            if status == 400:
                assert answer.error["details"]["field"] == parameter
