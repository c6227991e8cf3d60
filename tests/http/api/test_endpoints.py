"""Contract sections 4 and 5 over HTTP: endpoints, their pause, their signing keys."""

import re

import pytest

from .harness import Api

URL = "https://public.example/hook"
UNKNOWN = "ep_" + "0" * 32
FULL = {
    "id",
    "url",
    "description",
    "rate_limit_rps",
    "burst",
    "headers",
    "paused",
    "paused_at",
    "pause_reason",
    "ordered",
    "max_in_flight",
    "timeout_s",
    "counts",
    "created_at",
    "updated_at",
}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_a_new_endpoint_tells_its_secret_once(api: Api) -> None:
    """Creation answers 201 with exactly the contract's fields; the secret is never told again."""
    created = await api.post(
        "/v1/endpoints", json={"url": URL, "description": "é", "hmac_enabled": True}
    )
    assert created.status == 201
    data = created.data
    assert set(data) == {
        "id",
        "url",
        "description",
        "signing_key_id",
        "signing_secret",
        "key_hint",
        "created_at",
    }
    assert re.fullmatch(r"ep_[a-f0-9]{32}", data["id"])
    assert re.fullmatch(r"sk_[a-f0-9]{32}", data["signing_key_id"])
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", data["signing_secret"])
    assert data["key_hint"] == data["signing_secret"][-4:]
    assert (data["url"], data["description"]) == (URL, "é")
    assert MOMENT.fullmatch(data["created_at"])
    secret = data["signing_secret"].encode()
    for path in ("", f"/{data['id']}", f"/{data['id']}/signing-keys"):
        assert secret not in (await api.get(f"/v1/endpoints{path}")).body


async def test_an_endpoint_reads_as_it_was_written(api: Api) -> None:
    """GET has exactly the contract's fields, null where nothing is known."""
    chosen = {
        "description": None,
        "rate_limit_rps": 1000,
        "burst": 10_000,
        "headers": {"X-Tenant": "7"},
        "ordered": True,
        "max_in_flight": 256,
        "timeout_s": 2.5,
    }
    created = (await api.post("/v1/endpoints", json={"url": URL, **chosen})).data
    got = (await api.get(f"/v1/endpoints/{created['id']}")).data
    assert set(got) == FULL
    assert {name: got[name] for name in chosen} == chosen
    assert (got["paused"], got["paused_at"], got["pause_reason"]) == (False, None, None)
    assert got["counts"] == dict.fromkeys(
        ("queued", "delivering", "pending_retry", "paused", "failed_permanent"), 0
    )
    assert got["created_at"] == got["updated_at"] == created["created_at"]


async def test_what_is_not_chosen_has_the_contracts_defaults(api: Api) -> None:
    """No limits, unordered, 16 in flight, 30 seconds."""
    endpoint_id = await api.endpoint(paused=False)
    got = (await api.get(f"/v1/endpoints/{endpoint_id}")).data
    assert got["description"] is None
    assert (got["rate_limit_rps"], got["burst"], got["headers"]) == (0, 0, {})
    assert (got["ordered"], got["max_in_flight"], got["timeout_s"]) == (False, 16, 30)


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("http://public.example/hook", 400, "INVALID_ENDPOINT"),
        ("https://a.b", 400, "INVALID_ENDPOINT"),
        ("https://public.example/" + "a" * 2026, 400, "INVALID_ENDPOINT"),
        ("https://user:pw@public.example/", 400, "INVALID_ENDPOINT"),
        ("https://public.example/#fragment", 400, "INVALID_ENDPOINT"),
        ("https://public.example:99999/", 400, "INVALID_ENDPOINT"),
        ("https://public.example/a b", 400, "INVALID_ENDPOINT"),
        ("https://public.example/\r\nX: y", 400, "INVALID_ENDPOINT"),
        ("https:///nothing-here", 400, "INVALID_ENDPOINT"),
        ("ftp://public.example/", 400, "INVALID_ENDPOINT"),
        ("not a url at all", 400, "INVALID_ENDPOINT"),
        ("", 400, "INVALID_ENDPOINT"),
        ("https://127.0.0.1/hook", 400, "ENDPOINT_BLOCKED"),
        ("https://[::1]/hook", 400, "ENDPOINT_BLOCKED"),
        ("https://[::ffff:10.0.0.1]/", 400, "ENDPOINT_BLOCKED"),
        ("https://0x7f.1/hook", 400, "INVALID_ENDPOINT"),
        ("https://2130706433/hook", 400, "INVALID_ENDPOINT"),
        ("https://10.1.2.3/hook", 400, "ENDPOINT_BLOCKED"),
        ("https://metadata.example/", 400, "ENDPOINT_BLOCKED"),
        ("https://mixed.example/hook", 400, "ENDPOINT_BLOCKED"),
        ("https://unknown.example/", 400, "ENDPOINT_UNREACHABLE"),
    ],
)
async def test_a_url_that_must_not_be_delivered_to_is_refused(
    api: Api, url: str, status: int, code: str
) -> None:
    """At creation and at change alike; one internal address among public ones is enough."""
    assert (await api.post("/v1/endpoints", json={"url": url})).refusal == (status, code)
    assert api.stored("endpoints") == 0
    endpoint_id = await api.endpoint()
    path = f"/v1/endpoints/{endpoint_id}"
    assert (await api.request("PATCH", path, json={"url": url})).refusal == (status, code)
    assert (await api.get(path)).data["url"] == "https://public.example/hooks/1"


