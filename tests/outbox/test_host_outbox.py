"""A message in the host's own transaction: committed with it, rolled back with it, moved once."""

import asyncio
import sqlite3
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from sluicegate import Engine, Settings, SyncEngine
from sluicegate.cli import main
from sluicegate.clock import SystemClock
from sluicegate.engine.errors import (
    EndpointNotFoundError,
    InvalidRequestError,
    OutboxError,
    SettingError,
)
from sluicegate.outbox.foreign import foreign_sources
from sluicegate.outbox.relay import Relay
from sluicegate.outbox.source import Source

from .conftest import URL, WAIT_S, Deliveries, Owner
from .shops import (
    KINDS,
    WRITER,
    Shop,
    SqliteShop,
    connected,
    count,
    create_tables,
    done,
    drop_tables,
    order,
    send,
)
from .test_relay import default_project, relay_of

UNKNOWN = f"ep_{'0' * 32}"
CHILD = Path(__file__).with_name("child_with_outbox.py")


@pytest.fixture
def settings(settings: Settings, shop: Shop) -> Settings:
    """The engine that empties the host's outbox."""
    return msgspec.structs.replace(settings, outboxes=(shop.url,), outbox_poll_s=0.01)


each_kind = pytest.mark.parametrize("shop", KINDS, indirect=True)
each_database = pytest.mark.parametrize("shop", ["sqlite3", "psycopg"], indirect=True)


async def moved(shop: Shop) -> None:
    """Wait until the outbox is empty."""
    async with asyncio.timeout(WAIT_S):
        while count(shop):  # noqa: ASYNC110 - it is a database that changes
            await asyncio.sleep(0.01)


