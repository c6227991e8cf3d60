"""The use cases of API keys: the first one, the cache, and when they were used."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import pytest

from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.api_keys import ApiKeys
from sluicegate.engine.errors import (
    CannotDeleteLastKeyError,
    InvalidRequestError,
    SettingError,
    UnauthorizedError,
    UnavailableError,
)
from sluicegate.engine.model import Principal
from sluicegate.storage import SecretBox, SqliteStorage

_StorageT = TypeVar("_StorageT", bound=SqliteStorage)

CHOSEN = "a-key-of-the-operators-own-choice"


class MovableClock(SystemClock):
    """The machine's clock, which a test may move forward."""

    ahead_s = 0.0

    def monotonic_s(self) -> float:
        """Seconds, those that the test added included."""
        return super().monotonic_s() + self.ahead_s


class CountingStorage(SqliteStorage):
    """Real storage that counts look-ups, and fails to record uses when told to."""

    looked_up = 0
    recorded = 0
    full = False

    async def find_api_key(self, key_sha256: bytes) -> Principal | None:
        """Count, then look up."""
        self.looked_up += 1
        return await super().find_api_key(key_sha256)

    async def touch_api_keys(self, used_at_ms: dict[str, int]) -> None:
        """Count, then record."""
        if self.full:
            raise UnavailableError("disk full")
        self.recorded += 1
        await super().touch_api_keys(used_at_ms)


@contextlib.asynccontextmanager
async def opened(
    kind: type[_StorageT], directory: Path, clock: MovableClock
) -> AsyncIterator[_StorageT]:
    """Open an empty database, and close it whatever happens."""
    path = str(directory / "keys.db")
    box = SecretBox.for_database(path, secret_key=None, random=SystemRandom())
    storage = kind(path, secret_box=box, clock=clock, pending_bytes_max=1 << 20)
    await storage.open()
    try:
        yield storage
    finally:
        await storage.close()


@pytest.fixture
def clock() -> MovableClock:
    """The clock of the test."""
    return MovableClock()


@pytest.fixture
async def storage(tmp_path: Path, clock: MovableClock) -> AsyncIterator[CountingStorage]:
    """An empty database."""
    async with opened(CountingStorage, tmp_path, clock) as storage:
        yield storage


@pytest.fixture
def keys(storage: CountingStorage, clock: MovableClock) -> ApiKeys:
    """The use cases over that database."""
    return ApiKeys(storage, clock, SystemRandom())


async def test_the_first_start_makes_a_project_and_a_key(
    keys: ApiKeys, storage: CountingStorage
) -> None:
    """A second start makes nothing, whatever key it is given."""
    created = await keys.bootstrap(None)
    assert created is not None
    assert created.key.startswith("sg_live_")
    principal = await keys.authenticate(created.key)
    assert principal.project_id == await storage.default_project()
    assert await keys.bootstrap(None) is None
    assert await keys.bootstrap(CHOSEN) is None
    with pytest.raises(UnauthorizedError):
        await keys.authenticate(CHOSEN)


async def test_the_operator_may_choose_the_first_key(keys: ApiKeys) -> None:
    """The key is used as given."""
    created = await keys.bootstrap(CHOSEN)
    assert created is not None
    assert (created.key, created.prefix) == (CHOSEN, CHOSEN[:11])
    assert (await keys.authenticate(CHOSEN)).api_key_id == created.key_id


@pytest.mark.parametrize("key", ["x" * 23, "x" * 256, "with a space in the middle of it", "é" * 30])
async def test_a_weak_first_key_is_refused(
    keys: ApiKeys, storage: CountingStorage, key: str
) -> None:
    """The start fails before anything is made of it; a better key works then."""
    with pytest.raises(SettingError):
        await keys.bootstrap(key)
    assert await keys.bootstrap(CHOSEN) is not None
    assert len(await storage.list_api_keys(await _project(storage))) == 1


async def test_a_start_that_was_cut_short_is_completed(
    keys: ApiKeys, storage: CountingStorage
) -> None:
    """A project without a key is one whose first start did not finish."""
    await storage.create_project("proj_" + "2" * 32, "default", created_at_ms=0)
    created = await keys.bootstrap(None)
    assert created is not None
    assert (await keys.authenticate(created.key)).project_id == "proj_" + "2" * 32


async def test_a_known_key_is_not_looked_up_again(
    keys: ApiKeys, storage: CountingStorage, clock: MovableClock
) -> None:
    """For a minute the cache answers; a wrong key is looked up each time."""
    await keys.bootstrap(CHOSEN)
    for _ in range(5):
        await keys.authenticate(CHOSEN)
    assert storage.looked_up == 1
    clock.ahead_s += 61
    await keys.authenticate(CHOSEN)
    assert storage.looked_up == 2
    for _ in range(2):
        with pytest.raises(UnauthorizedError):
            await keys.authenticate(CHOSEN + "x")
    assert storage.looked_up == 4