@pytest.mark.parametrize(
    ("field", "minimum", "maximum"),
    [
        ("rate_limit_rps", 0, 1000),
        ("burst", 0, 10_000),
        ("max_in_flight", 1, 256),
        ("timeout_s", 1, 120),
    ],
)
async def test_numbers_have_bounds(api: Api, field: str, minimum: int, maximum: int) -> None:
    """Both bounds are included; `details` names the field and both of them."""
    endpoint_id = await api.endpoint()
    path = f"/v1/endpoints/{endpoint_id}"
    for value in (minimum, maximum):
        changed = await api.request("PATCH", path, json={field: value})
        assert changed.data[field] == value
    for value in (minimum - 1, maximum + 1, 10**30, -(10**30)):
        for answer in (
            await api.request("PATCH", path, json={field: value}),
            await api.post("/v1/endpoints", json={"url": URL, field: value}),
        ):
            assert answer.refusal == (400, "INVALID_REQUEST")
            assert answer.error["details"] == {
                "field": field,
                "minimum": minimum,
                "maximum": maximum,
            }
    assert (await api.get(path)).data[field] == maximum
    assert api.stored("endpoints") == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", 5),
        ("url", None),
        ("url", ["https://public.example/"]),
        ("description", 5),
        ("description", "x" * 501),
        ("rate_limit_rps", "5"),
        ("rate_limit_rps", 1.5),
        ("rate_limit_rps", True),
        ("rate_limit_rps", None),
        ("burst", {}),
        ("headers", []),
        ("headers", {"X-Number": 5}),
        ("headers", {"X-Null": None}),
        ("ordered", 1),
        ("ordered", "true"),
        ("ordered", None),
        ("max_in_flight", 16.5),
        ("timeout_s", "30"),
        ("timeout_s", None),
    ],
)
async def test_a_field_of_the_wrong_type_is_named(api: Api, field: str, value: object) -> None:
    """400 `INVALID_REQUEST`, the field in message and details, nothing stored or changed."""
    for answer in (
        await api.post("/v1/endpoints", json={"url": URL, field: value}),
        await api.request("PATCH", f"/v1/endpoints/{UNKNOWN}", json={field: value}),
    ):
        assert answer.refusal == (400, "INVALID_REQUEST")
        assert field in answer.error["message"]
        assert answer.error["details"]["field"] == field
    assert api.stored("endpoints") == 0


async def test_a_url_is_required(api: Api) -> None:
    """The missing field is named."""
    answer = await api.post("/v1/endpoints", json={"description": "no url"})
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert answer.error["details"] == {"field": "url"}


async def test_a_url_is_unique_among_living_endpoints(api: Api) -> None:
    """409 `DUPLICATE_URL`; a deleted endpoint's URL is free; another project may have the same."""
    first = (await api.post("/v1/endpoints", json={"url": URL})).data["id"]
    answer = await api.post("/v1/endpoints", json={"url": URL})
    assert answer.refusal == (409, "DUPLICATE_URL")
    second = await api.endpoint()
    answer = await api.request("PATCH", f"/v1/endpoints/{second}", json={"url": URL})
    assert answer.refusal == (409, "DUPLICATE_URL")
    other = await api.other_project()
    assert (await api.post("/v1/endpoints", json={"url": URL}, key=other)).status == 201
    assert (await api.request("DELETE", f"/v1/endpoints/{first}")).data == {"deleted": True}
    assert (await api.post("/v1/endpoints", json={"url": URL})).status == 201


