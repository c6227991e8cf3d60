"""Processes beside the owner: what they send is durable at once, and delivered by the owner."""

import asyncio
import inspect
import os
import socket
import sqlite3
import stat
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sluicegate import Engine, Settings
from sluicegate.engine.calls import ProjectCalls
from sluicegate.engine.errors import (
    EndpointNotFoundError,
    EnqueueOnlyError,
    InvalidHeadersError,
    InvalidRequestError,
    PayloadTooLargeError,
    SettingError,
    StorageVersionError,
    UnavailableError,
)
from sluicegate.engine.model import Accepted

from .conftest import URL, WAIT_S, Deliveries, Owner

UNKNOWN = f"ep_{'0' * 32}"
CHILD = Path(__file__).with_name("child_that_enqueues.py")


def rows(settings: Settings, table: str = "sluicegate_outbox") -> list[tuple[Any, ...]]:
    """Return what an inbox holds."""
    db = sqlite3.connect(f"{settings.database}.inbox")
    try:
        return db.execute(f"SELECT id, endpoint_id FROM {table}").fetchall()  # noqa: S608 - a constant
    finally:
        db.close()


async def moved(engine: Engine) -> None:
    """Wait until the relay has taken everything out: that comes after the delivery."""
    async with asyncio.timeout(WAIT_S):
        await engine._parts.relays[0].at_rest.wait()  # noqa: SLF001 - nobody else is told


def put(path: str, text: bytes) -> None:
    """Make a file."""
    Path(path).write_bytes(text)


def content(path: str) -> bytes:
    """Return a file's bytes."""
    return Path(path).read_bytes()


def exists(path: str) -> bool:
    """Say whether there is anything of this name."""
    return os.path.lexists(path)


async def use(settings: Settings) -> None:
    """Open it to enqueue, and send."""
    async with Engine(settings, mode="enqueue") as engine:
        await engine.send(UNKNOWN, 1)


async def run_child(settings: Settings, *arguments: str) -> list[str]:
    """Run the program that enqueues; return what it says: a process and an id on each line."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), settings.database, *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(WAIT_S):
            told, _ = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        raise
    assert child.returncode == 0
    return told.decode().splitlines()


async def test_what_is_enqueued_while_the_owner_is_down_is_delivered_at_its_start(
    settings: Settings, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """In order, once each, under the ids that the senders were told."""
    async with Engine(settings, mode="enqueue") as engine:
        sent = [await engine.send(endpoint_id, number) for number in range(5)]
        answers = await engine.send_batch(
            [{"endpoint_id": endpoint_id, "payload": number} for number in range(5, 8)]
        )
    sent += [answer for answer in answers if isinstance(answer, Accepted)]
    async with owner() as engine:
        await deliveries.until(8)
        await moved(engine)
        message = await engine.get_message(sent[0].message_id)
    assert message.endpoint_id == endpoint_id
    assert deliveries.ids == [each.message_id for each in sent]
    assert deliveries.bodies == [str(number).encode() for number in range(8)]


async def test_an_owner_that_is_up_is_woken(
    settings: Settings, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """It does not look by itself: without the bell nothing would ever be delivered."""
    async with owner(), Engine(settings, mode="enqueue") as engine:
        for number in range(3):
            await engine.send(endpoint_id, number)
            await deliveries.until(number + 1)


async def test_a_bell_that_a_killed_owner_left_behind_is_in_nobodys_way(
    settings: Settings, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """The sender goes away at once, and the next owner takes its place."""
    bell = f"{settings.database}.inbox.bell"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(bell)
    async with Engine(settings, mode="enqueue") as engine:
        await engine.send(endpoint_id, 1)
        async with owner():
            await deliveries.until(1)
            await engine.send(endpoint_id, 2)
            await deliveries.until(2)
    assert not exists(bell)


async def test_a_file_in_the_place_of_the_bell_stays_and_is_not_needed(
    settings: Settings, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """Nothing of others is removed; the owner looks every second then."""
    bell = f"{settings.database}.inbox.bell"
    put(bell, b"theirs")
    async with owner(), Engine(settings, mode="enqueue") as engine:
        await engine.send(endpoint_id, 1)
        await deliveries.until(1)
    assert content(bell) == b"theirs"


async def test_a_very_long_path_has_a_bell_too(
    tmp_path: Path, settings: Settings, deliveries: Deliveries
) -> None:
    """An address has room for 107 bytes only."""
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    settings = msgspec.structs.replace(settings, database=str(folder / "engine.db"))
    async with Engine(settings, sender=deliveries) as owner:
        created = await owner.create_endpoint(URL)
        async with Engine(settings, mode="enqueue") as engine:
            await engine.send(created.endpoint.id, 1)
            await deliveries.until(1)


CALLS = [
    name
    for name, _ in inspect.getmembers(ProjectCalls, inspect.iscoroutinefunction)
    if not name.startswith("_") and name not in {"send", "send_batch"}
]


@pytest.mark.parametrize("name", CALLS)
async def test_everything_but_sending_is_refused_with_a_reason(
    settings: Settings, name: str
) -> None:
    """Whatever else would be asked needs the file, which belongs to another process."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    async with Engine(settings, mode="enqueue") as engine:
        call = getattr(engine, name)
        needed = {
            name: moment if name.endswith("_time") else "x"
            for name, each in inspect.signature(call).parameters.items()
            if each.default is each.empty and each.kind is not each.VAR_KEYWORD
        }
        with pytest.raises(EnqueueOnlyError, match="can only send"):
            await call(**needed)