async def test_the_cache_is_bounded(keys: ApiKeys, storage: CountingStorage) -> None:
    """More keys than it holds still all work; the one unused for longest is looked up again."""
    await keys.bootstrap(CHOSEN)
    project_id = await _project(storage)
    await keys.authenticate(CHOSEN)
    others = [await keys.create(project_id) for _ in range(1024)]
    for each in others:
        await keys.authenticate(each.key)
    before = storage.looked_up
    await keys.authenticate(others[-1].key)
    assert storage.looked_up == before
    await keys.authenticate(CHOSEN)
    assert storage.looked_up == before + 1


async def test_a_deleted_key_is_refused_though_it_was_cached(
    keys: ApiKeys, storage: CountingStorage
) -> None:
    """The cache forgets it; another key of the project goes on."""
    await keys.bootstrap(CHOSEN)
    created = await keys.create(await _project(storage), "short", "test")
    principal = await keys.authenticate(created.key)
    await keys.delete(principal.project_id, created.key_id)
    with pytest.raises(UnauthorizedError):
        await keys.authenticate(created.key)
    assert (await keys.authenticate(CHOSEN)).project_id == principal.project_id


async def test_a_look_up_older_than_a_deletion_is_not_remembered(
    tmp_path: Path, clock: MovableClock
) -> None:
    """A key that is deleted while it is looked up passes once at most."""

    class Slow(CountingStorage):
        keys: ApiKeys

        async def find_api_key(self, key_sha256: bytes) -> Principal | None:
            found = await super().find_api_key(key_sha256)
            if found is not None and self.looked_up == 1:
                await self.keys.delete(found.project_id, found.api_key_id)
            return found

    async with opened(Slow, tmp_path, clock) as storage:
        storage.keys = keys = ApiKeys(storage, clock, SystemRandom())
        await keys.bootstrap(CHOSEN)
        other = await keys.create(await _project(storage))
        await keys.authenticate(other.key)
        with pytest.raises(UnauthorizedError):
            await keys.authenticate(other.key)


async def test_the_last_key_stays_and_goes_on_working(
    keys: ApiKeys, storage: CountingStorage
) -> None:
    """A deletion that is refused changes nothing."""
    created = await keys.bootstrap(CHOSEN)
    assert created is not None
    with pytest.raises(CannotDeleteLastKeyError):
        await keys.delete(await _project(storage), created.key_id)
    await keys.authenticate(CHOSEN)


async def test_uses_are_recorded_at_most_once_a_minute_and_at_the_end(
    keys: ApiKeys, storage: CountingStorage, clock: MovableClock
) -> None:
    """The list shows them at once, storage later, and nothing is lost at close."""
    await keys.bootstrap(CHOSEN)
    project_id = await _project(storage)
    for _ in range(3):
        await keys.authenticate(CHOSEN)
    assert storage.recorded == 0
    [shown] = await keys.list(project_id)
    assert shown.last_used_at is not None
    clock.ahead_s += 61
    for _ in range(3):
        await keys.authenticate(CHOSEN)
    assert storage.recorded == 1
    await keys.close()
    assert storage.recorded == 2
    [stored] = await storage.list_api_keys(project_id)
    assert stored.last_used_at is not None
    assert stored.last_used_at >= shown.last_used_at


async def test_a_full_disk_does_not_stop_readers(
    keys: ApiKeys, storage: CountingStorage, clock: MovableClock
) -> None:
    """Uses that cannot be recorded are kept for later; the key passes all the same."""
    await keys.bootstrap(CHOSEN)
    storage.full = True
    clock.ahead_s += 61
    await keys.authenticate(CHOSEN)
    storage.full = False
    await keys.flush()
    [stored] = await storage.list_api_keys(await _project(storage))
    assert stored.last_used_at is not None


@pytest.mark.parametrize("key", ["", " ", "a\nb", "a b", "é", "x" * 256, "\x00"])
async def test_what_cannot_be_a_key_costs_no_look_up(
    keys: ApiKeys, storage: CountingStorage, key: str
) -> None:
    """Refused by its form."""
    with pytest.raises(UnauthorizedError):
        await keys.authenticate(key)
    assert storage.looked_up == 0


@pytest.mark.parametrize("mode", ["", "prod", "LIVE"])
async def test_a_mode_is_live_or_test(keys: ApiKeys, storage: CountingStorage, mode: str) -> None:
    """Anything else is refused."""
    await keys.bootstrap(CHOSEN)
    with pytest.raises(InvalidRequestError):
        await keys.create(await _project(storage), None, mode)


async def _project(storage: CountingStorage) -> str:
    project_id = await storage.default_project()
    assert project_id is not None
    return project_id