async def test_a_patch_changes_what_it_names(api: Api) -> None:
    """Other fields stay; the answer is the full endpoint and `updated`; null clears what it can."""
    endpoint_id = await api.endpoint(description="before", headers={"X-A": "1"}, burst=3)
    path = f"/v1/endpoints/{endpoint_id}"
    changed = (await api.request("PATCH", path, json={"rate_limit_rps": 5, "unknown": 1})).data
    assert set(changed) == FULL | {"updated"}
    assert changed["updated"] is True
    assert (changed["rate_limit_rps"], changed["burst"]) == (5, 3)
    assert (changed["description"], changed["headers"]) == ("before", {"X-A": "1"})
    cleared = (await api.request("PATCH", path, json={"description": None, "headers": None})).data
    assert (cleared["description"], cleared["headers"]) == (None, {})
    assert cleared["rate_limit_rps"] == 5
    assert (await api.get(path)).data == {
        name: value for name, value in cleared.items() if name != "updated"
    }


async def test_an_empty_patch_is_fine(api: Api) -> None:
    """`{}` changes nothing and answers as any other."""
    endpoint_id = await api.endpoint()
    before = (await api.get(f"/v1/endpoints/{endpoint_id}")).data
    answer = await api.request("PATCH", f"/v1/endpoints/{endpoint_id}", json={})
    assert answer.data == {**before, "updated": True}


async def test_the_list_is_newest_first_and_complete(api: Api) -> None:
    """Pages neither skip nor repeat, also when endpoints are added in between."""
    ids = [await api.endpoint(paused=False) for _ in range(5)]
    first = await api.get("/v1/endpoints?limit=2&unknown=1&unknown=2")
    assert set(first.data[0]) == {"id", "url", "description", "paused", "created_at"}
    assert first.meta["has_more"] is True
    await api.endpoint(paused=False)
    seen = [each["id"] for each in first.data]
    cursor = first.meta["next_cursor"]
    while cursor is not None:
        page = await api.get(f"/v1/endpoints?limit=2&cursor={cursor}")
        seen += [each["id"] for each in page.data]
        cursor = page.meta["next_cursor"]
        assert page.meta["has_more"] is (cursor is not None)
    assert seen == ids[::-1]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=",
        "limit=5.0",
        "limit=1e1",
        "limit=%2B5",
        "limit=%205",
        "limit=0x10",
        "limit=%D9%A3",
        "limit=" + "9" * 400,
        "limit=5&limit=5",
        "cursor=",
        "cursor=nonsense",
        "cursor=%00",
        "cursor=%ff",
        "cursor=" + "A" * 4000,
    ],
)
async def test_a_bad_page_is_refused(api: Api, query: str) -> None:
    """Limits out of range or form, repeated parameters and broken cursors are 400."""
    assert (await api.get(f"/v1/endpoints?{query}")).refusal == (400, "INVALID_REQUEST")


async def test_a_cursor_works_only_where_it_was_made(api: Api) -> None:
    """Another project's cursor, and one of another list, are refused."""
    for _ in range(2):
        await api.endpoint(paused=False)
    cursor = (await api.get("/v1/endpoints?limit=1")).meta["next_cursor"]
    other = await api.other_project()
    answer = await api.get(f"/v1/endpoints?limit=1&cursor={cursor}", key=other)
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert (await api.get(f"/v1/logs?cursor={cursor}")).refusal == (400, "INVALID_REQUEST")


