"""One writer, many writes in one transaction, and what happens when one of them fails."""

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import aiosqlite
import pytest
from tests.pacing.held import held_sends

from sluicegate.engine.errors import (
    AlreadyPausedError,
    DuplicateUrlError,
    SluicegateError,
    UnavailableError,
)
from sluicegate.engine.model import Accepted, PauseReason
from sluicegate.engine.ports import StorageFault
from sluicegate.storage import writer
from sluicegate.storage.audit import miscounts
from sluicegate.storage.bridge import call

if TYPE_CHECKING:
    from tests.storage.conftest import Place


async def take_turns(count: int) -> None:
    """Let the loop take so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_those_who_wait_together_commit_together(place: "Place") -> None:
    """256 concurrent sends make a commit or two, not 256."""
    storage = await place.opened()
    endpoints = [await place.endpoint(storage) for _ in range(8)]
    before = storage.commits
    answers = await asyncio.gather(
        *(storage.append([place.message(endpoints[turn % 8])]) for turn in range(256))
    )
    assert all(isinstance(answer, Accepted) for [answer] in answers)
    assert storage.commits - before <= 3


async def test_a_pause_goes_before_a_flood_of_sends(place: "Place") -> None:
    """It waits for the transaction that runs, not for those behind it."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    flood = [
        asyncio.ensure_future(storage.append([place.message(endpoint) for _ in range(100)]))
        for _ in range(100)
    ]
    await asyncio.sleep(0)
    before = storage.commits
    await storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
    assert storage.commits - before <= 2
    assert sum(task.done() for task in flood) <= 20
    answers = await asyncio.gather(*flood)
    assert sum(len(answer) for answer in answers) == 10_000


async def test_a_faulty_write_fails_alone(place: "Place") -> None:
    """Its neighbours in the transaction are committed, in order, and counted once."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    messages = [place.message(endpoint) for _ in range(9)]
    messages[4] = place.message(endpoint, payload_sha256=b"too short")
    answers = await asyncio.gather(
        *(storage.append([message]) for message in messages), return_exceptions=True
    )
    broken = answers.pop(4)
    assert isinstance(broken, SluicegateError)
    assert broken.code == "INTERNAL_ERROR"
    assert all(isinstance(answer, list) for answer in answers)
    del messages[4]
    stored = await storage.load_queued(endpoint, after_seq=0, limit=100)
    assert [message.id for message in stored] == [message.id for message in messages]
    assert await call(place.connections[0], miscounts) == []
    assert place.faults.seen == [StorageFault.FAULTY_WRITE]


async def test_a_bug_in_a_change_fails_its_caller_alone(place: "Place") -> None:
    """Not an error of SQLite's this time; and never a foreign exception."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)

    def change(_config: object) -> None:
        raise ZeroDivisionError

    broken, answer = await asyncio.gather(
        storage.update_config(endpoint, change, at_ms=1),  # type: ignore[arg-type]  # the bug
        storage.append([place.message(endpoint)]),
        return_exceptions=True,
    )
    assert type(broken) is SluicegateError
    assert isinstance(answer, list)


async def test_a_refusal_is_its_callers_alone(place: "Place") -> None:
    """A write that is refused on its merits leaves the transaction standing: one commit."""
    storage = await place.opened()
    row = place.endpoint_row()
    await storage.create_endpoint(row)
    before = storage.commits

    async def pause(at_ms: int) -> object:
        return await storage.pause(row.id, reason=PauseReason.MANUAL, at_ms=at_ms)

    twin, paused, again = await asyncio.gather(
        storage.create_endpoint(place.endpoint_row(row.config.url)),
        pause(1),
        pause(2),
        return_exceptions=True,
    )
    assert isinstance(twin, DuplicateUrlError)
    assert not isinstance(paused, BaseException)
    assert isinstance(again, AlreadyPausedError)
    assert storage.commits - before == 1


