"""Exports of a server process: with the official client, and through `kill -9`."""

import csv
import io
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from hookbridge.errors import HookBridgeError

from .harness import API_KEY, ServerProcess, api, until

if TYPE_CHECKING:
    from .conftest import Client

SPAN = {"start_time": "2020-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00Z"}


async def fill(server: ServerProcess, batches: int) -> list[str]:
    """Have so many thousand messages held; return their ids."""
    sent: list[str] = []
    async with api(server) as session:
        async with session.post("/v1/endpoints", json={"url": "https://127.0.0.1:9/"}) as answer:
            endpoint_id = (await answer.json())["data"]["id"]
        async with session.post(f"/v1/endpoints/{endpoint_id}/pause") as answer:
            assert answer.status == 200
        batch = [{"endpoint_id": endpoint_id, "payload": n} for n in range(1000)]
        for _ in range(batches):
            async with session.post("/v1/webhooks/send-batch", json={"messages": batch}) as answer:
                sent += [each["message_id"] for each in (await answer.json())["data"]]
    return sent


async def download(url: str) -> list[dict[str, str]]:
    """Open a link as a browser does: without a key."""
    async with aiohttp.ClientSession() as browser, browser.get(url) as answer:
        assert answer.status == 200
        text = io.StringIO((await answer.read()).decode(), newline="")
    return list(csv.DictReader(text))


async def test_the_official_client_exports(server: ServerProcess, client: "Client") -> None:
    """All five operations; the link that it returns can be opened by anybody."""
    sent = await fill(server, 1)
    asked = await client.create_export(**SPAN, status="paused")
    assert asked.status == "pending"
    assert asked.filter_status == "paused"

    async def is_done() -> bool:
        return bool((await client.get_export(asked.id)).status == "completed")

    await until(is_done)
    export = await client.get_export(asked.id)
    assert export.row_count == len(sent)
    assert (export.expires_at - export.completed_at).days == 7
    assert [each.id for each in await client.list_exports()] == [asked.id]
    url = await client.download_export(asked.id)
    lines = await download(url)
    assert [line["message_id"] for line in lines] == sent
    assert all(token not in str(server.log) for token in (url.partition("=")[2], API_KEY))
    assert await client.delete_export(asked.id) is None
    with pytest.raises(HookBridgeError) as refused:
        await client.download_export(asked.id)
    assert (refused.value.status_code, refused.value.code) == (404, "NOT_FOUND")


async def test_the_official_client_looks_keys_up(client: "Client") -> None:
    """Deleted ones too."""
    created = await client.create_api_key(label="shop", mode="live")
    await client.delete_api_key(created.key_id)
    found = await client.lookup_actors(api_key_ids=[created.key_id, "x"], user_ids=["u"])
    assert found.api_keys == {created.key_id: {"label": "shop"}}
    assert found.users == {}


@pytest.mark.parametrize("ending", ["kill", "terminate"])
async def test_an_export_goes_on_after_the_process_ended(
    server: ServerProcess, ending: str
) -> None:
    """Killed or stopped while it is written, it is written anew and whole; nothing is left over."""
    sent = await fill(server, 10)
    async with api(server) as session:
        async with session.post("/v1/exports", json=SPAN) as answer:
            export_id = (await answer.json())["data"]["id"]
        path = f"/v1/exports/{export_id}"

        async def record() -> Any:
            async with session.get(path) as answer:
                return (await answer.json())["data"]

        folder = server.directory / "sluicegate.db.exports"
        part = folder / f"{export_id}.csv.part"

        async def is_under_way() -> bool:
            return part.exists() and part.stat().st_size > 100_000

        await until(is_under_way)
        await getattr(server, ending)()
        assert part.exists(), "it was done before the process ended"
    await server.start()
    async with api(server) as session:

        async def is_done() -> bool:
            async with session.get(path) as answer:
                return bool((await answer.json())["data"]["status"] == "completed")

        await until(is_done)
        async with session.get(path) as answer:
            assert (await answer.json())["data"]["row_count"] == len(sent)
        async with session.get(f"{path}/download", allow_redirects=False) as answer:
            assert answer.status == 302
            url = answer.headers["Location"]
    assert [line["message_id"] for line in await download(url)] == sent
    assert [each.name for each in folder.iterdir()] == [f"{export_id}.csv"]
