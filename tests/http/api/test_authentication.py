"""Contract section 1: who may ask, and how often a stranger may try."""

from pathlib import Path

import pytest

from .harness import Api, running_api


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic {key}",
        "{key}",
        "Bearer {key}x",
        "Bearer x{key}",
        "Bearer {key} {key}",
        "Bearer sg_live_" + "a" * 43,
        "Bearer " + "a" * 4000,
        "Bearer \u00e9\u00e8",
    ],
)
async def test_anything_but_a_good_bearer_key_is_refused(api: Api, header: str | None) -> None:
    """Missing, malformed and unknown keys all answer alike: 401 and one sentence."""
    headers = {} if header is None else {"Authorization": header.format(key=api.key)}
    answer = await api.get("/v1/endpoints", key="", headers=headers)
    assert answer.refusal == (401, "UNAUTHORIZED")
    assert answer.error["message"] == "Invalid or missing API key"


async def test_two_authorization_headers_are_refused(api: Api) -> None:
    """Which of two is meant nobody can know."""
    head, body = await api.raw(
        f"GET /v1/endpoints HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {api.key}\r\n"
        f"Authorization: Bearer {api.key}\r\n\r\n".encode()
    )
    assert b" 401 " in head.split(b"\r\n")[0]
    assert body["error"]["code"] == "UNAUTHORIZED"


async def test_the_scheme_is_read_in_any_case(api: Api) -> None:
    """RFC 9110 §11.1: scheme names are case-insensitive."""
    answer = await api.get("/v1/endpoints", headers={"Authorization": f"bearer {api.key}"})
    assert answer.status == 200


async def test_a_deleted_key_is_refused_at_once(api: Api) -> None:
    """A key that just passed is refused by the first request after its deletion."""
    created = (await api.post("/v1/api-keys", json={"label": "short"})).data
    assert (await api.get("/v1/endpoints", key=created["key"])).status == 200
    assert (await api.request("DELETE", f"/v1/api-keys/{created['key_id']}")).status == 204
    answer = await api.get("/v1/endpoints", key=created["key"])
    assert answer.refusal == (401, "UNAUTHORIZED")


async def test_strangers_are_slowed_and_friends_are_not(tmp_path: Path) -> None:
    """Over the limit failures get 429 with an integer `Retry-After`; good keys still pass."""
    async with running_api(tmp_path, auth_failures_per_minute=3) as api:
        for _ in range(3):
            assert (await api.get("/v1/logs", key="wrong")).refusal == (401, "UNAUTHORIZED")
        answer = await api.get("/v1/logs", key="wrong")
        assert answer.refusal == (429, "RATE_LIMITED")
        assert answer.headers["Retry-After"] == "20"
        assert (await api.get("/v1/logs")).status == 200
        api.clock.ahead_s += 20
        assert (await api.get("/v1/logs", key="wrong")).refusal == (401, "UNAUTHORIZED")
        assert (await api.get("/v1/logs", key="wrong")).refusal == (429, "RATE_LIMITED")


async def test_a_limit_of_zero_failures_is_no_limit(tmp_path: Path) -> None:
    """0 switches the limit off."""
    async with running_api(tmp_path, auth_failures_per_minute=0) as api:
        for _ in range(70):
            assert (await api.get("/v1/logs", key="wrong")).status == 401


async def test_a_project_over_its_rate_is_told_when_to_come_back(tmp_path: Path) -> None:
    """`RATE_LIMIT_EXCEEDED` is per project: another project goes on."""
    async with running_api(tmp_path, requests_per_minute=2) as api:
        other = await api.other_project()
        assert (await api.get("/v1/endpoints")).status == 200
        assert (await api.get("/v1/endpoints")).status == 200
        answer = await api.get("/v1/endpoints")
        assert answer.refusal == (429, "RATE_LIMIT_EXCEEDED")
        assert answer.headers["Retry-After"] == "30"
        assert (await api.get("/v1/endpoints", key=other)).status == 200
        api.clock.ahead_s += 30
        assert (await api.get("/v1/endpoints")).status == 200


