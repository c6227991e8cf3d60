"""Projects and API keys."""

from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.errors import CannotDeleteLastKeyError, NotFoundError
from sluicegate.engine.model import Principal
from sluicegate.engine.moments import from_ms

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench


async def test_the_default_project_is_the_oldest(bench: "Bench") -> None:
    """A second project does not take its place."""
    await bench.storage.create_project("proj_" + "0" * 32, "second", created_at_ms=1)
    assert await bench.storage.default_project() == bench.project


async def test_a_key_stands_for_its_project(bench: "Bench") -> None:
    """An unknown hash stands for nobody."""
    row = bench.api_key()
    await bench.storage.create_api_key(row)
    principal = Principal(project_id=bench.project, api_key_id=row.id)
    assert await bench.storage.find_api_key(row.key_sha256) == principal
    assert await bench.storage.find_api_key(bytes(32)) is None


async def test_keys_are_listed_newest_first_and_by_project(bench: "Bench") -> None:
    """Another project's keys are not among them."""
    await bench.storage.create_project("proj_" + "2" * 32, "other", created_at_ms=1)
    rows = [bench.api_key(label="a"), bench.api_key(label="b")]
    for row in [*rows, bench.api_key("proj_" + "2" * 32)]:
        await bench.storage.create_api_key(row)
    listed = await bench.storage.list_api_keys(bench.project)
    assert [(key.key_id, key.label) for key in listed] == [(rows[1].id, "b"), (rows[0].id, "a")]
    assert listed[0].created_at == from_ms(rows[1].created_at_ms)
    assert listed[0].last_used_at is None


async def test_last_use_never_goes_back(bench: "Bench") -> None:
    """Uses that are recorded late, or of a key that is gone, do no harm."""
    row = bench.api_key()
    await bench.storage.create_api_key(row)
    await bench.storage.touch_api_keys({row.id: 2_000, "key_gone": 1})
    await bench.storage.touch_api_keys({row.id: 1_000})
    [key] = await bench.storage.list_api_keys(bench.project)
    assert key.last_used_at == from_ms(2_000)


async def test_a_projects_last_key_stays(bench: "Bench") -> None:
    """Whoever deletes it would be locked out."""
    first, second = bench.api_key(), bench.api_key()
    await bench.storage.create_api_key(first)
    await bench.storage.create_api_key(second)
    await bench.storage.delete_api_key(bench.project, first.id)
    assert await bench.storage.find_api_key(first.key_sha256) is None
    with pytest.raises(NotFoundError):
        await bench.storage.delete_api_key(bench.project, first.id)
    with pytest.raises(NotFoundError):
        await bench.storage.delete_api_key("proj_" + "2" * 32, second.id)
    with pytest.raises(CannotDeleteLastKeyError):
        await bench.storage.delete_api_key(bench.project, second.id)


async def test_the_label_of_a_deleted_key_is_still_known(bench: "Bench") -> None:
    """Of the project's own keys only; nothing is left by which the key could be recognised."""
    other = "proj_" + "2" * 32
    await bench.storage.create_project(other, "other", created_at_ms=1)
    live, gone, nameless = [bench.api_key(label=label) for label in ("live", "gone", None)]
    foreign = bench.api_key(other, label="foreign")
    for row in (live, gone, nameless, foreign):
        await bench.storage.create_api_key(row)
    ids = [live.id, gone.id, nameless.id, foreign.id, "key_" + "f" * 32]
    expected = {live.id: "live", gone.id: "gone", nameless.id: None}
    assert await bench.storage.api_key_labels(bench.project, ids) == expected
    for row in (gone, nameless):
        await bench.storage.delete_api_key(bench.project, row.id)
    await bench.reopen()
    assert await bench.storage.api_key_labels(bench.project, ids) == expected
    assert await bench.storage.api_key_labels(other, ids) == {foreign.id: "foreign"}
    assert await bench.storage.find_api_key(gone.key_sha256) is None
    with pytest.raises(NotFoundError):
        await bench.storage.delete_api_key(bench.project, gone.id)


async def test_a_key_of_no_project_is_refused(bench: "Bench") -> None:
    """Keys and endpoints belong to a project."""
    with pytest.raises(NotFoundError):
        await bench.storage.create_api_key(bench.api_key("proj_" + "9" * 32))
