"""What every operation can be refused with: contract sections 1 and 2."""

import asyncio

import pytest
from hookbridge import AuthenticationError, HookBridgeError, RateLimitError

from .adapter import Client, refused
from .conftest import FORMS, Connect, ServerWith
from .operations import WANTED, arguments
from .scene import PAYLOAD, Hooks, Scene
from .walks import meets

pytestmark = pytest.mark.asyncio(loop_scope="package")

MINUTE_S = 60
WRONG_KEY = "sg_live_" + "x" * 43
READS = tuple(name for name in WANTED if name.startswith(("get_", "list_", "download_", "lookup_")))
WRITES = tuple(name for name in WANTED if name not in READS)


async def every(
    client: Client,
    status: int,
    code: str,
    error_type: type[HookBridgeError] = HookBridgeError,
    *,
    of: tuple[str, ...] = WANTED,
) -> None:
    """Call operations and check that each is refused so."""
    for name in of:
        call = getattr(client, name)(**arguments(name))
        error = await refused(call, status, code, error_type)
        if isinstance(error, RateLimitError):
            assert error.retry_after is not None
            assert 1 <= error.retry_after <= MINUTE_S


@meets(WANTED, "UNAUTHORIZED")
async def test_a_wrong_key_opens_nothing(connect: Connect, form: str) -> None:
    """Every operation answers 401, whatever it is asked about."""
    await every(connect(form, WRONG_KEY), 401, "UNAUTHORIZED", AuthenticationError)


@meets(WANTED, "RATE_LIMITED", "RATE_LIMIT_EXCEEDED")
async def test_who_asks_too_often_is_slowed_down(server_with: ServerWith, connect: Connect) -> None:
    """Trying keys, or with a good one: every operation answers 429 and says when to come back."""
    async with server_with(AUTH_FAILURES_PER_MINUTE="1", REQUESTS_PER_MINUTE="1") as server:
        stranger = connect("sync", WRONG_KEY, url=server.url)
        await refused(stranger.list_endpoints(), 401, "UNAUTHORIZED", AuthenticationError)
        for form in FORMS:
            await every(
                connect(form, WRONG_KEY, url=server.url),
                429,
                "RATE_LIMIT_EXCEEDED",
                RateLimitError,
            )
        await connect("sync", url=server.url).list_endpoints()
        for form in FORMS:
            client = connect(form, url=server.url)
            await every(client, 429, "RATE_LIMIT_EXCEEDED", RateLimitError)


@meets(WRITES, "UNAVAILABLE")
async def test_a_server_that_shuts_down_takes_nothing_more(
    server_with: ServerWith, hooks: Hooks, connect: Connect
) -> None:
    """While the last attempts end, every write is 503; reads go on."""
    async with server_with() as server:
        clients = [connect(form, url=server.url) for form in FORMS]
        scene = Scene(server, hooks, clients[0])
        endpoint, hook = await scene.endpoint()
        flying = await scene.hanging(endpoint, hook)
        ending = asyncio.create_task(server.terminate())
        await server.logged("server.draining")
        for client in clients:
            await every(client, 503, "UNAVAILABLE", of=WRITES)
            await refused(client.send(endpoint.id, PAYLOAD), 503, "UNAVAILABLE")
            assert (await client.get_message(flying)).status == "delivering"
        hook.opened.set()
        assert await ending == 0
    assert len(hook.deliveries) == 1