OPERATIONS = [
    ("GET", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("POST", "/pause"),
    ("POST", "/resume"),
    ("POST", "/signing-keys"),
    ("GET", "/signing-keys"),
    ("DELETE", "/signing-keys/sk_" + "0" * 32),
    ("DELETE", "/signing-keys/nonsense"),
]


@pytest.mark.parametrize(("method", "suffix"), OPERATIONS)
async def test_an_unknown_endpoint_is_not_found(api: Api, method: str, suffix: str) -> None:
    """Unknown, deleted and foreign endpoints answer alike."""
    deleted = await api.endpoint()
    await api.request("DELETE", f"/v1/endpoints/{deleted}")
    mine = await api.endpoint()
    other = await api.other_project()
    for endpoint_id, key in ((UNKNOWN, None), (deleted, None), (mine, other)):
        answer = await api.request(
            method, f"/v1/endpoints/{endpoint_id}{suffix}", json={"burst": 1}, key=key
        )
        assert answer.refusal == (404, "ENDPOINT_NOT_FOUND")
        assert answer.error["message"] == "endpoint not found"
    got = (await api.get(f"/v1/endpoints/{mine}")).data
    assert (got["paused"], got["burst"]) == (True, 0)


@pytest.mark.parametrize(("method", "suffix"), OPERATIONS)
@pytest.mark.parametrize(
    "endpoint_id",
    [
        "ep_1",
        "ep_" + "A" * 32,
        "ep_" + "0" * 33,
        "nonsense",
        "%00",
        "%ff%fe",
        "ep_%F0%9F",
        "a%2Fb",
        "ep_{1}",
    ],
)
async def test_a_malformed_endpoint_id_in_a_path_is_refused(
    api: Api, method: str, suffix: str, endpoint_id: str
) -> None:
    """400 `INVALID_REQUEST`, and the form is told."""
    answer = await api.request(method, f"/v1/endpoints/{endpoint_id}{suffix}", json={})
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert answer.error["message"] == "endpoint_id must be in format ep_xxx"


async def test_pause_and_resume_answer_once_each(api: Api) -> None:
    """A second pause is 409 `ALREADY_PAUSED`, a second resume 409 `NOT_PAUSED`."""
    endpoint_id = await api.endpoint(paused=False)
    path = f"/v1/endpoints/{endpoint_id}"
    assert (await api.post(f"{path}/resume")).refusal == (409, "NOT_PAUSED")
    assert (await api.post(f"{path}/pause")).data == {"id": endpoint_id, "paused": True}
    answer = await api.post(f"{path}/pause")
    assert answer.refusal == (409, "ALREADY_PAUSED")
    assert answer.error["message"] == "Endpoint is already paused"
    got = (await api.get(path)).data
    assert (got["paused"], got["pause_reason"]) == (True, "manual")
    assert MOMENT.fullmatch(got["paused_at"])
    await api.send(endpoint_id=endpoint_id, payload=1)
    assert (await api.get(path)).data["counts"]["paused"] == 1
    assert (await api.post(f"{path}/resume")).data == {
        "id": endpoint_id,
        "paused": False,
        "messages_requeued": 1,
    }
    answer = await api.post(f"{path}/resume")
    assert answer.refusal == (409, "NOT_PAUSED")
    assert answer.error["message"] == "Endpoint is not paused"


async def test_an_endpoint_has_one_or_two_signing_keys(api: Api) -> None:
    """A third is refused, the last one stays, a deleted one is gone."""
    endpoint_id = await api.endpoint()
    path = f"/v1/endpoints/{endpoint_id}/signing-keys"
    created = await api.post(path)
    assert created.status == 201
    assert set(created.data) == {"id", "signing_secret", "key_hint", "created_at"}
    answer = await api.post(path)
    assert answer.refusal == (409, "MAX_SIGNING_KEYS_REACHED")
    assert answer.error["message"] == "Endpoint already has the maximum of 2 signing keys"
    listed = await api.get(path)
    assert (listed.meta["next_cursor"], listed.meta["has_more"]) == (None, False)
    newest, oldest = listed.data
    assert set(newest) == {"id", "key_hint", "created_at"}
    assert newest["id"] == created.data["id"]
    deleted = await api.request("DELETE", f"{path}/{oldest['id']}")
    assert (deleted.status, deleted.body) == (204, b"")
    answer = await api.request("DELETE", f"{path}/{newest['id']}")
    assert answer.refusal == (409, "CANNOT_DELETE_LAST_KEY")
    for key_id in (oldest["id"], "sk_" + "0" * 32, "nonsense", "%00", "%ff"):
        answer = await api.request("DELETE", f"{path}/{key_id}")
        assert answer.refusal == (404, "NOT_FOUND"), key_id
