"""Fixtures of the acceptance tests: a server process, a receiver over TLS, the official client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from hookbridge import AsyncHookBridge, HookBridge

from .harness import API_KEY, Receiver, ServerProcess


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority of the tests' own."""
    return trustme.CA()


@pytest.fixture
async def receiver(authority: trustme.CA) -> AsyncIterator[Receiver]:
    """A receiver over TLS on loopback."""
    async with Receiver(authority) as running:
        yield running


@pytest.fixture
async def server(tmp_path: Path, authority: trustme.CA) -> AsyncIterator[ServerProcess]:
    """A server process that trusts the receiver's certificate and may connect to loopback."""
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    environment = {
        "SLUICEGATE_TLS_CA_FILE": str(ca_file),
        "SLUICEGATE_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
        "SLUICEGATE_RETRY_SLOW_S": "1,1,1,1,1,1,1",
        "SLUICEGATE_RETRY_JITTER": "0",
    }
    async with ServerProcess(tmp_path, environment=environment) as running:
        yield running


class Client:
    """The official client, sync or async, behind one awaitable face."""

    def __init__(self, url: str, *, sync: bool, api_key: str = API_KEY) -> None:
        self._sync = HookBridge(api_key, base_url=url, send_url=url, retries=0) if sync else None
        self._async = AsyncHookBridge(api_key, base_url=url, send_url=url, retries=0)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Return the operation `name`; the sync client runs in a thread, as its users' does."""
        if self._sync is None:
            method: Callable[..., Awaitable[Any]] = getattr(self._async, name)
            return method
        blocking = getattr(self._sync, name)

        async def call(*args: object, **kwargs: object) -> Any:
            return await asyncio.to_thread(blocking, *args, **kwargs)

        return call

    async def aclose(self) -> None:
        """Close the connections."""
        await self._async.close()
        if self._sync is not None:
            self._sync.close()


@pytest.fixture(params=["sync", "async"])
async def client(request: pytest.FixtureRequest, server: ServerProcess) -> AsyncIterator[Client]:
    """The official client, unmodified: each test runs with both of its forms."""
    official = Client(server.url, sync=request.param == "sync")
    yield official
    await official.aclose()


@pytest.fixture
def connect(server: ServerProcess) -> Callable[[str], Client]:
    """Make an async official client with another key."""
    return lambda api_key: Client(server.url, sync=False, api_key=api_key)