def test_an_unknown_mode_is_refused(settings: Settings) -> None:
    """With the two that there are."""
    with pytest.raises(SettingError, match="deliver or enqueue"):
        Engine(settings, mode="send")  # type: ignore[arg-type]


async def test_what_can_be_checked_without_the_file_is_refused_by_the_send(
    settings: Settings,
) -> None:
    """The rules are the engine's own."""
    settings = msgspec.structs.replace(settings, payload_bytes_max=10)
    async with Engine(settings, mode="enqueue") as engine:
        with pytest.raises(PayloadTooLargeError):
            await engine.send(UNKNOWN, "x" * 20)
        with pytest.raises(InvalidRequestError, match="JSON"):
            await engine.send(UNKNOWN, b"{")
        with pytest.raises(InvalidHeadersError):
            await engine.send(UNKNOWN, 1, headers={"Host": "x"})
        with pytest.raises(InvalidRequestError, match="idempotency_key"):
            await engine.send(UNKNOWN, 1, idempotency_key="a b")
        with pytest.raises(EndpointNotFoundError):
            await engine.send("ep_x", 1)
        answers = await engine.send_batch(
            [{"endpoint_id": UNKNOWN, "payload": 1}, {"endpoint_id": "ep_x", "payload": 1}]
        )
    assert [type(each) for each in answers] == [Accepted, EndpointNotFoundError]
    assert len(rows(settings)) == 1


async def test_what_the_owner_refuses_is_kept_aside_and_holds_up_nothing(
    settings: Settings, deliveries: Deliveries, endpoint_id: str
) -> None:
    """An endpoint that is unknown, a payload that has become too large."""
    async with Engine(settings, mode="enqueue") as engine:
        unknown = await engine.send(UNKNOWN, 1)
        await engine.send(endpoint_id, 2)
        large = await engine.send(endpoint_id, "x" * 100)
        await engine.send(endpoint_id, 3)
    small = msgspec.structs.replace(settings, payload_bytes_max=50)
    async with Engine(small, sender=deliveries) as engine:
        await deliveries.until(2)
        await moved(engine)
    assert deliveries.bodies == [b"2", b"3"]
    db = sqlite3.connect(f"{settings.database}.inbox")
    refused = db.execute("SELECT id, code FROM sluicegate_outbox_refused ORDER BY id").fetchall()
    db.close()
    assert refused == [
        (unknown.message_id, "ENDPOINT_NOT_FOUND"),
        (large.message_id, "PAYLOAD_TOO_LARGE"),
    ]


