"""Exports, and who an id stands for: contract section 6."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from hookbridge import NotFoundError

from ..harness import API_KEY, WAIT_S, until
from .adapter import refused
from .conftest import FORMS, Connect, ServerWith
from .scene import PAYLOAD, UNKNOWN_ENDPOINT, UNKNOWN_MESSAGE, Scene
from .walks import meets, walks

pytestmark = pytest.mark.asyncio(loop_scope="package")

ALWAYS: dict[str, Any] = {
    "start_time": datetime(2020, 1, 1, tzinfo=UTC),
    "end_time": "2100-01-01T00:00:00+02:00",
}


async def completed(scene: Scene, export_id: str) -> Any:
    """Wait until an export has a file and return its record."""
    found: Any = None

    async def there() -> bool:
        nonlocal found
        found = await scene.client.get_export(export_id)
        assert found.status != "failed", found.error_message
        return bool(found.status == "completed")

    await until(there)
    return found


async def opened(url: str) -> list[dict[str, str]]:
    """Open a link as a browser does, without a key; return the lines."""
    async with aiohttp.ClientSession() as browser, browser.get(url) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Disposition"].startswith("attachment")
        text = io.StringIO((await answer.read()).decode(), newline="")
    return list(csv.DictReader(text))


def remove_file(scene: Scene, export_id: str) -> None:
    """Remove an export's file behind the server's back."""
    (scene.server.directory / "sluicegate.db.exports" / f"{export_id}.csv").unlink()


@walks("create_export", "get_export", "list_exports", "download_export", "delete_export")
@meets(("get_export", "download_export", "delete_export"), "NOT_FOUND")
async def test_messages_are_exported_downloaded_and_deleted(scene: Scene) -> None:
    """The link that the client returns can be opened by anybody; the server's log has no token."""
    client = scene.client
    held, _ = await scene.endpoint(paused=True)
    sent = [(await client.send(held.id, PAYLOAD)).message_id for _ in range(3)]
    asked = await client.create_export(**ALWAYS, status="paused", endpoint_id=held.id)
    assert (asked.status, asked.filter_status) == ("pending", "paused")
    assert asked.filter_endpoint_id == held.id
    assert asked.filter_start_time == ALWAYS["start_time"]
    assert asked.filter_end_time == datetime(2099, 12, 31, 22, tzinfo=UTC)
    assert (asked.row_count, asked.started_at, asked.expires_at) == (None, None, None)
    assert scene.is_recent(asked.created_at)
    export = await completed(scene, asked.id)
    assert (export.row_count, export.error_message) == (3, None)
    assert export.expires_at - export.completed_at == timedelta(days=7)
    assert export in await client.list_exports()
    url = await client.download_export(export.id)
    lines = await opened(url)
    assert [line["message_id"] for line in lines] == sent
    assert {line["status"] for line in lines} == {"paused"}
    log = str(scene.server.log)
    assert url.partition("=")[2] not in log
    assert API_KEY not in log
    assert await client.delete_export(export.id) is None
    assert export not in await client.list_exports()
    for unknown in (export.id, UNKNOWN_MESSAGE, "nonsense"):
        for call in (client.get_export, client.download_export, client.delete_export):
            await refused(call(unknown), 404, "NOT_FOUND", NotFoundError)


@meets("create_export", "INVALID_REQUEST", "ENDPOINT_NOT_FOUND")
async def test_an_export_that_makes_no_sense_is_refused(scene: Scene) -> None:
    """Nothing is begun."""
    client = scene.client
    for wrong in (
        {"start_time": "yesterday"},
        {"end_time": "2020-01-01T00:00:00Z"},
        {"status": "lost"},
        {"endpoint_id": "nonsense"},
    ):
        call = client.create_export(**{**ALWAYS, **wrong})
        await refused(call, 400, "INVALID_REQUEST")
    call = client.create_export(**ALWAYS, endpoint_id=UNKNOWN_ENDPOINT)
    await refused(call, 404, "NOT_FOUND", NotFoundError)


@meets("download_export", "EXPORT_EXPIRED")
async def test_a_file_that_was_removed_cannot_be_downloaded(scene: Scene) -> None:
    """The record stays until it is deleted."""
    client = scene.client
    export = await completed(scene, (await client.create_export(**ALWAYS)).id)
    remove_file(scene, export.id)
    await refused(client.download_export(export.id), 410, "EXPORT_EXPIRED")
    await client.delete_export(export.id)


@walks("create_export", "get_export")
@meets("download_export", "EXPORT_NOT_READY")
async def test_an_export_that_could_not_be_written_cannot_be_downloaded(
    server_with: ServerWith, connect: Connect
) -> None:
    """Here the disk may not be filled any more: the record says why it failed."""
    async with server_with(EXPORTS_FREE_BYTES_MIN=str(1 << 50)) as server:
        for form in FORMS:
            client = connect(form, url=server.url)
            export: Any = await client.create_export(**ALWAYS)
            async with asyncio.timeout(WAIT_S):
                while export.status != "failed":
                    export = await client.get_export(export.id)
            assert export.error_message
            await refused(client.download_export(export.id), 400, "EXPORT_NOT_READY")


@walks("lookup_actors")
@meets("lookup_actors", "INVALID_REQUEST")
async def test_who_an_id_stands_for_is_told(scene: Scene) -> None:
    """API keys by their labels, deleted ones too; there are no users."""
    client = scene.client
    made = [await client.create_api_key("live", label=label) for label in ("shop", "old")]
    for key in made:
        await client.delete_api_key(key.key_id)
    ids = [key.key_id for key in made]
    found = await client.lookup_actors(api_key_ids=[*ids, "nonsense"], user_ids=["user_1"])
    assert found.api_keys == {ids[0]: {"label": "shop"}, ids[1]: {"label": "old"}}
    assert found.users == {}
    only = await client.lookup_actors(api_key_ids=ids[:1])
    assert (only.users, only.api_keys) == (None, {ids[0]: {"label": "shop"}})
    await refused(client.lookup_actors(), 400, "INVALID_REQUEST")
    await refused(client.lookup_actors(user_ids=["u"] * 101), 400, "INVALID_REQUEST")
