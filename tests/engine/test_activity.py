"""The use cases of activity and billing, as a Python program calls them."""

import asyncio
import contextlib
import hashlib
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sluicegate.app import Engine
from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.metrics_windows import MetricsWindow
from sluicegate.engine.model import AttemptResult, NewMessage, RetryType, Verdict
from sluicegate.engine.moments import to_ms
from sluicegate.engine.outcome import Outcome, OutcomeKind, Timings
from sluicegate.engine.settings import Settings
from sluicegate.storage import SecretBox, SqliteStorage

NOW = datetime(2026, 4, 5, 14, 23, 11, tzinfo=UTC)
RETRIED, FAILED = MessageStatus.PENDING_RETRY, MessageStatus.FAILED_PERMANENT
SUCCEEDED = MessageStatus.SUCCEEDED


def stored_rows(path: str) -> int:
    """Return how many rows of counts are stored."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        count: int = db.execute("SELECT count(*) FROM activity").fetchone()[0]
        return count


class WallClock(SystemClock):
    """The machine's clock, but for the time of day, which stands still until it is moved."""

    now = NOW
    jumped = timedelta(0)
    """By how much the wall clock is ahead of the steady one."""

    def wall_ms(self) -> int:
        """Return the moment it stands at, and what it jumped."""
        return to_ms(self.now + self.jumped)

    def steady_ms(self) -> int:
        """Return the moment it stands at."""
        return to_ms(self.now)


