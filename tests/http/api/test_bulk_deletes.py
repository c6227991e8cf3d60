"""Contract section 6 over HTTP: deletes of many messages."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hookbridge import client as official

from sluicegate.engine.errors import SluicegateError, UnavailableError
from sluicegate.engine.operations import Moved
from sluicegate.storage import SqliteStorage

from .harness import Answer, Api, running_api
from .lives import UNKNOWN, delete, ended, message, one_of_each, sent

DELETE_ALL = "/v1/messages/delete-all"
DELETE_BATCH = "/v1/messages/delete-batch"


# -- delete-batch ---------------------------------------------------------------------------------


async def test_each_of_a_batch_is_deleted_or_told_why_not(api: Api) -> None:
    """In order, each once; what was deleted before keeps its moment."""
    found = await one_of_each(api)
    before = (await delete(api, found["succeeded"])).data
    asked = [UNKNOWN, *found.values(), found["slow"], "nonsense"]
    data = (await api.post(DELETE_BATCH, json={"message_ids": asked})).data
    counts = {"deleted_count": 5, "already_deleted_count": 1, "not_found_count": 2}
    assert {name: count for name, count in data.items() if name != "results"} == counts
    assert [result["message_id"] for result in data["results"]] == [*asked[:-2], "nonsense"]
    for result in data["results"]:
        message_id = result["message_id"]
        if message_id in {UNKNOWN, "nonsense"}:
            assert result == {"message_id": message_id, "outcome": "not_found"}
            continue
        deleted_at = (await message(api, message_id))["deleted_at"]
        outcome = "already_deleted" if message_id == found["succeeded"] else "deleted"
        assert result == {
            "message_id": message_id,
            "outcome": outcome,
            "deleted_at": deleted_at,
        }
        assert (await api.get(f"/v1/messages/{message_id}/payload")).status == 410
    assert (await message(api, found["succeeded"]))["deleted_at"] == before["deleted_at"]
    [key] = (await api.get("/v1/api-keys")).data
    assert (await message(api, found["fast"]))["deleted_by_api_key_id"] == key["key_id"]


# -- delete-all -----------------------------------------------------------------------------------


async def deleted(answer: Answer) -> list[str]:
    """Return what a delete by filter has deleted; checks the answer."""
    data: dict[str, Any] = answer.data
    assert set(data) == {"deleted", "deleted_message_ids"}
    assert data["deleted"] == len(data["deleted_message_ids"])
    ids: list[str] = data["deleted_message_ids"]
    return ids


@pytest.mark.parametrize(
    ("statuses", "ends"),
    [
        (None, ["delivering", "paused", "fast", "slow", "failed_permanent", "succeeded"]),
        ("succeeded", ["succeeded"]),
        ("pending_retry", ["fast", "slow"]),
        ("paused", ["paused"]),
        ("delivering", ["delivering"]),
        ("queued", []),
        ("succeeded,paused", ["paused", "succeeded"]),
        ("paused,succeeded,paused", ["paused", "succeeded"]),
        ("failed_permanent,delivering", ["delivering", "failed_permanent"]),
    ],
)
async def test_messages_are_deleted_by_what_they_read(
    api: Api, statuses: str | None, ends: list[str]
) -> None:
    """Newest first, whatever the order of the statuses; once more finds none of them."""
    found = await one_of_each(api)
    path = DELETE_ALL if statuses is None else f"{DELETE_ALL}?status={statuses}"
    assert await deleted(await api.post(path)) == [found[end] for end in ends]
    assert await deleted(await api.post(path)) == []
    [key] = (await api.get("/v1/api-keys")).data
    for end, message_id in found.items():
        about = await message(api, message_id)
        assert about.get("deleted_by_api_key_id") == (key["key_id"] if end in ends else None)


async def test_messages_are_deleted_by_endpoint_and_time_up_to_a_limit(api: Api) -> None:
    """`created_after` is inclusive, `created_before` exclusive; any offset, or none."""
    endpoint_id, other_id = await api.endpoint(), await api.endpoint()
    ids = [await sent(api, endpoint_id) for _ in range(3)]
    other = await sent(api, other_id)
    created_at = (await message(api, other))["created_at"]
    scope = f"{DELETE_ALL}?endpoint_id={other_id}"
    for text in (created_at, created_at.replace("Z", "+00:00"), created_at.removesuffix("Z")):
        assert await deleted(await api.post(f"{scope}&created_before={quote(text)}")) == []
    assert await deleted(await api.post(f"{scope}&created_after={quote(created_at)}")) == [other]
    scope = f"{DELETE_ALL}?endpoint_id={endpoint_id}&limit=2"
    assert await deleted(await api.post(f"{DELETE_ALL}?endpoint_id=ep_{'0' * 32}")) == []
    assert await deleted(await api.post(f"{scope}&created_after=2999-01-01T00:00:00Z")) == []
    assert await deleted(await api.post(scope)) == ids[:0:-1]
    assert await deleted(await api.post(f"{scope}&status=paused,queued")) == ids[:1]


async def test_a_delete_by_filter_gets_on(api: Api) -> None:
    """Call it again until nothing is deleted: what is deleted does not use up the limit."""
    ids = [await ended(api, await api.endpoint(paused=False), "succeeded") for _ in range(3)]
    for left in ([ids[2]], [ids[1]], [ids[0]], []):
        assert await deleted(await api.post(f"{DELETE_ALL}?limit=1")) == left


@pytest.mark.parametrize(
    "query",
    [
        "status=",
        "status=nonsense",
        "status=paused,nonsense",
        "status=paused,",
        "status=,",
        "status=paused,%20queued",
        "status=paused&status=queued",
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=+1",
        "limit=1&limit=1",
        "endpoint_id=nonsense",
        "endpoint_id=EP_" + "0" * 32,
        "created_after=yesterday",
        "created_after=",
        "created_after=2026-02-30T00:00:00Z",
        "created_before=1780000000",
        "created_before=%ff",
        "created_before=2026-01-01T00:00:00Z&created_before=2026-01-01T00:00:00Z",
    ],
)
async def test_a_bad_delete_by_filter_is_refused(api: Api, query: str) -> None:
    """400, and the parameter is named; nothing is deleted."""
    message_id = await sent(api, await api.endpoint())
    answer = await api.post(f"{DELETE_ALL}?{query}")
    assert answer.refusal == (400, "INVALID_REQUEST")
    field = query.partition("=")[0]
    assert field in answer.error["message"]
    assert answer.error["details"]["field"] == field
    assert "deleted_at" not in await message(api, message_id)


class FullAtSecond(SqliteStorage):
    """Takes the messages of one endpoint, then has no room."""

    deletes = 0

    async def delete_messages(self, *args: Any, **options: Any) -> list[Moved | SluicegateError]:
        self.deletes += 1
        if self.deletes % 2 == 0:
            raise UnavailableError("no room")
        return await super().delete_messages(*args, **options)


async def test_a_delete_that_ends_half_way_says_so_beside_what_it_did(tmp_path: Path) -> None:
    """200 with `error`, whose code official clients know; once more takes the rest."""
    async with running_api(tmp_path, storage_type=FullAtSecond) as api:
        ids = [await sent(api, await api.endpoint()) for _ in range(2)]
        half = await api.post(DELETE_ALL)
        assert half.status == 200
        assert half.json["error"] == {"code": "PARTIAL_DELETE_FAILURE", "message": "no room"}
        read = official._parse_delete_all(half.json)  # noqa: SLF001 - how the client reads it
        assert read.error is not None
        assert read.deleted == 1
        rest = await api.post(DELETE_ALL)
        assert sorted(read.deleted_message_ids + rest.data["deleted_message_ids"]) == sorted(ids)
        await sent(api, await api.endpoint())
        refused = await api.post(DELETE_ALL)
        assert refused.refusal == (503, "UNAVAILABLE")
        assert int(refused.headers["Retry-After"]) >= 1


async def test_deletes_by_filter_that_race_each_other_each_delete_some(api: Api) -> None:
    """None answers 0, the sign that nothing is left, because another one was faster."""
    endpoint_id = await api.endpoint(paused=True)
    for _ in range(30):
        await sent(api, endpoint_id)
    racing = [api.post(f"{DELETE_ALL}?status=paused&limit=5") for _ in range(4)]
    counts = [each.json["data"]["deleted"] for each in await asyncio.gather(*racing)]
    assert min(counts) > 0
    rest = await api.post(f"{DELETE_ALL}?status=paused")
    assert rest.json["data"]["deleted"] == 30 - sum(counts)
