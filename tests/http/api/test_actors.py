"""Who an id stands for, deleted keys included."""

import pytest

from .harness import Api


async def key(api: Api, label: str | None, **options: str) -> str:
    """Create an API key and return its id."""
    created = await api.post("/v1/api-keys", json={"label": label}, **options)
    key_id: str = created.data["key_id"]
    return key_id


async def test_keys_are_told_by_their_labels(api: Api) -> None:
    """Separated by commas or given again; unknown ids are absent, no label is an empty one."""
    shop, nameless = await key(api, "shop"), await key(api, None)
    unknown = "key_" + "0" * 32
    expected = {shop: {"label": "shop"}, nameless: {"label": ""}}
    for query in (
        f"api_key_id={shop},{nameless},{unknown},nonsense",
        f"api_key_id={shop}&api_key_id={nameless}",
        f"api_key_id={shop},{shop}&api_key_id={nameless}",
    ):
        assert (await api.get(f"/v1/actors/lookup?{query}")).data == {"api_keys": expected}


async def test_a_server_of_ones_own_has_no_users(api: Api) -> None:
    """Those that are asked for are unknown; what is not asked for is absent."""
    shop = await key(api, "shop")
    assert (await api.get("/v1/actors/lookup?user_id=u1,u2")).data == {"users": {}}
    both = (await api.get(f"/v1/actors/lookup?user_id=u1&api_key_id={shop}")).data
    assert both == {"users": {}, "api_keys": {shop: {"label": "shop"}}}


async def test_a_deleted_key_keeps_its_label_and_opens_nothing(api: Api) -> None:
    """So `deleted_by_api_key_id` can still be told; only the label is kept."""
    created = (await api.post("/v1/api-keys", json={"label": "old shop"})).data
    await api.request("DELETE", f"/v1/api-keys/{created['key_id']}")
    found = await api.get(f"/v1/actors/lookup?api_key_id={created['key_id']}")
    assert found.data == {"api_keys": {created["key_id"]: {"label": "old shop"}}}
    refused = await api.get("/v1/endpoints", key=created["key"])
    assert refused.refusal == (401, "UNAUTHORIZED")
    listed = (await api.get("/v1/api-keys")).data
    assert created["key_id"] not in [each["key_id"] for each in listed]


async def test_another_projects_keys_are_unknown(api: Api) -> None:
    """Deleted or not."""
    live, deleted = await key(api, "live"), await key(api, "deleted")
    await api.request("DELETE", f"/v1/api-keys/{deleted}")
    other = await api.other_project()
    found = await api.get(f"/v1/actors/lookup?api_key_id={live},{deleted}", key=other)
    assert found.data == {"api_keys": {}}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?user=1",
        "?user_id=",
        "?api_key_id=",
        "?api_key_id=a,,b",
        "?user_id=a&api_key_id=",
        "?user_id=,",
    ],
)
async def test_there_must_be_an_id(api: Api, query: str) -> None:
    """And none of them is empty."""
    assert (await api.get(f"/v1/actors/lookup{query}")).refusal == (400, "INVALID_REQUEST")


async def test_at_most_100_ids_are_looked_up(api: Api) -> None:
    """Of both kinds together."""
    keys = ",".join(["key_" + "0" * 32] * 99)
    assert (await api.get(f"/v1/actors/lookup?api_key_id={keys}&user_id=u")).status == 200
    refused = await api.get(f"/v1/actors/lookup?api_key_id={keys}&user_id=u,v")
    assert refused.refusal == (400, "INVALID_REQUEST")
    assert refused.error["details"]["maximum"] == 100
