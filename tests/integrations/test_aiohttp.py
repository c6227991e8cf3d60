"""aiohttp's server, itself: the lines of the document, and an application within another."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from sluicegate import Engine, Settings
from sluicegate.engine.errors import UnavailableError
from sluicegate.integrations.aiohttp import ENGINE, engine_context

from .conftest import Receiver
from .documented import block, run_as_module


async def serve(app: web.Application) -> tuple[web.AppRunner, str]:
    """Start an application on loopback; return what stops it, and its address."""
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"


async def test_the_documents_lines_send_from_aiohttp(
    tmp_path: Path, endpoint_id: str, receiver: Receiver
) -> None:
    """They deliver while the application runs; after it nobody holds the file."""
    code = block("docs/embedding.md", "aiohttp")
    app = run_as_module(code, tmp_path)["app"]
    assert isinstance(app, web.Application)
    runner, address = await serve(app)
    async with aiohttp.ClientSession() as client, client.post(f"{address}/orders") as answer:
        assert answer.status == 202
    assert await asyncio.to_thread(receiver.next_body) == b'{"event":"order.created"}'
    await runner.cleanup()
    with pytest.raises(UnavailableError):
        await app[ENGINE].send(endpoint_id, 1)
    async with Engine(Settings(database="webhooks.db")):
        pass


async def test_an_application_within_another_has_its_engine(
    settings: Settings, endpoint_id: str
) -> None:
    """By `config_dict`, as aiohttp shares what is the outer application's."""

    async def show(request: web.Request) -> web.Response:
        endpoint = await request.config_dict[ENGINE].get_endpoint(endpoint_id)
        return web.Response(text=endpoint.id)

    inner = web.Application()
    inner.router.add_get("/show", show)
    app = web.Application()
    app.cleanup_ctx.append(engine_context(settings))
    app.add_subapp("/inner/", inner)
    runner, address = await serve(app)
    async with aiohttp.ClientSession() as client, client.get(f"{address}/inner/show") as answer:
        assert await answer.text() == endpoint_id
    await runner.cleanup()
