"""Endpoints, their configuration and their signing keys."""

from typing import TYPE_CHECKING

import msgspec
import pytest

from sluicegate.engine.errors import (
    CannotDeleteLastKeyError,
    DuplicateUrlError,
    EndpointNotFoundError,
    MaxSigningKeysReachedError,
    NotFoundError,
)
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import EndpointConfig, Health
from sluicegate.engine.moments import from_ms

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench


async def test_an_endpoint_is_stored_as_configured(bench: "Bench") -> None:
    """Every field comes back, from the answer, the view and the state, also after a restart."""
    row = bench.endpoint_row(
        url="https://receiver.example/hook?ä=1",
        description="Größe",
        rate_limit_rps=7,
        burst=9,
        headers={"X-B": "2", "X-A": "1"},
        ordered=True,
        max_in_flight=3,
        timeout_s=2.5,
    )
    created = await bench.storage.create_endpoint(row)
    await bench.reopen()
    assert await bench.storage.get_endpoint(bench.project, row.id, in_flight=set()) == created
    state = await bench.storage.load_state(row.id)
    assert state is not None
    assert state.config == created.config == row.config
    assert list(state.config.headers) == ["X-B", "X-A"]
    assert (state.id, state.project_id) == (row.id, bench.project)
    assert state.secrets == (row.key.secret,)
    assert (state.paused, state.deleted, state.release_no) == (False, False, 0)
    assert state.health == Health()


async def test_a_foreign_or_unknown_endpoint_is_none(bench: "Bench") -> None:
    """Another project's id answers exactly like an unknown one."""
    endpoint = await bench.endpoint()
    other = "proj_" + "2" * 32
    await bench.storage.create_project(other, "other", created_at_ms=1)
    assert await bench.storage.get_endpoint(other, endpoint, in_flight=set()) is None
    assert await bench.storage.list_signing_keys(other, endpoint) is None
    assert await bench.storage.get_endpoint(bench.project, "ep_x", in_flight=set()) is None
    assert await bench.storage.load_state("ep_x") is None


async def test_a_url_is_used_once_in_a_project(bench: "Bench") -> None:
    """Deleted endpoints and other projects do not count."""
    other = "proj_" + "2" * 32
    await bench.storage.create_project(other, "other", created_at_ms=1)
    first = await bench.endpoint(url="https://receiver.example/a")
    await bench.endpoint(other, url="https://receiver.example/a")
    second = await bench.endpoint(url="https://receiver.example/b")
    with pytest.raises(DuplicateUrlError):
        await bench.endpoint(url="https://receiver.example/a")
    taken = EndpointConfig(url="https://receiver.example/a")
    with pytest.raises(DuplicateUrlError):
        await bench.storage.update_config(second, lambda _: taken, at_ms=2)
    await bench.storage.delete_endpoint(first, at_ms=3)
    state = await bench.storage.update_config(second, lambda _: taken, at_ms=4)
    assert state.config.url == "https://receiver.example/a"


async def test_a_change_is_applied_to_what_is_stored(bench: "Bench") -> None:
    """Fields that the change leaves alone stay; `updated_at` tells when."""
    endpoint = await bench.endpoint(description="old", rate_limit_rps=5)
    bench.clock.now_ms += 1_000

    def change(config: EndpointConfig) -> EndpointConfig:
        return msgspec.structs.replace(config, description="new")

    state = await bench.storage.update_config(endpoint, change, at_ms=bench.clock.now_ms)
    assert (state.config.description, state.config.rate_limit_rps) == ("new", 5)
    stored = await bench.storage.get_endpoint(bench.project, endpoint, in_flight=set())
    assert stored is not None
    assert stored.config == state.config
    assert stored.updated_at == from_ms(bench.clock.now_ms)


