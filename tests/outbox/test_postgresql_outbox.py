"""What is PostgreSQL's own about an outbox there: it tells of commits, and commits overlap."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import psycopg
import pytest
import sqlalchemy as sa

from sluicegate import Engine, Settings
from sluicegate.clock import SystemClock
from sluicegate.engine.errors import OutboxError, SettingError
from sluicegate.outbox.foreign import foreign_sources
from sluicegate.outbox.postgresql_source import PostgresqlOutbox
from sluicegate.outbox.source import FOREIGN, SourceError

from .conftest import URL, WAIT_S, Deliveries
from .shops import WRITER, PostgresqlShop, connected, count, drop_tables, send
from .test_relay import default_project, relay_of

END_RELAYS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'sluicegate'
"""
UNKNOWN = f"ep_{'0' * 32}"

pytestmark = pytest.mark.parametrize("shop", ["psycopg"], indirect=True)


@pytest.fixture
def settings(settings: Settings, shop: PostgresqlShop) -> Settings:
    """An engine that would look only after an hour: whatever is found was told of."""
    return msgspec.structs.replace(settings, outboxes=(shop.url,), outbox_poll_s=3600)


@pytest.fixture
async def engine(settings: Settings, deliveries: Deliveries) -> AsyncIterator[Engine]:
    """The engine that empties the outbox."""
    async with Engine(settings, sender=deliveries) as engine:
        yield engine


async def at_rest(engine: Engine) -> None:
    """Wait until the relay has looked, and waits to be told."""
    async with asyncio.timeout(WAIT_S):
        await engine._parts.relays[1].at_rest.wait()  # noqa: SLF001 - nobody else is told


async def test_a_commit_is_told_of(
    shop: PostgresqlShop, engine: Engine, deliveries: Deliveries
) -> None:
    """By `NOTIFY`, which PostgreSQL sends with the commit and not before."""
    created = await engine.create_endpoint(URL, max_in_flight=1)
    await at_rest(engine)
    for number in range(3):
        await send(shop, created.id, number)
        await deliveries.until(number + 1)


async def test_a_transaction_that_is_committed_later_is_not_passed_over(
    shop: PostgresqlShop, engine: Engine, deliveries: Deliveries
) -> None:
    """Its rows have lower numbers than what was moved meanwhile: the numbers say no more."""
    created = await engine.create_endpoint(URL, max_in_flight=1)
    async with connected(shop) as connection:
        slow = WRITER.outbox(connection).send(created.id, "slow")
        fast = await send(shop, created.id, "fast")
        await deliveries.until(1)
        connection.commit()
    await deliveries.until(2)
    assert deliveries.ids == [fast, slow]


async def test_a_connection_that_breaks_is_made_anew(
    shop: PostgresqlShop, engine: Engine, deliveries: Deliveries
) -> None:
    """Nothing else of the engine notices."""
    created = await engine.create_endpoint(URL, max_in_flight=1)
    await at_rest(engine)
    ended = shop.run(END_RELAYS)
    assert set(ended) == {(True,)}  # one of a test before may be about to end
    await engine.send(created.id, 0)
    await deliveries.until(1)
    await send(shop, created.id, 1)
    await deliveries.until(2)


async def test_a_connection_that_breaks_between_storing_and_removing_moves_nothing_twice(
    shop: PostgresqlShop, settings: Settings, deliveries: Deliveries, endpoint_id: str
) -> None:
    """The next connection finds the piece again, and the engine's file knows it."""
    sent = [await send(shop, endpoint_id, number) for number in range(3)]
    [source] = foreign_sources(settings, clock=SystemClock())
    settle, breaks = source.settle, 2

    async def settle_or_break(**what: Any) -> None:
        nonlocal breaks
        if breaks:
            breaks -= 1
            shop.run(END_RELAYS)
        await settle(**what)

    source.settle = settle_or_break  # type: ignore[method-assign]
    plain = msgspec.structs.replace(settings, outboxes=())
    async with Engine(plain, sender=deliveries) as engine:
        relay = relay_of(engine, source)
        relay.start(await default_project(engine))
        async with asyncio.timeout(WAIT_S):
            await relay.at_rest.wait()
        await relay.close()
        await deliveries.until(3)
        assert len((await engine.list_logs()).items) == 3
    assert not breaks
    assert count(shop) == 0
    assert deliveries.ids == sent


