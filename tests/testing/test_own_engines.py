"""Programs that open an engine of their own: what the kit has for those."""

import asyncio
import math
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sluicegate import Engine, Settings, SyncEngine
from sluicegate.engine.errors import SettingError
from sluicegate.integrations.aiohttp import ENGINE, engine_context
from sluicegate.testing import (
    HANG,
    AsyncRealEngine,
    RealEngine,
    RealReceiver,
    VirtualEngine,
    WebhookReceiver,
    assert_delivered,
    drain,
    quick_settings,
)

ORDER = {"order": "apples"}


async def test_an_application_with_an_engine_of_its_own_is_tested_with_the_receiver(
    webhook_settings: Settings, webhook_receiver: WebhookReceiver
) -> None:
    """On the test's loop, which a drain leaves free; the program creates the endpoint."""

    async def order(request: web.Request) -> web.Response:
        engine = request.app[ENGINE]
        endpoint = await engine.create_endpoint(webhook_receiver.url)
        webhook_receiver.trust(endpoint.signing_secret)
        sent = await engine.send(endpoint.id, ORDER)
        return web.Response(text=sent.message_id)

    app = web.Application()
    app.cleanup_ctx.append(engine_context(webhook_settings))
    app.router.add_post("/orders", order)
    webhook_receiver.script(500, 200)
    async with TestClient(TestServer(app)) as client:
        message_id = await (await client.post("/orders")).text()
        await drain(app[ENGINE])
    assert_delivered(webhook_receiver, ORDER, attempts=2)
    assert webhook_receiver.deliveries[0].message_id == message_id


async def test_an_engine_on_the_tests_loop_is_drained_by_awaiting(
    webhook_settings: Settings, webhook_receiver: WebhookReceiver
) -> None:
    """A failure to deliver in time says what is left."""
    webhook_receiver.script(200, HANG)
    async with Engine(webhook_settings) as engine:
        endpoint = await engine.create_endpoint(webhook_receiver.url)
        webhook_receiver.trust(endpoint.signing_secret)
        await engine.send(endpoint.id, ORDER)
        await drain(engine)
        assert_delivered(webhook_receiver, ORDER)
        await engine.send(endpoint.id, ORDER)
        with pytest.raises(AssertionError, match=r"after 0\.05 s these messages are still"):
            async with asyncio.timeout(30):
                await drain(engine, timeout_s=0.05)


@pytest.mark.webhook_engine(clock="real")
def test_a_blocking_engine_of_the_programs_own_is_drained(
    webhook_settings: Settings, webhook_receiver: WebhookReceiver
) -> None:
    """Its retries follow at once, by the fixture's settings."""
    webhook_receiver.script(503, 200)
    with SyncEngine(webhook_settings) as engine:
        endpoint = engine.create_endpoint(webhook_receiver.url)
        webhook_receiver.trust(endpoint.signing_secret)
        engine.send(endpoint.id, ORDER)
        drain(engine)
    assert_delivered(webhook_receiver, ORDER, attempts=2)


def test_two_engines_in_one_folder_have_a_file_each(tmp_path: Path) -> None:
    """One sends to the receiver, the other has nothing to do with it."""
    with RealReceiver() as receiver, RealEngine(tmp_path) as one, RealEngine(tmp_path) as other:
        endpoint = one.create_endpoint(receiver)
        one.send(endpoint.id, ORDER)
        one.drain()
        other.drain()
        assert [each.status for each in one.list_logs().items] == ["succeeded"]
        assert other.list_endpoints().items == []
    assert_delivered(receiver, ORDER)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"retries": 3}, "'retries' is not a setting"),
        ({"drain_s": -1}, "drain_s"),
        ({"database": "x.db"}, "the test kit has its file in a temporary folder"),
    ],
)
def test_settings_are_held_to_the_engines_rules(
    tmp_path: Path, settings: dict[str, object], told: str
) -> None:
    """A slip of the pen is told, with what was meant."""
    with pytest.raises(SettingError, match=told):
        quick_settings(tmp_path, **settings)


def test_only_an_engine_of_the_programs_own_is_drained_like_this(
    webhook_engine: VirtualEngine, tmp_path: Path
) -> None:
    """Else it would return something that nobody awaits, and the test would be green."""
    with pytest.raises(TypeError, match="not VirtualEngine: `webhook_engine` has a `drain"):
        drain(webhook_engine)  # type: ignore[call-overload]
    with RealEngine(tmp_path) as blocking:
        with pytest.raises(TypeError, match="not AsyncRealEngine"):
            drain(AsyncRealEngine(blocking))  # type: ignore[call-overload]
        for wrong in (-1, math.nan, math.inf):
            with pytest.raises(ValueError, match=r"timeout_s: .* is not allowed"):
                drain(blocking, timeout_s=wrong)
