"""One server and one receiver for all walks; each test gets the client in both of its forms."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import pytest_asyncio
import trustme

from ..harness import API_KEY, Receiver, ServerProcess
from .adapter import Client
from .scene import Hooks, Scene
from .walks import claims_of

ServerWith = Callable[..., AbstractAsyncContextManager[ServerProcess]]
Connect = Callable[..., Client]
FORMS = ("sync", "async")


@pytest.fixture(scope="package")
def server_with(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> ServerWith:
    """Start a server process with settings of its own, by their names in the environment.

    Its files are in a new directory, or in the one that is given.
    """
    ca_file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))

    @contextlib.asynccontextmanager
    async def start(directory: Path | None = None, **settings: str) -> AsyncIterator[ServerProcess]:
        environment = {
            "TLS_CA_FILE": str(ca_file),
            "ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
            "RETRY_SLOW_S": "0.2",
            "RETRY_JITTER": "0",
            "AUTH_FAILURES_PER_MINUTE": "0",
            **settings,
        }
        environment = {f"SLUICEGATE_{name}": value for name, value in environment.items()}
        path = directory or tmp_path_factory.mktemp("server")
        async with ServerProcess(path, environment=environment) as running:
            yield running

    return start


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def server(server_with: ServerWith) -> AsyncIterator[ServerProcess]:
    """The server that the walks share."""
    async with server_with() as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def hooks(authority: trustme.CA) -> AsyncIterator[Hooks]:
    """The receiver that the walks share."""
    async with Receiver(authority) as running:
        yield Hooks(running)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def clients() -> AsyncIterator[dict[tuple[str, ...], Client]]:
    """Clients by form, key and server, for later tests too: making one takes a while."""
    made: dict[tuple[str, ...], Client] = {}
    yield made
    for client in made.values():
        await client.aclose()


@pytest_asyncio.fixture(loop_scope="package")
async def connect(
    request: pytest.FixtureRequest,
    server: ServerProcess,
    clients: dict[tuple[str, ...], Client],
) -> AsyncIterator[Connect]:
    """Make a client of a form, with another key or to another server.

    At the end of the test its marks are held against what its clients have met, in each form.
    """
    used: dict[str, set[Client]] = {}

    def make(form: str, api_key: str = API_KEY, *, url: str = server.url) -> Client:
        name = (form, api_key, url)
        if name not in clients:
            clients[name] = Client(url, sync=form == "sync", api_key=api_key)
        used.setdefault(form, set()).add(clients[name])
        clients[name].met.clear()
        return clients[name]

    yield make
    claimed = claims_of(request.function)
    for form, with_it in used.items():
        missed = claimed.difference(*(client.met for client in with_it))
        assert not missed, f"the test says it walks these, and does not ({form}): {missed}"


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    """Which of the two clients: every walk is made with both."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def client(connect: Connect, form: str) -> Client:
    """The official client, unmodified."""
    return connect(form)


@pytest.fixture
def scene(server: ServerProcess, hooks: Hooks, client: Client) -> Scene:
    """Server, receiver and client."""
    return Scene(server, hooks, client)
