"""An owner that delivers to nobody but a list, and processes beside it that only enqueue."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from sluicegate import Engine, Settings
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Request

from .postgres import Server, running
from .shops import PostgresqlShop, Shop, SqliteShop, create_tables

URL = "http://127.0.0.1:9/hook"
WAIT_S = 50.0

Owner = Callable[[], AbstractAsyncContextManager[Engine]]


class Deliveries:
    """A sender that succeeds, and what it was given."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.bodies: list[bytes] = []
        self._changed = asyncio.Condition()

    async def post(self, request: Request) -> Outcome:
        """Take a message."""
        headers = {name.lower(): value for name, value in request.headers}
        async with self._changed:
            self.ids.append(headers["webhook-id"])
            self.bodies.append(request.body)
            self._changed.notify_all()
        return Outcome(kind=OutcomeKind.ANSWERED, status=200)

    async def until(self, count: int) -> None:
        """Wait until so many were taken."""
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(lambda: len(self.ids) >= count)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A file of its own."""
    return Settings(database=str(tmp_path / "engine.db"), dev=True, drain_s=5)


@pytest.fixture
def deliveries() -> Deliveries:
    """Everything that was sent."""
    return Deliveries()


@pytest.fixture
def owner(settings: Settings, deliveries: Deliveries) -> Owner:
    """Opens the engine that owns the file, any number of times."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Engine]:
        async with Engine(settings, sender=deliveries) as engine:
            yield engine

    return opened


@pytest.fixture
async def endpoint_id(owner: Owner) -> str:
    """An endpoint in the file, whose owner is down again."""
    async with owner() as engine:
        created = await engine.create_endpoint(URL, max_in_flight=1)
        return created.endpoint.id


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server, the same for all tests of a process."""
    with running() as server:
        yield server


@pytest.fixture(params=["sqlite3"])
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    """A host's database with an outbox; where it matters, for each kind of connection to it."""
    made: Shop
    if request.param in SqliteShop.KINDS:
        made = SqliteShop(tmp_path, request.param)
    else:
        made = PostgresqlShop(request.getfixturevalue("postgresql"), request.param)
    await create_tables(made)
    return made