async def test_a_command_is_committed_without_the_sends_that_wait(place: "Place") -> None:
    """It does not wait until they are stored; but two do not go before them one after the other."""
    storage = await place.opened()
    first, second = [await place.endpoint(storage) for _ in range(2)]
    before, gate = storage.commits, threading.Event()
    blocked = asyncio.ensure_future(call(place.connections[0], lambda _db: gate.wait(20)))
    try:
        writes: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(place.send(storage, first)) for _ in range(8)
        ]
        pause = partial(storage.pause, reason=PauseReason.MANUAL, at_ms=1)
        writes.append(asyncio.ensure_future(pause(first)))
        await take_turns(3)  # its commit has begun
        writes.append(asyncio.ensure_future(pause(second)))
        await take_turns(3)
    finally:
        gate.set()
    await asyncio.gather(blocked, *writes)
    assert storage.commits - before == 2


async def test_sends_wait_in_line_for_commit_and_answer_and_commands_do_not(
    place: "Place",
) -> None:
    """Many at once would be a long turn of the loop; but after a commit a few wait no longer."""
    pacer, line = held_sends()
    storage = await place.opened(pacer=pacer)
    endpoint = await place.endpoint(storage)
    before, committed = storage.commits, asyncio.Event()
    sends = [asyncio.ensure_future(place.send(storage, endpoint)) for _ in range(10)]
    async with asyncio.timeout(10):
        await storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
        assert storage.commits - before == 1
        storage.on_committed(committed.set)
        line.move()
        await committed.wait()
        await take_turns(3)
        answered = sum(send.done() for send in sends)
        assert 0 < answered < 10
        assert len(line.pieces) == 10 - answered
        line.move()
        await asyncio.gather(*sends)
    assert storage.commits - before == 2


async def test_a_write_that_becomes_urgent_takes_the_place_of_one_in_line(place: "Place") -> None:
    """The sends' commit, when its turn comes, finds that it was made, and makes no other."""
    pacer, line = held_sends()
    storage = await place.opened(pacer=pacer)
    endpoint = await place.endpoint(storage)
    before = storage.commits
    send = asyncio.ensure_future(place.send(storage, endpoint))
    await take_turns(2)
    async with asyncio.timeout(10):
        for at_ms in (1, 2):
            with contextlib.suppress(AlreadyPausedError):
                await storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=at_ms)
        await send
        committed = storage.commits
        line.move()
        await take_turns(3)
    assert storage.commits == committed <= before + 2


async def test_a_command_that_is_refused_at_the_end_leaves_nobody_waiting(place: "Place") -> None:
    """The sends that wait are committed and answered: no commit is kept for it."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    gate = threading.Event()
    blocked = asyncio.ensure_future(call(place.connections[0], lambda _db: gate.wait(20)))
    try:
        first = asyncio.ensure_future(place.send(storage, endpoint))
        await take_turns(3)  # its commit has begun
        second = asyncio.ensure_future(place.send(storage, endpoint))
        closing = asyncio.ensure_future(storage.close())
        await take_turns(3)
        with pytest.raises(UnavailableError):
            await storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
    finally:
        gate.set()
    async with asyncio.timeout(10):
        await asyncio.gather(blocked, first, second, closing)


async def test_of_many_pauses_exactly_one_is_first(place: "Place") -> None:
    """Whatever transactions they share."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    answers = await asyncio.gather(
        *(storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=turn) for turn in range(50)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, AlreadyPausedError)]
    assert len(refused) == 49


async def test_what_waits_to_be_written_is_bounded(place: "Place") -> None:
    """Over the budget a send is refused at once; a control write is not; then all is well."""
    storage = await place.opened(pending_bytes_max=10_000)
    endpoint = await place.endpoint(storage)
    gate = threading.Event()
    blocked = asyncio.ensure_future(call(place.connections[0], lambda _db: gate.wait(20)))
    await asyncio.sleep(0)
    try:
        sends = [
            asyncio.ensure_future(storage.append([place.message(endpoint, bytes(4_000))]))
            for _ in range(3)
        ]
        pause = asyncio.ensure_future(storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1))
        await asyncio.wait([sends[2]])
        assert isinstance(sends[2].exception(), UnavailableError)
        assert not any(task.done() for task in (*sends[:2], pause))
    finally:
        gate.set()
    await asyncio.gather(blocked, *sends[:2], pause)
    for _ in range(2):
        twice = [storage.append([place.message(endpoint, bytes(4_000))]) for _ in range(2)]
        assert len(await asyncio.gather(*twice)) == 2


