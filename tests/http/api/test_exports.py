"""Exports over HTTP: ask, wait, follow the link, delete."""

import asyncio
import csv
import io
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from .harness import WAIT_S, Answer, Api, running_api

SPAN = {"start_time": "2020-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00Z"}
UNKNOWN = "019603a1-7c3e-7d42-9b1a-5f6e8d7c4b3a"


async def create(api: Api, **fields: object) -> str:
    """Ask for an export of everything; return its id."""
    created = await api.post("/v1/exports", json={**SPAN, **fields})
    assert created.status == 202, created.body
    export_id: str = created.data["id"]
    return export_id


async def ended(api: Api, export_id: str) -> dict[str, Any]:
    """Wait until an export has ended and return its record."""
    async with asyncio.timeout(WAIT_S):
        while True:
            record: dict[str, Any] = (await api.get(f"/v1/exports/{export_id}")).data
            if record["status"] not in ("pending", "processing"):
                return record


async def completed(api: Api, **fields: object) -> str:
    """Have an export with a file; return its id."""
    export_id = await create(api, **fields)
    assert (await ended(api, export_id))["status"] == "completed"
    return export_id


async def link(api: Api, export_id: str, **options: Any) -> str:
    """Return the link to a file."""
    path = f"{api.url}/v1/exports/{export_id}/download"
    headers = {"Authorization": f"Bearer {api.key}", **options}
    async with api.session.get(path, headers=headers, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        assert answer.headers["Cache-Control"] == "private, no-store"
        return answer.headers["Location"]


def folder(api: Api) -> list[str]:
    """Return the names of the files there are."""
    return sorted(each.name for each in Path(f"{api.database}.exports").iterdir())


def rows(text: bytes) -> list[dict[str, str]]:
    """Return the lines of a file by the names of its columns."""
    return list(csv.DictReader(io.StringIO(text.decode(), newline="")))


async def test_messages_are_exported(api: Api) -> None:
    """The record says how it goes; the file is downloaded without a key."""
    endpoint_id = await api.endpoint()
    sent = [
        (await api.send(endpoint_id=endpoint_id, payload=n)).data["message_id"] for n in range(3)
    ]
    created = await api.post("/v1/exports", json=SPAN)
    assert created.status == 202
    assert created.data["status"] == "pending"
    assert created.data["filter_start_time"] == "2020-01-01T00:00:00.000Z"
    assert created.data["filter_end_time"] == "2100-01-01T00:00:00.000Z"
    assert "row_count" not in created.data
    record = await ended(api, created.data["id"])
    assert record["status"] == "completed"
    assert record["row_count"] == 3
    assert {"started_at", "completed_at", "expires_at", "project_id"} <= set(record)
    url = await link(api, record["id"])
    assert url.startswith(f"{api.url}/exports/{record['id']}/file?token=")
    async with ClientSession() as stranger, stranger.get(url) as answer:
        text = await answer.read()
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        disposition = f'attachment; filename="sluicegate-{record["id"]}.csv"'
        assert answer.headers["Content-Disposition"] == disposition
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Request-Id"].startswith("req_")
    assert len(text) == record["file_size_bytes"]
    assert [row["message_id"] for row in rows(text)] == sent
    assert {row["status"] for row in rows(text)} == {"paused"}
    async with ClientSession() as stranger, stranger.head(url) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Length"] == str(len(text))
        assert await answer.read() == b""
    async with api.session.get(url, headers={"Range": "bytes=2-5"}) as answer:
        assert (answer.status, await answer.read()) == (206, text[2:6])


async def test_the_filters_are_those_of_the_log(api: Api) -> None:
    """Status as a reader sees it, and the endpoint; both are told in the record."""
    held, live = await api.endpoint(), await api.endpoint(paused=False)
    [waits, done] = [
        (await api.send(endpoint_id=each, payload=1)).data["message_id"] for each in (held, live)
    ]
    await api.receiver.received(1)
    async with asyncio.timeout(WAIT_S):
        while (await api.get(f"/v1/messages/{done}")).data["status"] != "succeeded":
            pass
    for fields, expected in (
        ({"status": "paused"}, [waits]),
        ({"status": "succeeded"}, [done]),
        ({"status": "delivering"}, []),
        ({"endpoint_id": live}, [done]),
        ({"endpoint_id": live, "status": "paused"}, []),
    ):
        export_id = await completed(api, **fields)
        record = (await api.get(f"/v1/exports/{export_id}")).data
        assert {name: record.get(f"filter_{name}") for name in fields} == fields
        async with api.session.get(await link(api, export_id)) as answer:
            assert [row["message_id"] for row in rows(await answer.read())] == expected


BAD: dict[str, tuple[dict[str, object], str]] = {
    "no start": ({"start_time": None}, "start_time"),
    "a number": ({"start_time": 5}, "start_time"),
    "no time": ({"start_time": "yesterday"}, "start_time"),
    "no day": ({"end_time": "2026-02-30T00:00:00Z"}, "end_time"),
    "no end": ({"end_time": ""}, "end_time"),
    "before the start": ({"end_time": "2019-12-31T23:59:59.999Z"}, "end_time"),
    "an empty span": ({"end_time": "2020-01-01T00:00:00Z"}, "end_time"),
    "status": ({"status": "lost"}, "status"),
    "no status": ({"status": ""}, "status"),
    "status of another type": ({"status": ["queued"]}, "status"),
    "endpoint": ({"endpoint_id": "ep_x"}, "endpoint_id"),
    "path as endpoint": ({"endpoint_id": "../../etc/passwd"}, "endpoint_id"),
    "endpoint of another type": ({"endpoint_id": 7}, "endpoint_id"),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_field_is_refused_by_its_name(api: Api, case: str) -> None:
    """400 `INVALID_REQUEST`, and nothing is stored."""
    fields, field = BAD[case]
    refused = await api.post("/v1/exports", json={**SPAN, **fields})
    assert refused.refusal == (400, "INVALID_REQUEST")
    assert refused.error["details"]["field"] == field
    assert api.stored("exports") == 0


@pytest.mark.parametrize("missing", SPAN)
async def test_both_times_are_needed(api: Api, missing: str) -> None:
    """There is no span without them."""
    fields = {name: value for name, value in SPAN.items() if name != missing}
    refused = await api.post("/v1/exports", json=fields)
    assert refused.refusal == (400, "INVALID_REQUEST")
    assert refused.error["details"]["field"] == missing


async def test_an_endpoint_that_never_was_is_not_found(api: Api) -> None:
    """Rather than an empty file."""
    refused = await api.post("/v1/exports", json={**SPAN, "endpoint_id": "ep_" + "f" * 32})
    assert refused.refusal == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize(
    "export_id",
    [UNKNOWN, "x", UNKNOWN.upper(), "..%2F..%2Fapi.db", "%00", f"{UNKNOWN}%2F..", "%2E%2E"],
)
async def test_an_unknown_export_is_not_found(api: Api, export_id: str) -> None:
    """Whatever its id looks like, and on every route."""
    for method, path in (
        ("GET", f"/v1/exports/{export_id}"),
        ("GET", f"/v1/exports/{export_id}/download"),
        ("DELETE", f"/v1/exports/{export_id}"),
        ("GET", f"/exports/{export_id}/file?token=x"),
        ("GET", f"/exports/{export_id}/file"),
    ):
        assert (await api.request(method, path)).refusal == (404, "NOT_FOUND")


async def test_another_projects_export_is_not_found(api: Api) -> None:
    """It is not listed either, and stays."""
    export_id = await completed(api)
    other = await api.other_project()
    for method, path in (("GET", ""), ("GET", "/download"), ("DELETE", "")):
        answer = await api.request(method, f"/v1/exports/{export_id}{path}", key=other)
        assert answer.refusal == (404, "NOT_FOUND")
    assert (await api.get("/v1/exports", key=other)).data == []
    assert (await api.get(f"/v1/exports/{export_id}")).status == 200


async def test_exports_are_listed_newest_first(api: Api) -> None:
    """All that a page holds when nothing is said; else in pages with a cursor."""
    made = [await completed(api) for _ in range(3)]
    listed = await api.get("/v1/exports")
    assert [each["id"] for each in listed.data] == made[::-1]
    assert (listed.meta["next_cursor"], listed.meta["has_more"]) == (None, False)
    first = await api.get("/v1/exports?limit=2")
    assert first.meta["has_more"]
    rest = await api.get(f"/v1/exports?limit=2&cursor={first.meta['next_cursor']}")
    assert [each["id"] for each in [*first.data, *rest.data]] == made[::-1]
    for query in ("limit=0", "limit=101", "limit=x", "cursor=x", "limit=1&limit=2"):
        assert (await api.get(f"/v1/exports?{query}")).refusal == (400, "INVALID_REQUEST")


async def test_a_deleted_export_is_gone_with_its_file(api: Api) -> None:
    """Its links lead nowhere; a second deletion finds nothing."""
    export_id = await completed(api)
    url = await link(api, export_id)
    assert folder(api) == [f"{export_id}.csv"]
    deleted = await api.request("DELETE", f"/v1/exports/{export_id}")
    assert (deleted.status, deleted.body) == (204, b"")
    assert folder(api) == []
    assert (await api.get(url.removeprefix(api.url), key="")).refusal == (404, "NOT_FOUND")
    again = await api.request("DELETE", f"/v1/exports/{export_id}")
    assert again.refusal == (404, "NOT_FOUND")


async def test_a_file_that_is_not_ready_cannot_be_downloaded(tmp_path: Path) -> None:
    """400 while it waits or when it failed, with the reason."""
    async with running_api(tmp_path, exports_free_bytes_min=1 << 50) as api:
        export_id = await create(api)
        await ended(api, export_id)
        refused = await api.get(f"/v1/exports/{export_id}/download")
        assert refused.refusal == (400, "EXPORT_NOT_READY")
        assert "the disk is nearly full" in refused.error["message"]
        record = (await api.get(f"/v1/exports/{export_id}")).data
        assert record["status"] == "failed"
        assert "the disk is nearly full" in record["error_message"]
        await api.engine.drain(0)  # no job runs any more
        await api.storage.create_export(_another(api), live_max=1)
        waiting = (await api.get("/v1/exports?limit=1")).data[0]["id"]
        refused = await api.get(f"/v1/exports/{waiting}/download")
        assert refused.refusal == (400, "EXPORT_NOT_READY")
        assert "pending" in refused.error["message"]


def _another(api: Api) -> Any:
    from sluicegate.engine.export_model import NewExport  # noqa: PLC0415 - only here

    return NewExport(
        id=api.engine.random.uuid7(),
        project_id=str(api.engine._project_id),  # noqa: SLF001 - the first project's
        start_at_ms=0,
        end_at_ms=1,
        status=None,
        endpoint_id=None,
        created_at_ms=0,
    )


async def test_an_expired_export_cannot_be_downloaded(api: Api) -> None:
    """410, from the key's route and from a link that was good before; the record stays."""
    export_id = await completed(api)
    url = await link(api, export_id)
    await api.storage.expire_exports(at_ms=1 << 50, limit=1)
    for answer in (
        await api.get(f"/v1/exports/{export_id}/download"),
        await api.get(url.removeprefix(api.url), key=""),
    ):
        assert answer.refusal == (410, "EXPORT_EXPIRED")
    assert (await api.get(f"/v1/exports/{export_id}")).data["status"] == "expired"


async def test_a_file_that_somebody_removed_cannot_be_downloaded(api: Api) -> None:
    """410 as well: there is no way to get it back."""
    export_id = await completed(api)
    url = await link(api, export_id)
    _remove(api, export_id)
    for path in (f"/v1/exports/{export_id}/download", url.removeprefix(api.url)):
        assert (await api.get(path)).refusal == (410, "EXPORT_EXPIRED")


def _remove(api: Api, export_id: str) -> None:
    Path(f"{api.database}.exports", f"{export_id}.csv").unlink()


async def test_a_link_is_good_for_its_export_and_for_a_while(api: Api) -> None:
    """A changed, foreign, missing or old token is refused alike, whoever shows it."""
    one, two = await completed(api), await completed(api)
    path = (await link(api, one)).removeprefix(api.url)
    good = path.partition("token=")[2]
    assert (await api.get(path, key="")).status == 200
    for bad in (
        path.replace(one, two),
        path[:-1],
        path.replace(good, good[:20] + ("A" if good[20] != "A" else "B") + good[21:]),
        path.partition("?")[0],
        path.replace(good, ""),
        path.replace(good, api.key),
        path.replace("token=", "key="),
    ):
        assert (await api.get(bad)).refusal == (404, "NOT_FOUND"), bad
    assert (await api.get(f"{path}&token={good}")).refusal == (400, "INVALID_REQUEST")
    api.clock.ahead_s = 901
    assert (await api.get(path, key="")).refusal == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "host", ["hooks.example", "hooks.example:8443", "[2001:db8::1]:80", "10.0.0.1"]
)
async def test_a_link_leads_to_where_the_request_went(api: Api, host: str) -> None:
    """The client knows a name by which it reaches the server: it has just used it."""
    export_id = await completed(api)
    url = await link(api, export_id, Host=host)
    assert url.startswith(f"http://{host}/exports/{export_id}/file?token=")


@pytest.mark.parametrize("wanted", ["bytes=99999999-", "junk", "bytes=0-1,4-5", "bytes=5-2"])
async def test_a_range_that_names_nothing_is_refused_in_json(api: Api, wanted: str) -> None:
    """As everything that is refused."""
    url = await link(api, await completed(api))
    async with api.session.get(url, headers={"Range": wanted}) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["details"] == {"header": "Range"}


@pytest.mark.parametrize("host", ["", "a b", "evil.example/x", "u@evil.example", "a,b", "é", "a:b"])
async def test_a_host_that_is_none_is_refused(api: Api, host: str) -> None:
    """Nothing but a host gets into a link."""
    export_id = await completed(api)
    head = f"GET /v1/exports/{export_id}/download HTTP/1.1\r\nHost: {host}\r\n"
    raw, body = await api.raw(f"{head}Authorization: Bearer {api.key}\r\n\r\n".encode())
    assert raw.startswith(b"HTTP/1.1 400 ")
    assert body["error"]["code"] == "INVALID_REQUEST"
    assert b"Location" not in raw


async def test_a_public_url_stands_in_every_link(tmp_path: Path) -> None:
    """Behind a proxy the server cannot know its name; no `Host` changes it."""
    public = "https://hooks.example/sluicegate/"
    async with running_api(tmp_path, public_url=public) as api:
        export_id = await completed(api)
        for host in ("127.0.0.1", "evil.example"):
            url = await link(api, export_id, Host=host)
            assert url.startswith(f"{public}exports/{export_id}/file?token=")


async def test_a_project_has_so_many_exports(tmp_path: Path) -> None:
    """One more is refused with the limit; a deletion makes room."""
    async with running_api(tmp_path, exports_live_max=2) as api:
        first = await completed(api)
        await create(api)
        refused = await api.post("/v1/exports", json=SPAN)
        assert refused.refusal == (400, "INVALID_REQUEST")
        assert "at most 2" in refused.error["message"]
        assert refused.error["details"]["maximum"] == 2
        await api.request("DELETE", f"/v1/exports/{first}")
        await completed(api)


async def test_exports_at_once_are_all_written(api: Api) -> None:
    """One after the other; deletions in between stop only what they delete."""
    endpoint_id = await api.endpoint()
    for n in range(5):
        await api.send(endpoint_id=endpoint_id, payload=n)
    made = await asyncio.gather(*(create(api) for _ in range(12)))

    async def delete(export_id: str) -> Answer:
        return await api.request("DELETE", f"/v1/exports/{export_id}")

    gone = made[::3]
    deleted = await asyncio.gather(*(delete(each) for each in gone for _ in range(2)))
    assert sorted(answer.status for answer in deleted) == [204] * 4 + [404] * 4
    left = [each for each in made if each not in gone]
    for export_id in left:
        assert (await ended(api, export_id))["row_count"] == 5
    assert folder(api) == sorted(f"{each}.csv" for each in left)