async def test_an_idempotency_key_is_one_message_whoever_sends_it(
    settings: Settings, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """The key's first message stands; one with another payload is put aside."""
    async with Engine(settings, mode="enqueue") as engine:
        first = await engine.send(endpoint_id, 1, idempotency_key="k")
        await engine.send(endpoint_id, 1, idempotency_key="k")
        await engine.send(endpoint_id, 2, idempotency_key="k")
        await engine.send(endpoint_id, 3)
    async with owner() as engine:
        await deliveries.until(2)
        await moved(engine)
    assert deliveries.bodies == [b"1", b"3"]
    assert deliveries.ids[0] == first.message_id
    assert len(rows(settings, "sluicegate_outbox_refused")) == 1


async def sent_or_refused(engine: Engine, endpoint_id: str) -> str:
    """Send much, and say what came of it."""
    try:
        await engine.send(endpoint_id, "x" * 200_000)
    except UnavailableError as error:
        return "refused" if "the inbox is full" in error.message else error.message
    return "sent"


async def test_a_full_inbox_refuses_until_the_owner_has_emptied_it(
    settings: Settings, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """What is refused is not stored; what was told is kept."""
    settings = msgspec.structs.replace(settings, inbox_bytes_max=1 << 20)
    async with Engine(settings, mode="enqueue") as engine:
        answers = [await sent_or_refused(engine, endpoint_id) for _ in range(10)]
        told = answers.index("refused")
        assert answers[told:] == ["refused"] * (10 - told)
        assert len(rows(settings)) == told
        async with owner() as delivering:
            await deliveries.until(told)
            await moved(delivering)
        await engine.send(endpoint_id, 1)


async def test_a_cancelled_send_is_stored_all_the_same(
    settings: Settings, endpoint_id: str
) -> None:
    """As in the engine that delivers; and the next one is not harmed."""
    async with Engine(settings, mode="enqueue") as engine:
        sending = asyncio.create_task(engine.send(endpoint_id, 1))
        await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await engine.send(endpoint_id, 2)
    assert len(rows(settings)) == 2


async def test_sends_before_and_after_the_engine_is_open_are_refused(settings: Settings) -> None:
    """None is kept for later."""
    engine = Engine(settings, mode="enqueue")
    with pytest.raises(RuntimeError, match="not open"):
        await engine.send(UNKNOWN, 1)
    async with engine:
        pass
    with pytest.raises(UnavailableError, match="closed"):
        await engine.send(UNKNOWN, 1)
    assert rows(settings) == []


@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_who_may_use_the_database_may_use_its_inbox(settings: Settings, mode: int) -> None:
    """The inbox has the database's mode, whatever the umask."""
    put(settings.database, b"")
    Path(settings.database).chmod(mode)
    before = os.umask(0)
    try:
        asyncio.run(use(settings))
    finally:
        os.umask(before)
    for name in ("inbox", "inbox-journal"):
        assert stat.S_IMODE(Path(f"{settings.database}.{name}").stat().st_mode) == mode


def test_without_a_database_the_inbox_is_its_makers(settings: Settings) -> None:
    """As the database would be."""
    asyncio.run(use(settings))
    assert stat.S_IMODE(Path(f"{settings.database}.inbox").stat().st_mode) == 0o600


def test_a_file_that_is_not_an_inbox_is_left_alone(settings: Settings) -> None:
    """Another program's, a newer version's, no database at all."""
    path = f"{settings.database}.inbox"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (x)")
    db.close()
    before = content(path)
    with pytest.raises(StorageVersionError, match="another program"):
        asyncio.run(use(settings))
    assert content(path) == before
    put(path, b"no database, but a text" * 100)
    with pytest.raises(StorageVersionError, match="not a SQLite database"):
        asyncio.run(use(settings))
    Path(path).unlink()
    asyncio.run(use(settings))
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StorageVersionError, match="newer"):
        asyncio.run(use(settings))


async def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """Before anything is sent."""
    settings = Settings(database=str(tmp_path / "none" / "engine.db"))
    with pytest.raises(SettingError, match="folder does not exist"):
        await Engine(settings, mode="enqueue").__aenter__()


async def test_the_children_of_a_fork_enqueue_at_once_while_the_owner_delivers(
    settings: Settings, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """None lost, none twice, and each process's in its own order."""
    async with owner() as engine:
        told = await run_child(settings, endpoint_id, "20", "4")
        await deliveries.until(80)
        await moved(engine)
    by_child: dict[str, list[str]] = {}
    for line in told:
        child, message_id = line.split()
        by_child.setdefault(child, []).append(message_id)
    assert [len(ids) for ids in by_child.values()] == [20] * 4
    assert Counter(deliveries.ids) == Counter(id_ for ids in by_child.values() for id_ in ids)
    for ids in by_child.values():
        assert [id_ for id_ in deliveries.ids if id_ in ids] == ids


async def test_what_a_killed_process_was_told_is_delivered(
    settings: Settings, owner: Owner, deliveries: Deliveries, endpoint_id: str
) -> None:
    """Killed at any moment, also in the middle of a commit: its journal is rolled back."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CHILD), settings.database, endpoint_id, "1000000"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    async with asyncio.timeout(WAIT_S):
        lines = [(await child.stdout.readline()).decode() for _ in range(8)]
        child.kill()
        rest = (await child.stdout.read()).decode()
        await child.wait()
    lines += rest.split("\n")[:-1]  # what follows the last line's end was cut off
    told = [line.split()[1] for line in lines]
    async with owner() as engine:
        await deliveries.until(len(told))
        await moved(engine)
    assert set(told) <= set(deliveries.ids)
    assert len(deliveries.ids) == len(set(deliveries.ids))
    assert len(deliveries.ids) <= len(told) + 1  # stored, and killed before it could say so


def test_an_inbox_that_cannot_be_opened_is_no_passing_state(settings: Settings) -> None:
    """As with one that another user must not open: to try again would not help."""
    Path(f"{settings.database}.inbox").symlink_to("/nowhere/inbox")
    with pytest.raises(SettingError, match=r"cannot open inbox .*readable and writable"):
        asyncio.run(Engine(settings, mode="enqueue").__aenter__())