async def test_a_send_larger_than_the_budget_gets_in_when_nothing_waits(place: "Place") -> None:
    """Else it would be refused for ever."""
    storage = await place.opened(pending_bytes_max=10)
    await place.send(storage, await place.endpoint(storage))


async def test_the_listener_hears_before_the_callers_wake(place: "Place") -> None:
    """Whoever is woken first could else look for an actor that has not been told."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    order: list[str] = []

    def listen(_accepted: Mapping[str, object]) -> None:
        order.append("listener")

    storage.on_accepted(listen)

    async def send() -> None:
        await place.send(storage, endpoint)
        order.append("caller")

    await asyncio.gather(send(), send())
    assert order == ["listener", "caller", "caller"]


async def test_a_listener_that_breaks_stops_the_writer_and_nobody_waits_for_ever(
    place: "Place",
) -> None:
    """What was committed is answered so; the rest is refused; it is told once."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    told: list[BaseException] = []
    storage.on_fatal(told.append)

    def listen(_accepted: Mapping[str, object]) -> None:
        raise ZeroDivisionError

    storage.on_accepted(listen)
    await place.send(storage, endpoint)
    with pytest.raises(UnavailableError):
        await place.send(storage, endpoint)
    assert [type(error) for error in told] == [ZeroDivisionError]


async def test_when_storage_fails_nobody_who_waits_is_forgotten(place: "Place") -> None:
    """Neither a command, nor a result that is urgent or not, nor a send."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await place.send(storage, endpoint, 2)
    first, second = await storage.load_queued(endpoint, after_seq=0, limit=2)

    def listen(_accepted: Mapping[str, object]) -> None:
        raise ZeroDivisionError

    storage.on_accepted(listen)
    gate = threading.Event()
    blocked = asyncio.ensure_future(call(place.connections[0], lambda _db: gate.wait(20)))
    try:
        breaking = asyncio.ensure_future(place.send(storage, endpoint))
        await take_turns(3)  # its commit has begun
        waiting: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(awaited)
            for awaited in (
                storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1),
                storage.record_attempt(place.result(endpoint, first)),
                storage.record_attempt(place.result(endpoint, second), urgent=False),
                storage.append([place.message(endpoint)]),
            )
        ]
        await take_turns(3)
    finally:
        gate.set()
    async with asyncio.timeout(10):
        await asyncio.gather(blocked, breaking)
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in answers] == [UnavailableError] * 4


async def test_a_new_owner_ends_the_old_ones_writes(place: "Place") -> None:
    """The epoch is checked in each transaction; reads go on, and it is told once."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    told: list[BaseException] = []
    storage.on_fatal(told.append)
    db = place.raw()
    db.execute("UPDATE meta SET epoch = epoch + 1")
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await place.send(storage, endpoint)
        with pytest.raises(UnavailableError):
            await storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
    assert [type(error).__name__ for error in told] == ["StaleOwnerError"]
    assert db.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    db.close()
    assert await storage.load_state(endpoint) is not None


async def test_each_opening_takes_a_new_epoch(place: "Place") -> None:
    """Never one that was used."""
    for epoch in (1, 2, 3):
        await (await place.opened()).close()
        db = place.raw()
        assert db.execute("SELECT epoch FROM meta").fetchone() == (epoch,)
        db.close()