class World:
    """An engine with an endpoint that is paused, so that nothing happens by itself."""

    def __init__(self, engine: Engine, storage: SqliteStorage, clock: WallClock) -> None:
        self.engine = engine
        self.storage = storage
        self.clock = clock
        self.endpoint_id = ""
        self.project = ""

    async def endpoint(self, path: str) -> str:
        """Create an endpoint and pause it."""
        created = await self.engine.create_endpoint(f"http://127.0.0.1:9/{path}")
        await self.engine.pause(created.id)
        return created.id

    async def happened(
        self,
        ago: timedelta,
        status: MessageStatus | None = None,
        *,
        latency_ms: float | None = 10,
        endpoint_id: str | None = None,
    ) -> None:
        """Accept a message some time ago; and record an attempt of it, at the same time."""
        at_ms = to_ms(self.clock.now - ago)
        owner = endpoint_id or self.endpoint_id
        message = NewMessage(
            id=self.engine.random.uuid7(),
            project_id=self.project,
            endpoint_id=owner,
            payload=b"1",
            payload_sha256=hashlib.sha256(b"1").digest(),
            accepted_at_ms=at_ms,
        )
        await self.storage.append([message])
        if status is None:
            return
        queued = await self.storage.load_queued(owner, after_seq=0, limit=1000)
        [waiting] = [each for each in queued if each.id == message.id]
        retries = status is RETRIED
        outcome = Outcome(kind=OutcomeKind.TIMEOUT)
        if latency_ms is not None:
            code = 200 if status is SUCCEEDED else 500
            timings = Timings(total_ms=latency_ms)
            outcome = Outcome(kind=OutcomeKind.ANSWERED, status=code, timings=timings)
        await self.storage.record_attempt(
            AttemptResult(
                attempt_id=self.engine.random.uuid7(),
                seq=waiting.seq,
                message_id=message.id,
                endpoint_id=owner,
                attempt_no=1,
                started_at_ms=at_ms,
                finished_at_ms=at_ms,
                accepted_at_ms=at_ms,
                request_headers=(),
                outcome=outcome,
                verdict=Verdict(
                    status=status,
                    next_attempt_at_ms=at_ms if retries else None,
                    retry_type=RetryType.SLOW if retries else None,
                ),
                release_no=0,
            )
        )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The world of a test."""
    settings = Settings(
        database=str(tmp_path / "a.db"), drain_s=0, dev=True, history_days=60, attempts_max=5
    )
    clock = WallClock()
    storage = SqliteStorage(
        settings.database,
        secret_box=SecretBox(bytes(32), random=SystemRandom()),
        clock=clock,
        pending_bytes_max=settings.pending_bytes_max,
    )
    async with Engine(settings, storage=storage, clock=clock) as engine:
        world = World(engine, storage, clock)
        world.project = await storage.default_project() or ""
        world.endpoint_id = await world.endpoint("one")
        yield world


async def test_without_messages_everything_is_nothing(world: World) -> None:
    """And nothing that finished has all succeeded."""
    metrics = await world.engine.get_metrics()
    assert metrics.window is MetricsWindow.DAY
    assert (metrics.total_messages, metrics.succeeded, metrics.failed) == (0, 0, 0)
    assert (metrics.retries, metrics.success_rate, metrics.avg_latency_ms) == (0, 1.0, 0)


async def test_metrics_say_what_happened(world: World) -> None:
    """Retries are neither successes nor failures; who did not answer has no latency."""
    ago = timedelta(minutes=5)
    await world.happened(ago, SUCCEEDED, latency_ms=10)
    await world.happened(ago, SUCCEEDED, latency_ms=21)
    await world.happened(ago, SUCCEEDED, latency_ms=33)
    await world.happened(ago, FAILED, latency_ms=None)
    await world.happened(ago, RETRIED, latency_ms=None)
    await world.happened(ago, RETRIED, latency_ms=None)
    await world.happened(ago)
    metrics = await world.engine.get_metrics("1h")
    assert (metrics.total_messages, metrics.succeeded, metrics.failed) == (7, 3, 1)
    assert (metrics.retries, metrics.success_rate) == (2, 0.75)
    assert metrics.avg_latency_ms == 21  # 64 / 3


@pytest.mark.parametrize(
    ("window", "first", "last", "count"),
    [
        ("1h", "2026-04-05T13:24Z", "2026-04-05T14:23Z", 60),
        ("24h", "2026-04-04T14:30Z", "2026-04-05T14:15Z", 96),
        ("7d", "2026-03-29T15:00Z", "2026-04-05T14:00Z", 168),
        ("30d", "2026-03-06T18:00Z", "2026-04-05T12:00Z", 120),
    ],
)
async def test_a_time_series_has_every_bucket(
    world: World, window: str, first: str, last: str, count: int
) -> None:
    """The oldest first, aligned to the clock, without gaps; the last one is under way."""
    series = await world.engine.get_timeseries(window)
    stamps = [bucket.timestamp for bucket in series.buckets]
    assert series.window == window
    assert stamps[0] == datetime.fromisoformat(first)
    assert stamps[-1] == datetime.fromisoformat(last)
    assert len(stamps) == count
    width = stamps[1] - stamps[0]
    assert stamps == [stamps[0] + number * width for number in range(count)]


@pytest.mark.parametrize("window", MetricsWindow)
@pytest.mark.parametrize("packed", [False, True])
async def test_metrics_are_the_sums_of_the_time_series(
    world: World, window: MetricsWindow, *, packed: bool
) -> None:
    """Whatever the window, before and after the counts were packed."""
    agos = [timedelta(minutes=minutes) for minutes in (0, 3, 59, 61, 200, 1_400, 1_500, 9_999)]
    for number, ago in enumerate([*agos, timedelta(days=29, hours=20), timedelta(days=31)]):
        await world.happened(ago, (SUCCEEDED, FAILED, RETRIED)[number % 3], latency_ms=number)
    while packed and await world.engine.services.activity.pack():
        pass
    metrics = await world.engine.get_metrics(window)
    buckets = (await world.engine.get_timeseries(window)).buckets
    assert metrics.total_messages == sum(bucket.total for bucket in buckets)
    assert metrics.succeeded == sum(bucket.succeeded for bucket in buckets)
    assert metrics.failed == sum(bucket.failed for bucket in buckets)
    assert metrics.retries == sum(bucket.retrying for bucket in buckets)
    expected = {"1h": 3, "24h": 6, "7d": 8, "30d": 9}[window]
    assert metrics.total_messages == expected
    assert buckets[-1].total >= 1
    assert max(bucket.avg_latency_ms for bucket in buckets) == expected - 1


async def test_metrics_may_be_those_of_one_endpoint(world: World) -> None:
    """An unknown one had nothing to do; another project's is an unknown one."""
    second = await world.endpoint("two")
    await world.happened(timedelta(0), SUCCEEDED)
    await world.happened(timedelta(0), FAILED, endpoint_id=second)
    assert (await world.engine.get_metrics(endpoint_id=world.endpoint_id)).succeeded == 1
    assert (await world.engine.get_metrics(endpoint_id=second)).succeeded == 0
    assert (await world.engine.get_metrics(endpoint_id="ep_" + "0" * 32)).total_messages == 0
    series = await world.engine.get_timeseries(endpoint_id=second)
    assert (series.buckets[-1].total, series.buckets[-1].failed) == (1, 1)
    activity = world.engine.services.activity
    foreign = await activity.metrics("proj_" + "9" * 32, endpoint_id=second)
    assert foreign.total_messages == 0


@pytest.mark.parametrize("window", ["", "2h", "24H", "1h ", None, 24, ["1h"], {}])
async def test_a_window_that_does_not_exist_is_refused(world: World, window: Any) -> None:
    """The error names those that do."""
    for call in (world.engine.get_metrics, world.engine.get_timeseries):
        with pytest.raises(InvalidRequestError, match="1h, 24h, 7d, 30d") as caught:
            await call(window)
        assert caught.value.details == {"field": "window", "allowed": ["1h", "24h", "7d", "30d"]}


