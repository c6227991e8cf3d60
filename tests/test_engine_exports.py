"""Exports from Python: an engine's own chores write them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from sluicegate import Engine, Settings
from sluicegate.engine.errors import (
    EndpointNotFoundError,
    ExportNotReadyError,
    InvalidRequestError,
    NotFoundError,
)
from sluicegate.engine.export_model import Export, ExportStatus
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Request

URL = "http://127.0.0.1:9/hook"
FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Nobody:
    """Takes what is delivered."""

    async def post(self, request: Request) -> Outcome:
        """Answer 200."""
        del request
        return Outcome(kind=OutcomeKind.ANSWERED, status=200)


def settings_in(folder: Path, name: str = "engine") -> Settings:
    """Return settings with a file of their own."""
    return Settings(database=str(folder / f"{name}.db"), dev=True, drain_s=0)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """An open engine."""
    async with Engine(settings_in(tmp_path), sender=Nobody()) as engine:
        yield engine


async def completed(engine: Engine, **filters: Any) -> Export:
    """Have an export written."""
    export = await engine.create_export(start_time=FIRST, end_time=LAST, **filters)
    async with asyncio.timeout(20):
        while export.status is not ExportStatus.COMPLETED:
            export = await engine.get_export(export.id)
            assert export.status is not ExportStatus.FAILED, export.error_message
    return export


def content(path: str) -> str:
    """Return the text of a file."""
    return Path(path).read_bytes().decode()


async def test_an_export_is_a_file_that_can_be_read(engine: Engine, tmp_path: Path) -> None:
    """Asked for, listed, read, deleted: the same as over HTTP."""
    endpoint = await engine.create_endpoint(URL)
    await engine.pause(endpoint.id)
    sent = await engine.send(endpoint.id, 1)
    export = await completed(engine, status=MessageStatus.PAUSED, endpoint_id=endpoint.id)
    assert export.row_count == 1
    assert (await engine.list_exports()).items == [export]
    path = await engine.export_file(export.id)
    assert path == str(tmp_path / "engine.db.exports" / f"{export.id}.csv")
    assert sent.message_id in content(path)
    assert len(content(path).encode()) == export.file_size_bytes
    await engine.delete_export(export.id)
    assert (await engine.list_exports()).items == []
    with pytest.raises(NotFoundError):
        await engine.export_file(export.id)


async def test_two_engines_keep_their_files_apart(engine: Engine, tmp_path: Path) -> None:
    """With databases beside each other; neither tidies up after the other."""
    mine = await completed(engine)
    for _ in range(2):
        async with Engine(settings_in(tmp_path, "other"), sender=Nobody()) as other:
            theirs = await completed(other)
            assert Path(await other.export_file(theirs.id)).parent.name == "other.db.exports"
            with pytest.raises(NotFoundError):
                await other.get_export(mine.id)
    assert content(await engine.export_file(mine.id))


async def test_an_export_that_waits_has_no_file(engine: Engine) -> None:
    """Nothing is written any more once the engine drains; it goes on at the next start."""
    await engine.drain(0)
    export = await engine.create_export(start_time=FIRST, end_time=LAST)
    with pytest.raises(ExportNotReadyError):
        await engine.export_file(export.id)


async def test_the_labels_of_keys_are_told(engine: Engine) -> None:
    """Also of those that are deleted."""
    key = await engine.create_api_key("shop")
    await engine.delete_api_key(key.key_id)
    assert await engine.api_key_labels([key.key_id, "x"]) == {key.key_id: "shop"}
    assert await engine.api_key_labels([]) == {}


EAST = timezone(timedelta(hours=14))
REFUSED: dict[str, tuple[Callable[[Engine], Awaitable[object]], type[Exception]]] = {
    "a text as time": (
        lambda e: e.create_export(start_time="now", end_time=LAST),  # type: ignore[arg-type]
        InvalidRequestError,
    ),
    "no time": (
        lambda e: e.create_export(start_time=FIRST, end_time=None),  # type: ignore[arg-type]
        InvalidRequestError,
    ),
    "an empty span": (
        lambda e: e.create_export(start_time=FIRST, end_time=FIRST),
        InvalidRequestError,
    ),
    "before the year 1": (
        lambda e: e.create_export(start_time=datetime(1, 1, 1, tzinfo=EAST), end_time=LAST),
        InvalidRequestError,
    ),
    "no such status": (
        lambda e: e.create_export(start_time=FIRST, end_time=LAST, status="x"),  # type: ignore[arg-type]
        InvalidRequestError,
    ),
    "an endpoint's id of another type": (
        lambda e: e.create_export(start_time=FIRST, end_time=LAST, endpoint_id=7),  # type: ignore[arg-type]
        InvalidRequestError,
    ),
    "an endpoint that never was": (
        lambda e: e.create_export(start_time=FIRST, end_time=LAST, endpoint_id="ep_" + "0" * 32),
        EndpointNotFoundError,
    ),
    "an export's id of another type": (
        lambda e: e.get_export(7),  # type: ignore[arg-type]
        NotFoundError,
    ),
    "a path as id": (lambda e: e.export_file("../engine.db"), NotFoundError),
    "a deletion of nothing": (lambda e: e.delete_export(""), NotFoundError),
    "a limit of another type": (
        lambda e: e.list_exports(limit="x"),  # type: ignore[arg-type]
        InvalidRequestError,
    ),
    "a cursor of another type": (
        lambda e: e.list_exports(cursor=7),  # type: ignore[arg-type]
        InvalidRequestError,
    ),
    "one id as a list": (lambda e: e.api_key_labels("key"), InvalidRequestError),
    "too many ids": (lambda e: e.api_key_labels(["x"] * 101), InvalidRequestError),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_nonsense_is_refused_as_such(engine: Engine, what: str) -> None:
    """As a bad request, or as something that is not there."""
    call, error = REFUSED[what]
    with pytest.raises(error):
        await call(engine)
