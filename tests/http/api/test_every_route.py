"""Contract section 1, held against every route there is: a new one is tried without being named."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

from sluicegate.cli.openapi import openapi_text
from sluicegate.engine.errors import SluicegateError
from sluicegate.http.errors import STATUS, headers_of

from .harness import WAIT_S, Answer, Api

Operation = dict[str, Any]

OPERATIONS: dict[tuple[str, str], Operation] = {
    (method.upper(), path): operation
    for path, methods in json.loads(openapi_text())["paths"].items()
    for method, operation in methods.items()
}
KEYED = {route: each for route, each in OPERATIONS.items() if each.get("security") != []}
READS = [path for method, path in KEYED if method == "GET"]
PAGED = [
    path
    for path in READS
    if "cursor" in {each["name"] for each in KEYED["GET", path].get("parameters", [])}
]

UNKNOWN = {
    "endpoint_id": "ep_" + "0" * 32,
    "message_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "signing_key_id": "sk_" + "0" * 32,
    "api_key_id": "key_" + "0" * 32,
    "export_id": "01890a5d-ac96-774b-bcce-b302099a8058",
}
QUERIES = {
    "/v1/messages/replay-all": "status=pending_retry",
    "/v1/actors/lookup": "user_id=user_1",
}
"""What a route cannot do without."""
NEVER_NOT_FOUND = {("GET", "/v1/messages/{message_id}/attempts")}
"""The attempts of what is unknown are none."""

JSON_TYPE = {"Content-Type": "application/json"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
DATE = re.compile(r"\d{4}-\d\d-\d\d")


def written(path: str, ids: dict[str, str]) -> str:
    """Return a path with its ids and what it cannot do without."""
    query = QUERIES.get(path)
    return path.format(**ids) + (f"?{query}" if query else "")


async def populated(api: Api) -> dict[str, str]:
    """Make two of everything and return the ids of one."""
    ids = dict(UNKNOWN)
    for _ in range(2):
        ids["endpoint_id"] = await api.endpoint(paused=False)
        api.receiver.status = 404
        sent = await api.send(endpoint_id=ids["endpoint_id"], payload={})
        ids["message_id"] = sent.data["message_id"]
        key = await api.post("/v1/api-keys", json={"label": "one"})
        ids["api_key_id"] = key.data["key_id"]
        span = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-02T00:00:00Z"}
        ids["export_id"] = (await api.post("/v1/exports", json=span)).data["id"]
        async with asyncio.timeout(WAIT_S):
            while not (await api.get(f"/v1/messages/{ids['message_id']}")).data["attempt_count"]:
                pass
            export = f"/v1/exports/{ids['export_id']}"
            while (await api.get(export)).data["status"] != "completed":
                pass
    keys = await api.get(f"/v1/endpoints/{ids['endpoint_id']}/signing-keys")
    ids["signing_key_id"] = keys.data[0]["id"]
    return ids


def told(answer: Answer) -> tuple[int, Any]:
    """Return an answer without what differs every time."""
    body = answer.json if answer.body else {}
    return answer.status, {name: value for name, value in body.items() if name != "meta"}


async def test_another_projects_ids_are_unknown_ones_to_every_route(api: Api) -> None:
    """The very same answer, and nothing is changed by asking."""
    ids = await populated(api)
    other = await api.other_project()
    before = [told(await api.get(written(path, ids))) for path in READS]
    tried = 0
    for method, path in KEYED:
        if "{" not in path:
            continue
        foreign, unknown = [
            await api.request(method, written(path, which), key=other, json={})
            for which in (ids, UNKNOWN)
        ]
        assert told(foreign) == told(unknown), (method, path)
        assert (foreign.status == 404) is ((method, path) not in NEVER_NOT_FOUND), (method, path)
        tried += 1
    assert tried >= 16
    after = [told(await api.get(written(path, ids))) for path in READS]
    changing = {"/v1/metrics/timeseries", "/v1/api-keys"}  # by the minute, by being asked
    for path, then, now in zip(READS, before, after, strict=True):
        assert then == now or path in changing, path
    assert {status for status, _ in before} <= {200, 302}


async def test_no_route_wants_a_body_that_it_takes_nothing_from(api: Api) -> None:
    """Clients send `Content-Type: application/json` with an empty one, with every GET too."""
    tried = 0
    for (method, path), operation in KEYED.items():
        if "requestBody" in operation:
            continue
        target = written(path, UNKNOWN)
        expected = await api.request(method, target)
        for body in (b"", b"{}", b"no json"):
            answer = await api.request(method, target, body=body, headers=JSON_TYPE)
            assert answer.status == expected.status, (method, path, body)
            if expected.status >= 400:
                assert answer.error == expected.error, (method, path, body)
        tried += 1
    assert tried >= 24


async def test_every_body_may_have_fields_that_are_not_known(api: Api) -> None:
    """Clients send those of older versions: they are ignored, wherever a body is read."""
    ids = await populated(api)
    message = {"endpoint_id": ids["endpoint_id"], "payload": 1}
    bodies: dict[tuple[str, str], dict[str, Any]] = {
        ("POST", "/v1/webhooks/send"): message,
        ("POST", "/v1/webhooks/send-batch"): {"messages": [{**message, "hmac_enabled": True}]},
        ("POST", "/v1/endpoints"): {"url": "https://public.example/other"},
        ("PATCH", "/v1/endpoints/{endpoint_id}"): {},
        ("POST", "/v1/messages/replay-batch"): {"message_ids": [ids["message_id"]]},
        ("POST", "/v1/messages/delete-batch"): {"message_ids": [ids["message_id"]]},
        ("POST", "/v1/api-keys"): {},
        ("POST", "/v1/exports"): {
            "start_time": "2026-01-01T00:00:00Z",
            "end_time": "2026-02-01T00:00:00Z",
        },
    }
    for (method, path), operation in KEYED.items():
        if "requestBody" not in operation:
            continue
        body = {"hmac_enabled": True, "legacy": {"a": [None]}, **bodies[method, path]}
        answer = await api.request(method, written(path, ids), json=body)
        assert 200 <= answer.status < 300, (method, path, answer.body)


async def test_every_list_says_whether_there_is_more(api: Api) -> None:
    """`meta` has both `next_cursor` and `has_more`, full or empty; the DLQ has them in `data`."""
    ids = await populated(api)
    other = await api.other_project()
    lists = set()
    for path in READS:
        for key in (api.key, other):
            answer = await api.get(written(path, ids), key=key)
            if answer.status != 200 or path == "/v1/messages/{message_id}/payload":
                continue
            place = None
            if path == "/v1/dlq/messages":
                assert set(answer.meta) == {"request_id"}
                place = answer.data
            elif isinstance(answer.data, list):
                place = answer.meta
            if place is not None:
                assert {"next_cursor", "has_more"} <= set(place), path
                assert place["has_more"] is (place["next_cursor"] is not None), path
                lists.add(path)
    assert {*PAGED, "/v1/api-keys", "/v1/messages/{message_id}/attempts"} <= lists


async def test_a_cursor_is_good_for_the_list_and_the_project_that_it_came_from(api: Api) -> None:
    """Anywhere else it is 400; there it goes on."""
    await populated(api)
    other = await api.other_project()
    cursors = {}
    for path in PAGED:
        answer = await api.get(f"{path}?limit=1")
        cursors[path] = (answer.data if "dlq" in path else answer.meta)["next_cursor"]
        assert cursors[path], path
    assert len(cursors) >= 3
    for made_by, cursor in cursors.items():
        assert (await api.get(f"{made_by}?limit=1&cursor={cursor}")).status == 200
        strangers = [(path, None) for path in PAGED if path != made_by]
        for path, key in [*strangers, (made_by, other)]:
            answer = await api.get(f"{path}?limit=1&cursor={cursor}", key=key)
            assert answer.refusal == (400, "INVALID_REQUEST"), (made_by, path)


async def test_every_read_answers_head(api: Api) -> None:
    """With the status and the headers of GET, and no body (RFC 9110 §9.3.2)."""
    ids = await populated(api)
    for which in (ids, UNKNOWN):
        for path in READS:
            got = await api.get(written(path, which))
            head = await api.request("HEAD", written(path, which))
            assert (head.status, head.body) == (got.status, b""), path
            for header in ("Content-Type", "Content-Length") if got.body else ():
                assert head.headers.get(header) == got.headers.get(header), (path, header)


async def test_every_moment_is_written_alike(api: Api) -> None:
    """RFC 3339, UTC as `Z`, three digits after the second; months are bounded by days."""
    ids = await populated(api)
    found = 0
    for path in READS:
        answer = await api.get(written(path, ids))
        if not answer.body or "payload" in path:
            continue
        form = DATE if path == "/v1/billing/usage-history" else MOMENT
        for text in texts(answer.json):
            if DATE.match(text):
                assert form.fullmatch(text), (path, text)
                found += 1
    assert found >= 30


def texts(value: Any) -> Iterator[str]:
    """Find every text inside."""
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from texts(each)
        case dict():
            for each in value.values():
                yield from texts(each)
        case _:
            return


def test_every_429_and_503_says_when_to_come_back() -> None:
    """Whatever error it is: whole seconds, at least one."""
    errors = [each for each in descendants(SluicegateError) if STATUS.get(each.code) in {429, 503}]
    assert len(errors) >= 4
    for error in errors:
        assert int(headers_of(error())["Retry-After"]) >= 1, error


def descendants(kind: type[SluicegateError]) -> Iterator[type[SluicegateError]]:
    """Find every kind of error there is."""
    for each in kind.__subclasses__():
        yield each
        yield from descendants(each)