async def test_a_server_that_is_down_keeps_nothing_else_back(
    shop: PostgresqlShop, settings: Settings, deliveries: Deliveries
) -> None:
    """Neither the start, nor sends, nor another outbox."""
    down = "postgresql://nobody:secret@localhost:1/shop"
    settings = msgspec.structs.replace(settings, outboxes=(down, shop.url))
    async with Engine(settings, sender=deliveries) as engine:
        created = await engine.create_endpoint(URL, max_in_flight=1)
        await engine.send(created.id, 1)
        await send(shop, created.id, 2)
        await deliveries.until(2)
    assert "secret" not in foreign_sources(settings, clock=SystemClock())[0].name


async def test_a_piece_is_bounded_in_bytes_where_the_rows_are(shop: PostgresqlShop) -> None:
    """So that 256 large messages are not in memory at once; what remains is taken next."""
    for size in (600, 600, 600):
        await send(shop, UNKNOWN, "x" * size)
    source = PostgresqlOutbox(shop.url, clock=SystemClock(), poll_s=1)
    try:
        assert await source.open("one")
        taken = await source.take(rows_max=256, bytes_max=1000)
        assert len(taken) == 2
        assert len(await source.take(rows_max=1, bytes_max=1000)) == 1
        await source.settle(moved=[each.id for each in taken], refused=[])
        [last] = await source.take(rows_max=256, bytes_max=1)
        assert await source.still_there([*(each.id for each in taken), last.id]) == [last.id]
    finally:
        await source.close()
    assert count(shop) == 1


async def test_an_outbox_without_tables_or_of_another_engine_says_so(shop: PostgresqlShop) -> None:
    """With what to do."""
    for engine_id, told in (("one", None), ("other", FOREIGN), ("one", "create_tables")):
        if told == "create_tables":
            drop_tables(shop)
        source = PostgresqlOutbox(shop.url, clock=SystemClock(), poll_s=1)
        try:
            if told is None:
                assert await source.open(engine_id)
            else:
                with pytest.raises(SourceError, match=told[:40]):
                    await source.open(engine_id)
        finally:
            await source.close()


async def test_connections_that_commit_by_themselves_are_refused(shop: PostgresqlShop) -> None:
    """Unless a transaction was begun on them."""
    rest = shop.url.removeprefix("postgresql:")
    with psycopg.connect(shop.url, autocommit=True) as connection:
        outbox = WRITER.outbox(connection)
        with pytest.raises(OutboxError, match="no transaction is open"):
            outbox.send(UNKNOWN, 1)
        with connection.transaction(force_rollback=True):
            outbox.send(UNKNOWN, 1)
    async with await psycopg.AsyncConnection.connect(shop.url, autocommit=True) as asynchronous:
        with pytest.raises(OutboxError, match="no transaction is open"):
            await WRITER.outbox(asynchronous).send(UNKNOWN, 1)
    maker = sa.create_engine(f"postgresql+psycopg:{rest}", poolclass=sa.NullPool)
    by_itself = maker.connect().execution_options(isolation_level="AUTOCOMMIT")
    with by_itself, pytest.raises(OutboxError, match="no transaction is open"):
        WRITER.outbox(by_itself).send(UNKNOWN, 1)
    assert count(shop) == 0


def test_without_psycopg_the_setting_is_refused(
    shop: PostgresqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the extra that brings it."""
    monkeypatch.setitem(sys.modules, "sluicegate.outbox.postgresql_source", None)
    with pytest.raises(SettingError, match=r"sluicegate\[outbox-postgresql\]"):
        Engine(Settings(outboxes=(shop.url,)))
    monkeypatch.undo()
    with pytest.raises(SettingError, match="outboxes"):
        Engine(Settings(outboxes=("postgresql://host/db?nonsense=1",)))