async def test_another_program_that_holds_the_file_is_waited_for_then_reported(
    place: "Place",
) -> None:
    """Nothing was stored, nothing is fatal, and it works again afterwards."""

    def impatient(path: str) -> aiosqlite.Connection:
        return aiosqlite.connect(path, isolation_level=None, timeout=0.05)

    storage = await place.opened(connect=impatient)
    endpoint = await place.endpoint(storage)
    db = place.raw()
    db.execute("BEGIN IMMEDIATE")
    answers = await asyncio.gather(
        *(storage.append([place.message(endpoint)]) for _ in range(20)), return_exceptions=True
    )
    assert all(isinstance(answer, UnavailableError) for answer in answers)
    db.execute("ROLLBACK")
    db.close()
    assert set(place.faults.seen) == {StorageFault.BUSY}
    await place.send(storage, endpoint)


async def test_a_duplicate_message_id_is_a_fault_of_its_own(place: "Place") -> None:
    """Ids are unique in the database."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    message = place.message(endpoint)
    other = place.message(endpoint, b"1", payload_sha256=hashlib.sha256(b"1").digest())
    answers = await asyncio.gather(
        *(storage.append([one]) for one in (message, message, other)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [list, SluicegateError, list]


async def test_what_nobody_waits_for_waits_for_company(
    place: "Place", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A send is not made to wait for it; a write of its kind that is urgent takes it along."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await place.send(storage, endpoint, 2)
    waiting = await storage.load_queued(endpoint, after_seq=0, limit=2)
    patient, urgent = (place.result(endpoint, message) for message in waiting)
    monkeypatch.setattr(writer, "PATIENCE_S", 30.0)
    before = storage.commits
    recorded = asyncio.ensure_future(storage.record_attempt(patient, urgent=False))
    await place.send(storage, endpoint)
    assert not recorded.done()
    await storage.record_attempt(urgent, urgent=True)
    await recorded
    assert storage.commits == before + 2


async def test_the_sweep_of_a_deleted_endpoint_goes_before_nobody(
    place: "Place", monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for company, and neither sends nor commands wait for it."""
    monkeypatch.setattr(writer, "PATIENCE_S", 60)
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    sweeping = storage.give_up_waiting(endpoint, error="", at_ms=1, limit=1, in_flight=set())
    sweep = asyncio.ensure_future(sweeping)
    await take_turns(1)
    await place.send(storage, endpoint)
    await storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
    assert not sweep.done()
    await storage.close()
    await sweep


async def test_enough_of_what_nobody_waits_for_is_company(
    place: "Place", monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it never grows; all of it goes in one commit."""
    monkeypatch.setattr(writer, "PATIENCE_S", 30.0)
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await place.send(storage, endpoint, writer.COMPANY)
    waiting = await storage.load_queued(endpoint, after_seq=0, limit=writer.COMPANY)
    before = storage.commits
    writes = [
        asyncio.ensure_future(storage.record_attempt(place.result(endpoint, message), urgent=False))
        for message in waiting
    ]
    async with asyncio.timeout(10):
        await asyncio.gather(*writes)
    assert storage.commits == before + 1


async def test_what_nobody_waits_for_is_written_soon(place: "Place") -> None:
    """Without any company."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await place.send(storage, endpoint)
    (message,) = await storage.load_queued(endpoint, after_seq=0, limit=1)
    async with asyncio.timeout(10):
        await storage.record_attempt(place.result(endpoint, message), urgent=False)
    assert await storage.load_queued(endpoint, after_seq=0, limit=1) == []


async def test_closing_commits_all_that_waits(place: "Place") -> None:
    """What nobody waits for, and what is too much for one commit."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await place.send(storage, endpoint)
    (message,) = await storage.load_queued(endpoint, after_seq=0, limit=1)
    recorded = asyncio.ensure_future(
        storage.record_attempt(place.result(endpoint, message), urgent=False)
    )
    many = [asyncio.ensure_future(place.send(storage, endpoint, 600)) for _ in range(3)]
    await asyncio.sleep(0)
    await storage.close()
    async with asyncio.timeout(10):
        await asyncio.gather(recorded, *many)