async def test_endpoints_are_listed_newest_first_in_pages(bench: "Bench") -> None:
    """No endpoint is seen twice or skipped, also while one is added."""
    created = [await bench.endpoint() for _ in range(5)]
    deleted = await bench.endpoint()
    await bench.storage.delete_endpoint(deleted, at_ms=1)
    first, position = await bench.storage.list_endpoints(bench.project, limit=2, before_no=None)
    await bench.endpoint()
    second, position = await bench.storage.list_endpoints(
        bench.project, limit=2, before_no=position
    )
    third, end = await bench.storage.list_endpoints(bench.project, limit=2, before_no=position)
    assert [endpoint.id for endpoint in [*first, *second, *third]] == created[::-1]
    assert end is None
    assert await bench.storage.list_endpoints("proj_x", limit=2, before_no=None) == ([], None)


async def test_a_full_last_page_says_that_it_is_the_last(bench: "Bench") -> None:
    """`None` says that there is nothing more, even if the page is full."""
    for _ in range(2):
        await bench.endpoint()
    page, end = await bench.storage.list_endpoints(bench.project, limit=2, before_no=None)
    assert (len(page), end) == (2, None)


async def test_an_endpoint_has_one_or_two_signing_keys(bench: "Bench") -> None:
    """Newest first; a third is refused, and so is the removal of the last."""
    row = bench.endpoint_row()
    await bench.storage.create_endpoint(row)
    second = bench.signing_key()
    state = await bench.storage.add_signing_key(row.id, second)
    assert state.secrets == (second.secret, row.key.secret)
    with pytest.raises(MaxSigningKeysReachedError):
        await bench.storage.add_signing_key(row.id, bench.signing_key())
    keys = await bench.storage.list_signing_keys(bench.project, row.id)
    assert keys is not None
    assert [(key.id, key.key_hint) for key in keys] == [
        (second.id, second.secret[-4:]),
        (row.key.id, row.key.secret[-4:]),
    ]
    state = await bench.storage.remove_signing_key(row.id, row.key.id, at_ms=2)
    assert state.secrets == (second.secret,)
    with pytest.raises(NotFoundError):
        await bench.storage.remove_signing_key(row.id, row.key.id, at_ms=3)
    with pytest.raises(CannotDeleteLastKeyError):
        await bench.storage.remove_signing_key(row.id, second.id, at_ms=3)


async def test_a_key_of_another_endpoint_is_not_found(bench: "Bench") -> None:
    """A key id alone opens nothing."""
    row, other = bench.endpoint_row(), await bench.endpoint()
    await bench.storage.create_endpoint(row)
    with pytest.raises(NotFoundError):
        await bench.storage.remove_signing_key(other, row.key.id, at_ms=3)


async def test_a_deleted_endpoint_is_gone_but_its_state_is_not(bench: "Bench") -> None:
    """Its actor must still see that it is deleted, to give up what waits."""
    endpoint = await bench.endpoint()
    state = await bench.storage.delete_endpoint(endpoint, at_ms=2)
    assert state.deleted
    assert await bench.storage.load_state(endpoint) == state
    assert await bench.storage.get_endpoint(bench.project, endpoint, in_flight=set()) is None
    assert await bench.storage.list_signing_keys(bench.project, endpoint) is None
    with pytest.raises(EndpointNotFoundError):
        await bench.storage.delete_endpoint(endpoint, at_ms=3)
    with pytest.raises(EndpointNotFoundError):
        await bench.storage.update_config(endpoint, lambda config: config, at_ms=3)
    with pytest.raises(EndpointNotFoundError):
        await bench.storage.add_signing_key(endpoint, bench.signing_key())


async def test_what_waits_on_a_deleted_endpoint_has_failed_at_once(bench: "Bench") -> None:
    """Even before it is swept; an attempt in flight still reads delivering."""
    endpoint = await bench.endpoint()
    flying, held = await bench.send(endpoint, 2)
    await bench.storage.delete_endpoint(endpoint, at_ms=2)
    message = await bench.get(held, flying)
    assert message.status is MessageStatus.FAILED_PERMANENT
    assert message.last_error == "endpoint deleted"
    assert (await bench.get(flying, flying)).status is MessageStatus.DELIVERING
    assert await bench.logged(flying, status=MessageStatus.FAILED_PERMANENT) == [held]
    assert await bench.logged(flying, status=MessageStatus.DELIVERING) == [flying]
    assert await bench.logged(status=MessageStatus.QUEUED) == []
