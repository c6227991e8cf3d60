"""That the counts are those of the rows: after random lives, after an upgrade, after packing."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import RetryType, Verdict
from sluicegate.engine.moments import from_ms
from sluicegate.engine.operations import ReplayKind
from sluicegate.engine.outcome import Outcome, OutcomeKind, Timings
from sluicegate.storage import SqliteStorage, schema
from sluicegate.storage.activity_audit import Miscount, activity_miscounts

if TYPE_CHECKING:
    from tests.storage.conftest import Place

START_MS = 1_780_000_000_000
NOW = START_MS // 60_000
DAY = 24 * 60


def miscounts(path: Path, *, now_minute: int = NOW, **options: int) -> list[Miscount]:
    """Return what is miscounted in a file, which is opened read-only."""
    with contextlib.closing(
        sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    ) as db:
        return activity_miscounts(db, now_minute=now_minute, **options)


def change(path: Path, *statements: str) -> None:
    """Change a file behind the back of the storage, as only a bug would."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for sql in statements:
            db.execute(sql)


def all_rows(path: Path, table: str) -> list[Any]:
    """Return a table's rows in order."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return sorted(db.execute(f"SELECT * FROM {table}"))  # noqa: S608 - a test's own name


_OUTCOMES = (
    Outcome(kind=OutcomeKind.ANSWERED, status=200, timings=Timings(total_ms=12.4)),
    Outcome(kind=OutcomeKind.ANSWERED, status=299),
    Outcome(kind=OutcomeKind.ANSWERED, status=300, timings=Timings(total_ms=7)),
    Outcome(kind=OutcomeKind.ANSWERED, status=503, timings=Timings(total_ms=999)),
    Outcome(kind=OutcomeKind.TIMEOUT, timings=Timings(total_ms=30_000)),
    Outcome(kind=OutcomeKind.BLOCKED),
)


class Life:
    """What may happen to a database, one step at a time."""

    def __init__(self, place: "Place", storage: SqliteStorage, endpoints: list[str]) -> None:
        self.place = place
        self.storage = storage
        self.endpoints = endpoints
        self.sent: list[list[str]] = [[] for _ in endpoints]

    async def send(self, endpoint: int, count: int) -> None:
        """Accept messages."""
        self.sent[endpoint] += await self.place.send(self.storage, self.endpoints[endpoint], count)

    async def attempt(
        self,
        endpoint: int,
        outcome: Outcome,
        took_ms: int,
        *,
        last: bool,
        times: int,
        meanwhile: str = "",
    ) -> None:
        """Record an attempt of a message that waits, if any does, `times` times at once.

        Its message may be given up or deleted while the attempt is in flight.
        """
        owner = self.endpoints[endpoint]
        waiting = await self.storage.load_retries_due(owner, limit=1)
        waiting += await self.storage.load_queued(owner, after_seq=0, limit=1)
        if not waiting:
            return
        verdict = Verdict(
            status=MessageStatus.PENDING_RETRY, next_attempt_at_ms=1, retry_type=RetryType.SLOW
        )
        if outcome.status in (200, 299):
            verdict = Verdict(status=MessageStatus.SUCCEEDED)
        elif last:
            verdict = Verdict(status=MessageStatus.FAILED_PERMANENT)
        result = self.place.result(
            owner,
            waiting[0],
            outcome=outcome,
            verdict=verdict,
            finished_at_ms=self.place.clock.now_ms + took_ms,
        )
        if meanwhile:
            await getattr(self, meanwhile)(endpoint)
        await asyncio.gather(*(self.storage.record_attempt(result) for _ in range(times)))

    async def give_up(self, endpoint: int) -> None:
        """Give up what waits."""
        await self.storage.give_up_waiting(
            self.endpoints[endpoint], error="e", at_ms=0, limit=2, in_flight=frozenset()
        )

    async def replay(self, endpoint: int) -> None:
        """Begin a new cycle of attempts for what ended, if its payload is there."""
        await self.storage.replay_messages(
            self.endpoints[endpoint],
            self.sent[endpoint][-3:],
            kind=ReplayKind.COUNTED,
            in_flight=frozenset(),
            at_ms=self.place.clock.now_ms,
        )

    async def delete(self, endpoint: int) -> None:
        """Delete messages, whether they wait or have ended."""
        await self.storage.delete_messages(
            self.endpoints[endpoint],
            self.sent[endpoint][-2:],
            deleted_by=None,
            at_ms=self.place.clock.now_ms,
        )

    async def wait(self, minutes: int) -> None:
        """Let time pass; or set the clock back."""
        self.place.clock.now_ms += minutes * 60_000

    async def pack(self) -> None:
        """Do a piece of the chore."""
        now_minute = self.place.clock.now_ms // 60_000
        await self.storage.pack_activity(now_minute=now_minute, history_days=3650, limit=5)

    async def restart(self) -> None:
        """Close the file and open it again."""
        await self.storage.close()
        self.storage = await self.place.opened()


_ENDPOINT = st.integers(0, 1)
_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("send"),
            st.fixed_dictionaries({"endpoint": _ENDPOINT, "count": st.integers(1, 3)}),
        ),
        st.tuples(
            st.just("attempt"),
            st.fixed_dictionaries(
                {
                    "endpoint": _ENDPOINT,
                    "outcome": st.sampled_from(_OUTCOMES),
                    "took_ms": st.integers(-5, 90_000),
                    "last": st.booleans(),
                    "times": st.integers(1, 2),
                    "meanwhile": st.sampled_from(("", "", "give_up", "delete")),
                }
            ),
        ),
        st.tuples(
            st.sampled_from(("give_up", "replay", "delete")),
            st.fixed_dictionaries({"endpoint": _ENDPOINT}),
        ),
        st.tuples(
            st.just("wait"),
            st.fixed_dictionaries({"minutes": st.sampled_from((1, 14, 61, 2000, 12_000, -1))}),
        ),
        st.tuples(st.just("pack"), st.just({})),
        st.tuples(st.just("restart"), st.just({})),
    ),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=_STEPS)
def test_the_counts_are_those_of_the_rows_whatever_happens(
    new_place: "Callable[[], Place]", steps: list[Any]
) -> None:
    """Sends, attempts of every outcome, once or twice recorded; replays, deletes, restarts."""

    async def live() -> None:
        place = new_place()
        try:
            storage = await place.opened()
            life = Life(place, storage, [await place.endpoint(storage) for _ in range(2)])
            newest_ms = START_MS
            for name, arguments in steps:
                await getattr(life, name)(**arguments)
                newest_ms = max(newest_ms, place.clock.now_ms)
            assert miscounts(place.path, now_minute=newest_ms // 60_000) == []
        finally:
            await place.close()

    asyncio.run(live())


async def filled(place: "Place") -> tuple[SqliteStorage, list[str]]:
    """Return a storage in which something happened to two endpoints, over some days."""
    storage = await place.opened()
    life = Life(place, storage, [await place.endpoint(storage) for _ in range(2)])
    for day in range(4):
        for endpoint in (0, 1):
            await life.send(endpoint, 2)
            for outcome in _OUTCOMES[day:]:
                await life.attempt(endpoint, outcome, 70_000, last=day == 2, times=1)
        await life.wait(DAY + 7)
    return storage, life.endpoints


async def test_an_upgrade_counts_what_is_there(place: "Place") -> None:
    """A file of the version before has the same counts afterwards as if they had been taken.

    And packed, as of its newest message; so no window is slow after it.
    """
    storage, endpoints = await filled(place)
    newest_ms = place.clock.now_ms + 9 * DAY * 60_000
    for ago in (0, 119, 121, 240, 1499, 1501, 1560, 11_519, 11_521, 11_880):
        messages = [place.message(endpoints[0], accepted_at_ms=newest_ms - ago * 60_000)]
        await storage.append(messages)
    await storage.append([place.message(endpoints[1], accepted_at_ms=newest_ms)])
    unpacked = len(all_rows(place.path, "activity"))
    while await storage.pack_activity(now_minute=newest_ms // 60_000, history_days=90, limit=500):
        pass
    assert len(all_rows(place.path, "activity")) < unpacked
    await storage.close()
    tables = ("activity", "usage_months")
    counted = [all_rows(place.path, table) for table in tables]
    assert len(counted[0]) > 10
    change(place.path, *(f"DROP TABLE {table}" for table in tables))
    step = next(step for step in schema.migrations() if step[0] == 3)
    with contextlib.closing(sqlite3.connect(place.path, isolation_level=None)) as db:
        newest = db.execute("PRAGMA user_version").fetchone()[0]
        schema.migrate(db, version=2, known=[step])
        db.execute(f"PRAGMA user_version = {newest}")
    assert [all_rows(place.path, table) for table in tables] == counted
    assert miscounts(place.path, now_minute=newest_ms // 60_000) == []


@pytest.mark.parametrize("count", ["accepted", "succeeded", "failed", "retried", "answered"])
async def test_a_wrong_count_is_found(place: "Place", count: str) -> None:
    """Which one, whose, when, and by how much; without a change of the file."""
    storage, endpoints = await filled(place)
    await storage.close()
    change(
        place.path,
        f"UPDATE activity SET {count} = {count} + 2 WHERE minute = "  # noqa: S608
        "(SELECT min(minute) FROM activity) AND endpoint_no = "
        f"(SELECT no FROM endpoints WHERE id = '{endpoints[1]}')",
    )
    before = place.path.read_bytes()
    [found] = miscounts(place.path)
    assert (found.endpoint_id, found.off) == (endpoints[1], {count: -2})
    assert found.project_id == "proj_" + "1" * 32
    assert found.since == from_ms(NOW * 60_000)
    assert place.path.read_bytes() == before


async def test_what_is_not_counted_at_all_is_found(place: "Place") -> None:
    """A message without a row of counts, and a row of counts without a message."""
    storage, _ = await filled(place)
    await storage.close()
    change(place.path, "DELETE FROM activity", "INSERT INTO activity VALUES (9, 7, 0, 5,0,0,0,0,0)")
    found = miscounts(place.path)
    assert (found[0].project_id, found[0].off) == (None, {"accepted": -5})
    assert {"accepted": 2} in [each.off for each in found]
    assert len(miscounts(place.path, limit=3)) == 3


async def test_a_wrong_month_is_found(place: "Place") -> None:
    """By what is counted by the minute, which is compared with the messages."""
    storage, _ = await filled(place)
    await storage.close()
    change(place.path, "UPDATE usage_months SET accepted = accepted - 1")
    found = miscounts(place.path)
    assert found[0].off == {"month_accepted": 1}
    assert found[0].since.day == 1


async def test_what_is_too_old_is_not_compared(place: "Place") -> None:
    """Its messages may be removed already, while its counts are still there."""
    storage, _ = await filled(place)
    await storage.close()
    change(
        place.path,
        "DELETE FROM attempts WHERE seq <= 4",
        "DELETE FROM messages WHERE seq <= 4",
    )
    assert miscounts(place.path) != []
    assert miscounts(place.path, since_minute=NOW + 3) == []


async def test_a_commit_stores_a_row_for_each_minute_and_owner(place: "Place") -> None:
    """Not one for each message: 500 to one endpoint cost two."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await place.send(storage, endpoint, 500)
    assert len(all_rows(place.path, "activity")) == 2


async def test_what_is_packed_is_few_rows(place: "Place") -> None:
    """A day of minutes becomes four rows."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    start = NOW - NOW % DAY
    messages = [
        place.message(endpoint, accepted_at_ms=(start + minute) * 60_000) for minute in range(DAY)
    ]
    for first in range(0, DAY, 480):
        await storage.append(messages[first : first + 480])
    assert len(all_rows(place.path, "activity")) == 2 * DAY
    assert not await storage.pack_activity(now_minute=start, history_days=90, limit=500)
    later = start + 10 * DAY
    while await storage.pack_activity(now_minute=later, history_days=90, limit=500):
        pass
    assert len(all_rows(place.path, "activity")) == 2 * 4
    assert miscounts(place.path, now_minute=later) == []


async def test_packing_with_nothing_to_do_writes_nothing(place: "Place") -> None:
    """It is asked every minute."""
    storage = await place.opened()
    await place.send(storage, await place.endpoint(storage))
    commits = storage.commits
    assert not await storage.pack_activity(now_minute=NOW, history_days=90, limit=500)
    assert storage.commits == commits