@pytest.mark.parametrize("endpoint_id", ["", "ep_1", "x", "ep_" + "A" * 32, 7, b"ep_", []])
async def test_a_malformed_endpoint_id_is_refused(world: World, endpoint_id: Any) -> None:
    """As for the log."""
    for call in (world.engine.get_metrics, world.engine.get_timeseries):
        with pytest.raises(InvalidRequestError, match="ep_xxx"):
            await call(endpoint_id=endpoint_id)


async def test_old_counts_are_packed_while_the_engine_runs(world: World) -> None:
    """A piece at a time, until nothing is left to do; what is too old is gone."""
    for minutes in (600, 601, 602):
        await world.happened(timedelta(minutes=minutes))
    await world.happened(timedelta(days=61))
    activity = world.engine.services.activity
    assert await activity.pack()
    assert not await activity.pack()
    assert (await world.engine.get_metrics("24h")).total_messages == 3
    world.clock.now += timedelta(days=61)
    assert await activity.pack()
    assert not await activity.pack()
    assert (await world.engine.get_usage_history()).total == 2


async def test_a_wall_clock_that_jumps_ahead_takes_no_counts_away(world: World) -> None:
    """What is young is neither packed nor deleted, and is there when the clock is right again."""
    for minutes in (1, 2, 3):
        await world.happened(timedelta(minutes=minutes))
    rows = stored_rows(world.engine.settings.database)
    for days in (1, 400):
        world.clock.jumped = timedelta(days=days)
        assert not await world.engine.services.activity.pack()
        assert stored_rows(world.engine.settings.database) == rows
    world.clock.jumped = timedelta(0)
    assert (await world.engine.get_metrics("1h")).total_messages == 3


async def test_an_engine_packs_by_itself(world: World) -> None:
    """It is one of its chores: three minutes of one quarter of an hour become one row each."""
    for minutes in (600, 601, 602):
        await world.happened(timedelta(minutes=minutes))
    async with asyncio.timeout(20):
        while stored_rows(world.engine.settings.database) > 2:
            await world.engine.get_metrics()
    assert (await world.engine.get_metrics("24h")).total_messages == 3


async def test_a_self_hosted_server_bills_nobody(world: World) -> None:
    """The plan is its own, usage is that of the calendar month."""
    await world.happened(timedelta(0))
    await world.happened(timedelta(days=4))
    await world.happened(timedelta(days=5))  # in March
    subscription = await world.engine.get_subscription()
    assert (subscription.plan, subscription.status) == ("self-hosted", "active")
    assert subscription.messages_used == 2
    assert subscription.period_start == datetime(2026, 4, 1, tzinfo=UTC)
    assert subscription.period_end == datetime(2026, 5, 1, tzinfo=UTC)
    assert (subscription.retention_days, subscription.max_retries) == (60, 4)


async def test_the_month_after_december_is_january(world: World) -> None:
    """Of the next year."""
    world.clock.now = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    await world.happened(timedelta(0))
    subscription = await world.engine.get_subscription()
    assert subscription.period_end == datetime(2027, 1, 1, tzinfo=UTC)
    [month] = (await world.engine.get_usage_history()).rows
    assert (month.period_start, month.period_end) == (date(2026, 12, 1), date(2027, 1, 1))
    world.clock.now += timedelta(minutes=1)
    assert (await world.engine.get_subscription()).messages_used == 0


async def test_usage_is_listed_by_month_newest_first(world: World) -> None:
    """With pages by number, as the hosted service has them."""
    for days in (0, 1, 30, 70):
        await world.happened(timedelta(days=days))
    page = await world.engine.get_usage_history(limit=2)
    assert [(month.period_start, month.message_count) for month in page.rows] == [
        (date(2026, 4, 1), 2),
        (date(2026, 3, 1), 1),
    ]
    assert (page.total, page.limit, page.offset, page.has_more) == (3, 2, 0, True)
    page = await world.engine.get_usage_history(limit=2, offset=2)
    assert [month.period_start for month in page.rows] == [date(2026, 1, 1)]
    assert (page.total, page.has_more) == (3, False)
    page = await world.engine.get_usage_history(offset=1_000_000)
    assert (page.rows, page.has_more) == ([], False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("limit", value) for value in (0, -1, 101, True, "12", 1.0, None, 2**70)),
        *(("offset", value) for value in (-1, 1_000_001, False, "0", 0.0, None, 2**70)),
    ],
)
async def test_a_page_out_of_range_is_refused(world: World, field: str, value: Any) -> None:
    """The error names the field and its bounds."""
    with pytest.raises(InvalidRequestError) as caught:
        await world.engine.get_usage_history(**{field: value})
    assert caught.value.details["field"] == field
    assert {"minimum", "maximum"} <= set(caught.value.details)
