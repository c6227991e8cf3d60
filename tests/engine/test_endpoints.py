"""The use cases of endpoints, as a Python program calls them."""

import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sluicegate.app import Engine
from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.drafts import EndpointDraft, EndpointPatch
from sluicegate.engine.endpoints import Endpoints
from sluicegate.engine.errors import (
    EndpointBlockedError,
    EndpointNotFoundError,
    EndpointUnreachableError,
    InvalidEndpointError,
    InvalidHeadersError,
    InvalidRequestError,
    NotFoundError,
)
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.resolver import PooledResolver
from sluicegate.storage import SecretBox, SqliteStorage

PUBLIC = "93.184.216.34"
URL = "https://receiver.example/hook"
PROJECT = "proj_" + "1" * 32


class Names:
    """A name server that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.addresses = [PUBLIC]

    def look_up(self, host: str, *_: object, **__: object) -> list[Any]:
        """Answer as `socket.getaddrinfo` does."""
        self.asked.append(host)
        return [(None, None, None, "", (address, 0)) for address in self.addresses]


@pytest.fixture
def names() -> Names:
    """The name server of the test."""
    return Names()


@pytest.fixture
async def endpoints(tmp_path: Path, names: Names) -> AsyncIterator[Endpoints]:
    """The use cases of an engine that holds one more project than usual."""
    settings = Settings(database=str(tmp_path / "e.db"), drain_s=0, dns_cache_s=0)
    resolver = PooledResolver(settings, clock=SystemClock(), getaddrinfo=names.look_up)
    storage = SqliteStorage(
        settings.database,
        secret_box=SecretBox(bytes(32), random=SystemRandom()),
        clock=SystemClock(),
        pending_bytes_max=settings.pending_bytes_max,
    )
    async with Engine(settings, resolver=resolver, storage=storage) as engine:
        await storage.create_project(PROJECT, "test", created_at_ms=0)
        yield engine.services.endpoints


async def test_one_internal_address_among_many_blocks_the_url(
    endpoints: Endpoints, names: Names
) -> None:
    """Every address of a name is checked, not the first one."""
    names.addresses = [PUBLIC, "2606:2800:220:1::1", "10.0.0.1"]
    with pytest.raises(EndpointBlockedError) as caught:
        await endpoints.create(PROJECT, EndpointDraft(url=URL))
    assert caught.value.details == {"field": "url", "host": "receiver.example"}
    names.addresses = []
    with pytest.raises(EndpointUnreachableError):
        await endpoints.create(PROJECT, EndpointDraft(url=URL))
    assert (await endpoints.list(PROJECT)).items == []


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"url": 5}, InvalidEndpointError),
        ({"url": None}, InvalidEndpointError),
        ({"description": 5}, InvalidRequestError),
        ({"description": "half a pair: \ud800"}, InvalidRequestError),
        ({"rate_limit_rps": True}, InvalidRequestError),
        ({"rate_limit_rps": 1.0}, InvalidRequestError),
        ({"burst": "5"}, InvalidRequestError),
        ({"headers": ["X"]}, InvalidRequestError),
        ({"headers": {"X": 5}}, InvalidRequestError),
        ({"headers": {5: "x"}}, InvalidRequestError),
        ({"headers": {"Host": "x"}}, InvalidHeadersError),
        ({"ordered": 1}, InvalidRequestError),
        ({"max_in_flight": 0}, InvalidRequestError),
        ({"timeout_s": math.nan}, InvalidRequestError),
        ({"timeout_s": math.inf}, InvalidRequestError),
        ({"timeout_s": None}, InvalidRequestError),
    ],
)
async def test_wrong_types_from_python_are_told_as_over_http(
    endpoints: Endpoints, names: Names, fields: dict[str, Any], error: type[Exception]
) -> None:
    """Each is refused by name, before any name is looked up, and nothing is stored."""
    with pytest.raises(error):
        await endpoints.create(PROJECT, EndpointDraft(**{"url": URL, **fields}))
    created = await endpoints.create(PROJECT, EndpointDraft(url=URL))
    asked = len(names.asked)
    with pytest.raises(error):
        await endpoints.update(PROJECT, created.id, EndpointPatch(**fields))
    assert len(names.asked) == asked == 1
    assert (await endpoints.get(PROJECT, created.id)).config == created.endpoint.config


async def test_no_name_is_looked_up_for_a_stranger(endpoints: Endpoints, names: Names) -> None:
    """A change of an unknown endpoint costs no look-up, nor does one that names no URL."""
    with pytest.raises(EndpointNotFoundError):
        await endpoints.update(PROJECT, "ep_" + "0" * 32, EndpointPatch(url=URL))
    assert names.asked == []
    created = await endpoints.create(PROJECT, EndpointDraft(url=URL))
    await endpoints.update(PROJECT, created.id, EndpointPatch(burst=1))
    assert names.asked == ["receiver.example"]
    await endpoints.update(PROJECT, created.id, EndpointPatch(url=URL + "2"))
    assert names.asked == ["receiver.example"] * 2


async def test_a_blocked_change_leaves_the_url(endpoints: Endpoints, names: Names) -> None:
    """A name that now leads inside is refused, and the endpoint keeps what it had."""
    created = await endpoints.create(PROJECT, EndpointDraft(url=URL))
    names.addresses = ["127.0.0.1"]
    with pytest.raises(EndpointBlockedError):
        await endpoints.update(
            PROJECT, created.id, EndpointPatch(url="https://inside.example/", burst=9)
        )
    endpoint = await endpoints.get(PROJECT, created.id)
    assert (endpoint.url, endpoint.config.burst) == (URL, 0)


async def test_an_unset_field_stays_and_none_clears(endpoints: Endpoints) -> None:
    """`UNSET` and `None` are two things."""
    created = await endpoints.create(
        PROJECT, EndpointDraft(url=URL, description="d", headers={"X": "1"})
    )
    after = await endpoints.update(PROJECT, created.id, EndpointPatch(description=None))
    assert (after.config.description, after.config.headers) == (None, {"X": "1"})
    after = await endpoints.update(PROJECT, created.id, EndpointPatch(headers=None))
    assert after.config.headers == {}


@pytest.mark.parametrize("key_id", ["nonsense", "sk_" + "0" * 32])
async def test_an_unknown_endpoint_is_told_before_an_unknown_key(
    endpoints: Endpoints, key_id: str
) -> None:
    """Of two mistakes the first one in the path counts."""
    with pytest.raises(EndpointNotFoundError):
        await endpoints.delete_signing_key(PROJECT, "ep_" + "0" * 32, key_id)
    created = await endpoints.create(PROJECT, EndpointDraft(url=URL))
    with pytest.raises(NotFoundError):
        await endpoints.delete_signing_key(PROJECT, created.id, key_id)


async def test_an_id_that_is_no_text_is_refused(endpoints: Endpoints) -> None:
    """A Python program may pass anything."""
    anything: Any
    for anything in (None, 5, b"ep_", ["ep_"]):
        with pytest.raises(InvalidRequestError):
            await endpoints.get(PROJECT, anything)