async def test_keys_are_listed_without_themselves(api: Api) -> None:
    """The list has exactly the contract's fields; the key itself is told once, at creation."""
    created = await api.post("/v1/api-keys", json={"label": "ci", "mode": "test"})
    assert created.status == 201
    assert set(created.data) == {"key_id", "key", "prefix", "label", "created_at"}
    key = created.data["key"]
    assert key.startswith("sg_test_")
    assert created.data["prefix"] == key[:11]
    listed = await api.get("/v1/api-keys")
    assert listed.meta["next_cursor"] is None
    assert listed.meta["has_more"] is False
    newest = listed.data[0]
    assert newest == {
        "key_id": created.data["key_id"],
        "label": "ci",
        "prefix": key[:11],
        "created_at": created.data["created_at"],
    }
    assert key.encode() not in listed.body
    await api.get("/v1/endpoints", key=key)
    assert "last_used_at" in (await api.get("/v1/api-keys")).data[0]


async def test_a_key_needs_neither_label_nor_mode(api: Api) -> None:
    """No body, `{}` and `{"label": null}` make a live key without a label."""
    bodies: list[dict[str, object]] = [{}, {"json": {}}, {"json": {"label": None}}]
    for options in bodies:
        created = (await api.post("/v1/api-keys", **options)).data
        assert created["label"] is None
        assert created["key"].startswith("sg_live_")


@pytest.mark.parametrize(
    "body",
    [{"mode": "prod"}, {"mode": None}, {"mode": 1}, {"label": 1}, {"label": "x" * 256}, [], "x"],
)
async def test_a_key_with_nonsense_is_refused(api: Api, body: object) -> None:
    """Wrong types, modes and lengths are 400, and no key is made."""
    assert (await api.post("/v1/api-keys", json=body)).refusal == (400, "INVALID_REQUEST")
    assert api.stored("api_keys") == 1


async def test_the_last_key_stays(api: Api) -> None:
    """A project's last API key cannot be deleted."""
    [only] = (await api.get("/v1/api-keys")).data
    answer = await api.request("DELETE", f"/v1/api-keys/{only['key_id']}")
    assert answer.refusal == (409, "CANNOT_DELETE_LAST_KEY")
    assert (await api.get("/v1/endpoints")).status == 200


@pytest.mark.parametrize("key_id", ["key_" + "0" * 32, "nonsense", "%00", "%ff", "key_%F0%9F"])
async def test_an_unknown_key_cannot_be_deleted(api: Api, key_id: str) -> None:
    """Whatever is not a key of this project is not found."""
    answer = await api.request("DELETE", f"/v1/api-keys/{key_id}")
    assert answer.refusal == (404, "NOT_FOUND")


async def test_another_projects_key_is_an_unknown_one(api: Api) -> None:
    """Neither listed nor deleted from here."""
    other = await api.other_project()
    [foreign] = (await api.get("/v1/api-keys", key=other)).data
    answer = await api.request("DELETE", f"/v1/api-keys/{foreign['key_id']}")
    assert answer.refusal == (404, "NOT_FOUND")
    assert foreign["key_id"] not in {
        each["key_id"] for each in (await api.get("/v1/api-keys")).data
    }


async def test_uses_are_written_down_once_a_minute(api: Api) -> None:
    """`last_used_at` reaches storage lazily: not with each request, at the latest a minute on.

    Also if the key itself was found later, and so is known for longer.
    """
    api.clock.ahead_s += 30
    await api.get("/v1/endpoints")
    [key] = await api.storage.list_api_keys(await _project(api))
    assert key.last_used_at is None
    api.clock.ahead_s += 31
    await api.get("/v1/endpoints")
    [key] = await api.storage.list_api_keys(await _project(api))
    assert key.last_used_at is not None


async def _project(api: Api) -> str:
    project_id = await api.storage.default_project()
    assert project_id is not None
    return project_id
