"""Several engines in one process, each with a file of its own, know nothing of each other."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
from tests.embedding.conftest import Receiver

from sluicegate import Engine, Settings, SyncEngine
from sluicegate.engine.errors import UnavailableError


def break_storage(database: str) -> None:
    """Have another process take the file over: the owner must write nothing any more."""
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        db.execute("UPDATE meta SET epoch = epoch + 1")


async def test_one_whose_storage_fails_takes_no_other_along(
    tmp_path: Path, receiver: Receiver
) -> None:
    """It says so and stays down; the other goes on delivering, in the same loop."""
    one = Engine(Settings(database=str(tmp_path / "one.db"), dev=True))
    two = Engine(Settings(database=str(tmp_path / "two.db"), dev=True))
    async with two:
        async with one:
            failures, delivered = one.events("storage.failed"), two.events("message.succeeded")
            broken = (await one.create_endpoint(receiver.url)).id
            sound = (await two.create_endpoint(receiver.url)).id
            break_storage(one.settings.database)
            with pytest.raises(UnavailableError):
                await one.send(broken, 1)
            assert "epoch" in str((await anext(failures)).error)
            assert one.failed.is_set()
            message_id = (await two.send(sound, 2)).message_id
            assert (await anext(delivered)).message_id == message_id
        assert not two.failed.is_set()
        message_id = (await two.send(sound, 3)).message_id
        assert (await anext(delivered)).message_id == message_id


def test_one_blocking_engine_that_fails_takes_no_other_along(
    tmp_path: Path, receiver: Receiver
) -> None:
    """As with two in one loop; and it says that it has failed."""
    with (
        SyncEngine(Settings(database=str(tmp_path / "one.db"), dev=True)) as one,
        SyncEngine(Settings(database=str(tmp_path / "two.db"), dev=True)) as two,
    ):
        endpoint_id = two.create_endpoint(receiver.url).id
        break_storage(one.settings.database)
        with pytest.raises(UnavailableError):
            one.create_endpoint(receiver.url)
        assert one.failed
        one.close()
        two.send(endpoint_id, 1)
        assert receiver.bodies.get(timeout=30) == b"1"
        assert not two.failed
