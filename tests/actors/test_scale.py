"""What is idle costs nothing, what is active little, and a pause the same whatever is held."""

import asyncio
import gc
import sqlite3
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from sluicegate.engine.ids import new_endpoint_id, new_signing_key_id
from sluicegate.engine.model import EndpointConfig
from sluicegate.engine.ports import EndpointRow, Head, SigningKeyRow
from sluicegate.engine.signing import new_secret
from sluicegate.storage import SecretBox, SqliteStorage

from .held import Gate
from .world import PROJECT, World, until

CLONE_AN_ENDPOINT = """
WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
INSERT INTO endpoints (id, project_no, shard, url, description, rate_limit_rps, burst, headers,
    ordered, max_in_flight, timeout_s, created_at_ms, updated_at_ms)
SELECT 'ep_' || lower(hex(randomblob(16))), project_no, shard, url || n, description,
    rate_limit_rps, burst, headers, ordered, max_in_flight, timeout_s, 0, 0
FROM endpoints, numbers WHERE id = :id
"""
LOADS_OF_THE_CLONES = """
INSERT INTO endpoint_loads (endpoint_no)
SELECT no FROM endpoints WHERE no NOT IN (SELECT endpoint_no FROM endpoint_loads)
"""


async def create_endpoints(world: World, count: int) -> list[str]:
    """Create endpoints in few commits."""
    ids = [new_endpoint_id(world.random) for _ in range(count)]
    await asyncio.gather(
        *(
            world.storage.create_endpoint(
                EndpointRow(
                    id=each,
                    project_id=PROJECT,
                    config=EndpointConfig(url=f"https://example.com/{each}"),
                    key=SigningKeyRow(
                        id=new_signing_key_id(world.random),
                        secret=new_secret(world.random),
                        created_at_ms=0,
                    ),
                    created_at_ms=0,
                )
            )
            for each in ids
        )
    )
    return ids


async def test_of_100_000_endpoints_only_those_with_work_have_actors(tmp_path: Path) -> None:
    """1,000 have something to deliver after a start; when it is delivered, none is left."""
    world = World(tmp_path, actor_idle_s=0.0)
    gate = Gate(world)
    async with world:
        ids = await create_endpoints(world, 1000)
        await asyncio.gather(*(world.send(each) for each in ids))
        await world.directory.close()
        await world.storage.close()
        with sqlite3.connect(world.settings.database) as db:
            db.execute(CLONE_AN_ENDPOINT, {"id": ids[0], "count": 99_000})
            db.execute(LOADS_OF_THE_CLONES)
        db.close()
        world.sender.posts.clear()
        await world.restart()
        await world.sender.wait_for_count(512)

        async def everybody_is_there() -> bool:
            return world.directory.active == 1000

        await until(everybody_is_there)
        gate.opened.set()

        async def nobody_is_there() -> bool:
            return world.directory.active == 0

        await until(nobody_is_there)
        assert len(set(world.sender.ids())) == 1000


class CountedReads(SqliteStorage):
    """A storage that says of how many endpoints the heads were read."""

    heads_read = 0

    async def load_heads(self, endpoint_ids: Sequence[str], *, limit: int) -> dict[str, Head]:
        heads = await super().load_heads(endpoint_ids, limit=limit)
        self.heads_read += len(heads)
        return heads


async def test_an_active_actor_takes_less_than_5_000_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20,000 of them, each with a message in its window and in line for a slot: under 100 MB."""
    count = 5000
    world = World(tmp_path, in_flight_max=1, in_flight_late_max=1)
    world.storage.__class__ = CountedReads
    storage = world.storage
    assert isinstance(storage, CountedReads)
    gate = Gate(world)
    async with world:
        ids = await create_endpoints(world, count)
        with monkeypatch.context() as patch:
            patch.setattr(world.directory, "hint", lambda _endpoint_id: None)
            await asyncio.gather(*(world.send(each) for each in ids))

        async def every_head_is_read() -> bool:
            return storage.heads_read == count

        gc.collect()
        tracemalloc.start()
        try:
            for each in ids:
                world.directory.hint(each)
            await until(every_head_is_read)
            await asyncio.sleep(0.05)  # the last reports are handled
            gc.collect()
            taken_bytes, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert world.directory.active == count
        assert len(world.sender.posts) <= 1 + 1
        assert taken_bytes <= 5000 * count
        gate.opened.set()


class Steps:
    """Counts the steps of SQLite's virtual machine, on every connection of a storage."""

    def __init__(self) -> None:
        self.taken = 0

    def connect(self, path: str) -> aiosqlite.Connection:
        """Connect as storage does, and count every tenth step."""
        steps = self

        class Counted(sqlite3.Connection):
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                self.set_progress_handler(steps.count, 10)

        return aiosqlite.connect(path, isolation_level=None, timeout=5, factory=Counted)

    def count(self) -> None:
        """Count; SQLite goes on."""
        self.taken += 10


class CountedWorld(World):
    """A world whose storage counts its steps."""

    def __init__(self, path: Path, **settings: object) -> None:
        self.steps = Steps()
        super().__init__(path, **settings)

    def _open(self) -> SqliteStorage:
        database = self.settings.database
        return SqliteStorage(
            database,
            secret_box=SecretBox.for_database(database, secret_key=None, random=self.random),
            clock=self.clock,
            pending_bytes_max=1 << 28,
            connect=self.steps.connect,
        )


async def test_a_pause_takes_as_many_steps_with_100_000_held_as_with_none(tmp_path: Path) -> None:
    """Counted in SQLite's own steps, on every connection, so no clock is needed."""
    world = CountedWorld(tmp_path)
    async with world:
        gate = Gate(world)
        endpoint, empty = await world.endpoint(max_in_flight=1), await world.endpoint()
        await world.directory.pause(PROJECT, endpoint)
        await asyncio.gather(*(world.send(endpoint, 1000) for _ in range(100)))
        before = world.steps.taken
        await world.directory.pause(PROJECT, empty)
        pause_of_none = world.steps.taken - before
        before = world.steps.taken
        assert await world.directory.resume(PROJECT, empty) == 0
        resume_of_none = world.steps.taken - before

        before = world.steps.taken
        assert await world.directory.resume(PROJECT, endpoint) == 100_000
        await world.sender.wait_for_count(1)
        resume_of_many = world.steps.taken - before
        window_steps = 64 * 60  # rows of a window's worth, twice read, at 30 steps a row
        assert resume_of_many <= 2 * resume_of_none + window_steps

        before = world.steps.taken
        await world.directory.pause(PROJECT, endpoint)
        pause_of_many = world.steps.taken - before
        assert pause_of_many <= 2 * pause_of_none
        gate.opened.set()