@each_kind
async def test_messages_are_committed_or_rolled_back_with_the_hosts_rows(
    shop: Shop, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """What is rolled back was never sent; what is committed is delivered once, byte for byte."""
    batch = [{"endpoint_id": endpoint_id, "payload": number} for number in range(5)]
    async with owner() as engine, connected(shop) as connection:
        outbox = WRITER.outbox(connection)
        for number in range(4):
            await order(shop, connection, number)
            sent = await done(
                outbox.send(endpoint_id, b'{"n": 1.0}', headers={"X-A": "b"}, retention_hours=0)
            )
            with pytest.raises(InvalidRequestError):  # a batch is written whole or not at all
                await done(outbox.send_batch([*batch, {"endpoint_id": "x", "payload": 1}]))
            more = await done(outbox.send_batch(batch))
            assert count(shop) == 0
            await done(connection.rollback() if number < 3 else connection.commit())
        await deliveries.until(6)
        await moved(shop)
        message = await engine.get_message(sent)
    assert count(shop, "orders") == 1
    assert deliveries.ids == [sent, *more]
    assert deliveries.bodies == [b'{"n": 1.0}', b"0", b"1", b"2", b"3", b"4"]
    assert message.retention_hours == 0


@pytest.mark.parametrize("messages", [[], [{}] * 1001, "text", None])
async def test_a_batch_of_the_wrong_size_is_refused(shop: Shop, messages: Any) -> None:
    """As by the engine."""
    async with connected(shop) as connection:
        with pytest.raises(InvalidRequestError, match="1 to 1000"):
            await done(WRITER.outbox(connection).send_batch(messages))


@each_kind
async def test_missing_tables_are_told_with_the_call_that_makes_them(shop: Shop) -> None:
    """Whoever forgot the migration sees what to do."""
    async with connected(shop) as connection:
        drop_tables(shop)
        with pytest.raises(OutboxError, match=r"engine\.outbox\(connection\)\.create_tables\(\)"):
            await done(WRITER.outbox(connection).send(UNKNOWN, 1))
        await done(connection.rollback())
        await done(WRITER.outbox(connection).create_tables())
        await done(WRITER.outbox(connection).create_tables())
        await done(WRITER.outbox(connection).send(UNKNOWN, 1))
        await done(connection.commit())
    assert count(shop) == 1
    assert count(shop, "sluicegate_outbox_meta") == 1


@each_database
async def test_the_commands_sql_makes_an_outbox(shop: Shop) -> None:
    """For migrations; twice is fine, and what is there stays."""
    drop_tables(shop)
    dialect = shop.url.partition(":")[0]
    printed = CliRunner().invoke(main, ["outbox-sql", dialect], catch_exceptions=False)
    for _ in range(2):
        for statement in printed.stdout.split(";\n\n"):  # as the command says that they end
            shop.run(statement)
        await send(shop, UNKNOWN, 1)
    assert count(shop) == 2
    assert count(shop, "sluicegate_outbox_meta") == 1


async def test_tables_that_are_rolled_back_are_not_there(tmp_path: Path) -> None:
    """Also with `sqlite3`, which begins no transaction for a `CREATE TABLE`."""
    db = sqlite3.connect(tmp_path / "other.db")
    WRITER.outbox(db).create_tables()
    db.rollback()
    assert db.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    db.close()


def autocommitting(path: str) -> list[sqlite3.Connection]:
    """Return connections that begin no transaction by themselves."""
    made = [sqlite3.connect(path, isolation_level=None)]
    if sys.version_info >= (3, 12):
        made.append(sqlite3.connect(path, autocommit=True))
    return made


async def test_a_connection_that_commits_by_itself_is_refused(tmp_path: Path, shop: Shop) -> None:
    """Else the message would be sent whatever becomes of the rest; with `BEGIN` all is well."""
    for db in autocommitting(str(tmp_path / "shop.db")):
        with pytest.raises(OutboxError, match="no transaction is open"):
            WRITER.outbox(db).send(UNKNOWN, 1)
        assert count(shop) == 0
        db.execute("BEGIN")
        WRITER.outbox(db).send(UNKNOWN, 1)
        db.execute("ROLLBACK")
        db.close()
    assert count(shop) == 0


@pytest.mark.parametrize("connection", [None, "sqlite:///shop.db", object()])
def test_what_is_no_connection_is_refused(connection: Any) -> None:
    """With the kinds that there are."""
    with pytest.raises(OutboxError, match=r"sqlite3.*not a builtins\."):
        WRITER.outbox(connection)


async def test_a_blocking_engine_writes_without_opening_anything(
    tmp_path: Path, shop: Shop, settings: Settings, endpoint_id: str
) -> None:
    """Any number of workers may: what they write on is theirs."""
    db = sqlite3.connect(tmp_path / "shop.db")
    engine = SyncEngine(msgspec.structs.replace(settings, database=str(tmp_path / "none.db")))
    with pytest.raises(EndpointNotFoundError):
        engine.outbox(db).send("ep_x", 1)
    engine.outbox(db).send(endpoint_id, 1)
    db.commit()
    db.close()
    assert count(shop) == 1
    assert not list(tmp_path.glob("none*"))  # noqa: ASYNC240 - as above


@each_database
async def test_an_engine_that_runs_finds_what_is_committed_later(
    shop: Shop, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """It looks again and again; without outboxes there is nothing that looks."""
    async with owner() as engine:
        for number in range(3):
            await send(shop, endpoint_id, number)
            await deliveries.until(number + 1)
        assert len(engine._parts.relays) == 2  # noqa: SLF001 - the inbox's, and the host's
    assert len(Engine(Settings())._parts.relays) == 1  # noqa: SLF001 - the inbox's


@each_database
async def test_what_the_engine_refuses_is_put_aside_with_the_reason(
    shop: Shop, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """It is not tried for ever, and holds up nothing."""
    refused = await send(shop, UNKNOWN, 1)
    await send(shop, endpoint_id, 2)
    async with owner():
        await deliveries.until(1)
        await moved(shop)
    rows = shop.run("SELECT id, code, payload FROM sluicegate_outbox_refused")
    assert rows == [(refused, "ENDPOINT_NOT_FOUND", b"1")]


async def run_child(*arguments: str) -> tuple[asyncio.subprocess.Process, str]:
    """Start the program that is to be killed; return what it says when it is where it should be."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHILD),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(WAIT_S):
            return child, (await child.stdout.readline()).decode().strip()
    except TimeoutError:
        child.kill()
        await child.wait()
        raise


async def kill(child: asyncio.subprocess.Process) -> None:
    """End a process as `kill -9` does."""
    child.kill()
    await child.communicate()


@each_database
async def test_a_host_that_is_killed_after_its_commit_has_sent(
    shop: Shop, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """The commit is all that counts; nobody need live until the message is moved."""
    child, sent = await run_child("commit", shop.url, endpoint_id)
    await kill(child)
    async with owner():
        await deliveries.until(1)
        await moved(shop)
    assert deliveries.ids == [sent]


@pytest.mark.parametrize(
    ("shop", "step"),
    [("sqlite3", "append_relayed"), ("sqlite3", "settle"), ("psycopg", "settle")],
    indirect=["shop"],
)
async def test_an_engine_that_is_killed_while_it_moves_has_moved_once(
    shop: Shop, settings: Settings, owner: Owner, deliveries: Deliveries, step: str
) -> None:
    """What it had not stored is still there; what it had, its file remembers."""
    async with owner() as engine:
        endpoint_id = (await engine.create_endpoint(URL, max_in_flight=1)).id
        await engine.pause(endpoint_id)
    sent = [await send(shop, endpoint_id, number) for number in range(3)]
    child, said = await run_child("relay", settings.database, shop.url, step)
    assert said == step
    await kill(child)
    assert count(shop) == 3
    async with owner() as engine:
        await moved(shop)
        assert (await engine.get_endpoint(endpoint_id)).counts.paused == 3
        await engine.resume(endpoint_id)
        await deliveries.until(3)
    assert deliveries.ids == sent


def held(source: Source, *, at: asyncio.Event, go_on: asyncio.Event) -> Source:
    """Hold the relay of an outbox between storing and removing."""
    settle = source.settle

    async def wait_first(**what: Any) -> None:
        at.set()
        await go_on.wait()
        await settle(**what)

    source.settle = wait_first  # type: ignore[method-assign]
    return source


@each_database
async def test_two_relays_at_once_move_each_message_once(
    shop: Shop, settings: Settings, deliveries: Deliveries, endpoint_id: str
) -> None:
    """Both have stored the same piece; one of them was told that it is known."""
    sent = [await send(shop, endpoint_id, number) for number in range(5)]
    go_on = asyncio.Event()
    plain = msgspec.structs.replace(settings, outboxes=())
    async with Engine(plain, sender=deliveries) as engine:
        relays: list[Relay] = []
        for _ in range(2):
            at = asyncio.Event()
            [source] = foreign_sources(settings, clock=SystemClock())
            relays.append(relay_of(engine, held(source, at=at, go_on=go_on)))
            relays[-1].start(await default_project(engine))
            async with asyncio.timeout(WAIT_S):
                await at.wait()
        # Nothing of the host's is locked while a relay waits for anything.
        shop.run("UPDATE sluicegate_outbox SET headers = headers")
        sent.append(await send(shop, endpoint_id, 5))
        go_on.set()
        await deliveries.until(6)
        await moved(shop)
        for relay in relays:
            await relay.close()
        assert len((await engine.list_logs()).items) == 6
    assert deliveries.ids == sent


@each_database
async def test_an_outbox_is_emptied_by_one_engine(
    shop: Shop, settings: Settings, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """So a copy of the host's database, in staging, sends nothing of production's."""
    async with owner() as engine:
        async with asyncio.timeout(WAIT_S):
            await engine._parts.relays[1].at_rest.wait()  # noqa: SLF001 - nobody else is told
    sent = await send(shop, endpoint_id, 1)
    other = msgspec.structs.replace(settings, database=f"{settings.database}.other")
    async with Engine(other, sender=deliveries) as engine:
        [_, relay] = engine._parts.relays  # noqa: SLF001 - nobody else is told
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await relay.at_rest.wait()
    assert count(shop) == 1
    async with owner():
        await deliveries.until(1)
    assert deliveries.ids == [sent]


async def test_a_database_that_is_not_there_yet_is_tried_again(
    tmp_path: Path, settings: Settings, deliveries: Deliveries, endpoint_id: str
) -> None:
    """Neither its absence nor that of its tables keeps the engine from anything else."""
    (tmp_path / "late").mkdir()
    late = tmp_path / "late" / "shop.db"
    settings = msgspec.structs.replace(settings, outboxes=(f"sqlite:///{late}",))
    async with Engine(settings, sender=deliveries) as engine:
        await engine.send(endpoint_id, 1)
        await deliveries.until(1)
        assert not late.exists()
        shop = SqliteShop(late.parent)
        await create_tables(shop)
        await send(shop, endpoint_id, 2)
        await deliveries.until(2)


@pytest.mark.parametrize(
    "outboxes",
    [
        ("shop.db",),
        ("sqlite:///",),
        ("sqlite:///:memory:",),
        ("sqlite:///shop.db?mode=ro",),
        ("mysql://localhost/shop",),
    ],
)
def test_what_names_no_database_is_refused(outboxes: tuple[str, ...]) -> None:
    """At once, and without showing it: there may be a password in it."""
    with pytest.raises(SettingError, match=r"outboxes: value \*\*\* is not allowed: URLs"):
        Settings(outboxes=outboxes)


def test_an_outbox_is_named_once_and_is_not_the_engines_own_file(tmp_path: Path) -> None:
    """However it is spelled."""
    for first, second in (("shop.db", "./shop.db"), ("engine.db", "shop.db")):
        settings = Settings(
            database=str(tmp_path / "engine.db"),
            outboxes=(f"sqlite:///{tmp_path}/{first}", f"sqlite:///{tmp_path}/{second}"),
        )
        with pytest.raises(SettingError, match="named twice, or the engine's own"):
            Engine(settings)
