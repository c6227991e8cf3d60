"""Counting what is accepted and attempted, by time."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.errors import NotFoundError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.metrics_windows import GRIDS, MINUTE_MS, MetricsWindow
from sluicegate.engine.model import Accepted
from sluicegate.engine.operations import ReplayKind
from sluicegate.engine.outcome import Outcome, OutcomeKind, Timings
from sluicegate.engine.ports import ActivityCounts, UsageMonth

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench

START_MS = 1_780_000_000_000
NOW = START_MS // MINUTE_MS
HOUR, DAY = 60, 24 * 60
RETRIED = MessageStatus.PENDING_RETRY
FAILED = MessageStatus.FAILED_PERMANENT


async def by_minute(
    bench: "Bench", endpoint_id: str | None = None, *, project: str | None = None
) -> dict[int, ActivityCounts]:
    """Return the counts of the hour before and after the start, by minutes after it."""
    counts = await bench.storage.activity(
        project or bench.project,
        endpoint_id,
        first_minute=NOW - HOUR,
        width_minutes=1,
        count=2 * HOUR,
    )
    return {bucket - HOUR: each for bucket, each in counts.items()}


async def by_window(bench: "Bench", window: MetricsWindow) -> dict[int, ActivityCounts]:
    """Return the buckets of a window that ends now."""
    grid = GRIDS[window]
    now_minute = bench.clock.now_ms // MINUTE_MS
    return await bench.storage.activity(
        bench.project,
        None,
        first_minute=grid.first_minute(now_minute),
        width_minutes=grid.width_minutes,
        count=grid.count,
    )


async def test_a_message_counts_in_the_minute_in_which_it_was_accepted(bench: "Bench") -> None:
    """For its endpoint and for its project, and for nobody else."""
    first, second = await bench.endpoint(), await bench.endpoint()
    other = "proj_" + "2" * 32
    await bench.storage.create_project(other, "other", created_at_ms=START_MS)
    await bench.send(first, 3)
    await bench.send(second, 2, accepted_at_ms=START_MS + 2 * MINUTE_MS)
    assert await by_minute(bench, first) == {0: ActivityCounts(accepted=3)}
    assert await by_minute(bench, second) == {2: ActivityCounts(accepted=2)}
    assert await by_minute(bench) == {0: ActivityCounts(accepted=3), 2: ActivityCounts(accepted=2)}
    assert await by_minute(bench, first, project=other) == {}
    assert await by_minute(bench, project=other) == {}
    assert await by_minute(bench, "ep_" + "0" * 32) == {}
    assert await by_minute(bench, project="proj_" + "3" * 32) == {}


async def test_messages_of_one_commit_count_each_in_its_own_place(bench: "Bench") -> None:
    """Many endpoints and minutes in one batch, as many as are stored together and some more."""
    endpoints = [await bench.endpoint() for _ in range(123)]
    messages = [
        bench.message(endpoint, accepted_at_ms=START_MS + number % 2 * MINUTE_MS)
        for number, endpoint in enumerate(endpoints)
        for _ in range(number % 3 + 1)
    ]
    await bench.storage.append(messages)
    for number, endpoint in enumerate(endpoints):
        counts = ActivityCounts(accepted=number % 3 + 1)
        assert await by_minute(bench, endpoint) == {number % 2: counts}
    whole = await by_minute(bench)
    assert sum(each.accepted for each in whole.values()) == len(messages) == 246


async def test_what_is_not_accepted_does_not_count(bench: "Bench") -> None:
    """A repeated send is the same message; a refused one is none."""
    endpoint = await bench.endpoint()
    once = bench.message(endpoint, idempotency_key="k")
    again = bench.message(endpoint, idempotency_key="k")
    refused = bench.message(endpoint, b"[]", idempotency_key="k")
    unknown = bench.message("ep_" + "0" * 32)
    await bench.storage.append([once, again, refused, unknown])
    await bench.storage.append([again])
    assert await by_minute(bench) == {0: ActivityCounts(accepted=1)}


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        (MessageStatus.SUCCEEDED, ActivityCounts(succeeded=1, answered=1, latency_ms=20)),
        (FAILED, ActivityCounts(failed=1, answered=1, latency_ms=20)),
        (RETRIED, ActivityCounts(retried=1, answered=1, latency_ms=20)),
    ],
)
async def test_an_attempt_counts_by_its_verdict_in_the_minute_in_which_it_ended(
    bench: "Bench", status: MessageStatus, counted: ActivityCounts
) -> None:
    """Not in the one in which it began, or in which its message was accepted."""
    endpoint, idle = await bench.endpoint(), await bench.endpoint()
    [sent] = await bench.send(endpoint)
    ended_at_ms = START_MS + 5 * MINUTE_MS
    await bench.attempt(endpoint, sent, status, finished_at_ms=ended_at_ms)
    expected = {0: ActivityCounts(accepted=1), 5: counted}
    assert await by_minute(bench, endpoint) == await by_minute(bench) == expected
    assert await by_minute(bench, idle) == {}


async def test_an_attempt_without_an_answer_has_no_latency(bench: "Bench") -> None:
    """How long a receiver kept silent says nothing of how fast it answers."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    outcome = Outcome(kind=OutcomeKind.TIMEOUT, error="timed out", timings=Timings(total_ms=30_000))
    await bench.attempt(endpoint, sent, RETRIED, outcome=outcome)
    assert await by_minute(bench) == {0: ActivityCounts(accepted=1, retried=1)}


async def test_an_attempt_that_ended_before_it_began_counts_when_it_began(bench: "Bench") -> None:
    """The wall clock was set back meanwhile; the attempt is stored as one that took no time."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    began_at_ms = START_MS + 3 * MINUTE_MS
    await bench.attempt(endpoint, sent, started_at_ms=began_at_ms, finished_at_ms=START_MS)
    assert (await by_minute(bench))[3].succeeded == 1


async def test_an_attempt_counts_once_however_often_it_is_recorded(bench: "Bench") -> None:
    """Whoever is not sure that a write was stored may repeat it; also in one commit."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    result = await bench.attempt(endpoint, sent, RETRIED)
    await bench.storage.record_attempt(result)
    await asyncio.gather(*(bench.storage.record_attempt(result) for _ in range(3)))
    assert (await by_minute(bench))[0].retried == 1
    await bench.reopen()
    await bench.storage.record_attempt(result)
    assert (await by_minute(bench, endpoint))[0] == ActivityCounts(
        accepted=1, retried=1, answered=1, latency_ms=20
    )


async def test_attempts_of_nothing_do_not_count(bench: "Bench") -> None:
    """What is refused changes no count."""
    endpoint = await bench.endpoint()
    await bench.send(endpoint)
    [message] = await bench.waiting(endpoint)
    with pytest.raises(NotFoundError):
        await bench.storage.record_attempt(bench.result(endpoint, message, seq=message.seq + 1))
    assert await by_minute(bench) == {0: ActivityCounts(accepted=1)}


async def test_an_attempt_of_a_message_that_was_given_up_counts_by_its_outcome(
    bench: "Bench",
) -> None:
    """It was in flight; giving up itself is no attempt."""
    endpoint = await bench.endpoint()
    await bench.send(endpoint)
    [message] = await bench.waiting(endpoint)
    await bench.storage.give_up_waiting(
        endpoint, error="endpoint deleted", at_ms=START_MS, limit=10, in_flight=frozenset()
    )
    assert await by_minute(bench) == {0: ActivityCounts(accepted=1)}
    await bench.storage.record_attempt(bench.result(endpoint, message))
    assert (await by_minute(bench))[0].succeeded == 1


async def test_an_attempt_of_a_message_that_was_deleted_meanwhile_is_its_last(
    bench: "Bench",
) -> None:
    """Whatever retry was decided: there is none, so it failed. Delivered all the same it counts."""
    endpoint = await bench.endpoint()
    sent = await bench.send(endpoint, 2)
    first, second = await bench.waiting(endpoint)
    await bench.storage.delete_messages(endpoint, sent, deleted_by=None, at_ms=START_MS)
    await bench.storage.record_attempt(bench.result(endpoint, first, RETRIED))
    counts = (await by_minute(bench))[0]
    assert (counts.failed, counts.retried, counts.succeeded) == (1, 0, 0)
    await bench.storage.record_attempt(bench.result(endpoint, second))
    assert (await by_minute(bench))[0].succeeded == 1


async def test_a_replay_is_no_other_message(bench: "Bench") -> None:
    """Its attempts count, its acceptance does not count again."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    await bench.attempt(endpoint, sent)
    await bench.storage.replay_messages(
        endpoint, [sent], kind=ReplayKind.COUNTED, in_flight=frozenset(), at_ms=START_MS
    )
    await bench.attempt(endpoint, sent)
    counts = (await by_minute(bench))[0]
    assert (counts.accepted, counts.succeeded) == (1, 2)


async def test_counts_outlive_their_endpoint(bench: "Bench") -> None:
    """What happened has happened."""
    endpoint = await bench.endpoint()
    await bench.send(endpoint)
    await bench.storage.delete_endpoint(endpoint, at_ms=START_MS)
    expected = {0: ActivityCounts(accepted=1)}
    assert await by_minute(bench, endpoint) == await by_minute(bench) == expected


async def test_a_bucket_holds_its_minutes_and_no_others(bench: "Bench") -> None:
    """The first one of each is in, the last one too, the next one is not."""
    endpoint = await bench.endpoint()
    first = NOW - NOW % 15
    for minute in (first - 1, first, first + 14, first + 15, first + 30):
        await bench.send(endpoint, accepted_at_ms=minute * MINUTE_MS + 59_999)
    counts = await bench.storage.activity(
        bench.project, endpoint, first_minute=first, width_minutes=15, count=2
    )
    assert {bucket: each.accepted for bucket, each in counts.items()} == {0: 2, 1: 1}


async def pack(bench: "Bench", *, limit: int = 7, history_days: int = 90) -> int:
    """Pack all that is to be packed now; return in how many pieces."""
    pieces = 0
    while await bench.storage.pack_activity(
        now_minute=bench.clock.now_ms // MINUTE_MS, history_days=history_days, limit=limit
    ):
        pieces += 1
        assert pieces < 10_000, "it does not come to an end"
    return pieces


async def test_packing_changes_no_window(bench: "Bench") -> None:
    """Whenever it is done: at every age of what was counted, for the project and an endpoint."""
    endpoints = [await bench.endpoint() for _ in range(3)]
    for number, back in enumerate((0, 1, 59, 60, 61, 119, 120, 200, 1440, 1500, 1501, 9_000)):
        moment = START_MS - back * MINUTE_MS
        await bench.send(endpoints[number % 3], number + 1, accepted_at_ms=moment)
    for later in (0, 1, 7, 60, 61, DAY, DAY + 77, 8 * DAY, 22 * DAY):
        bench.clock.now_ms = START_MS + later * MINUTE_MS
        before = [await by_window(bench, window) for window in MetricsWindow]
        assert before[-1]
        await pack(bench)
        assert [await by_window(bench, window) for window in MetricsWindow] == before
        assert await pack(bench) == 0


async def test_packing_is_done_in_pieces_of_a_bounded_size(bench: "Bench") -> None:
    """A message that comes meanwhile waits for one piece, not for all of it."""
    endpoint = await bench.endpoint()
    for minute in range(30):
        await bench.send(endpoint, accepted_at_ms=START_MS + minute * MINUTE_MS)
    bench.clock.now_ms = START_MS + 20 * DAY * MINUTE_MS
    # A row of the endpoint and one of the project for each minute, but for the first of a stretch.
    assert 58 // 4 <= await pack(bench, limit=4) <= 60 // 4 + 1
    counts = await by_window(bench, MetricsWindow.MONTH)
    assert sum(each.accepted for each in counts.values()) == 30


async def test_packing_twice_at_once_counts_nothing_twice(bench: "Bench") -> None:
    """Both found the same rows; the second finds them gone."""
    endpoint = await bench.endpoint()
    for minute in range(20):
        await bench.send(endpoint, accepted_at_ms=START_MS + minute * MINUTE_MS)
    bench.clock.now_ms = START_MS + DAY * MINUTE_MS
    await asyncio.gather(*(pack(bench, limit=100) for _ in range(4)))
    counts = await by_window(bench, MetricsWindow.WEEK)
    assert [each.accepted for each in counts.values()] == [20]


async def test_what_is_counted_late_is_packed_too(bench: "Bench") -> None:
    """A clock that was set back, or an attempt recorded long after it ended."""
    endpoint = await bench.endpoint()
    await bench.send(endpoint, accepted_at_ms=START_MS + MINUTE_MS)
    bench.clock.now_ms = START_MS + 3 * DAY * MINUTE_MS
    await pack(bench)
    await bench.send(endpoint, 2, accepted_at_ms=START_MS + 2 * MINUTE_MS)
    await pack(bench)
    counts = await by_window(bench, MetricsWindow.WEEK)
    assert [each.accepted for each in counts.values()] == [3]


async def test_counts_older_than_the_history_are_deleted(bench: "Bench") -> None:
    """Not a day before, and the months' totals stay."""
    endpoint = await bench.endpoint()
    await bench.send(endpoint)
    bench.clock.now_ms = START_MS + 9 * DAY * MINUTE_MS
    await pack(bench, history_days=9)
    assert await by_window(bench, MetricsWindow.MONTH)
    bench.clock.now_ms += DAY * MINUTE_MS
    await pack(bench, history_days=9)
    assert await by_window(bench, MetricsWindow.MONTH) == {}
    assert (await bench.storage.usage_months(bench.project, limit=1, offset=0))[1] == 1


async def test_months_are_those_of_the_calendar_in_utc(bench: "Bench") -> None:
    """A message of the last millisecond of a month is that month's."""
    endpoint = await bench.endpoint()
    february_ms = 1_769_904_000_000  # 2026-02-01T00:00Z
    await bench.send(endpoint, 2, accepted_at_ms=february_ms - 1)
    await bench.send(endpoint, 3, accepted_at_ms=february_ms)
    one, two = UsageMonth("2026-01", 2), UsageMonth("2026-02", 3)
    months = bench.storage.usage_months
    assert await months(bench.project, limit=10, offset=0) == ([two, one], 2)
    assert await months(bench.project, limit=1, offset=0) == ([two], 2)
    assert await months(bench.project, limit=1, offset=1) == ([one], 2)
    assert await months(bench.project, limit=1, offset=2) == ([], 2)
    assert await months("proj_" + "9" * 32, limit=1, offset=0) == ([], 0)
    assert await bench.storage.month_usage(bench.project, "2026-02") == 3
    assert await bench.storage.month_usage(bench.project, "2026-03") == 0
    assert await bench.storage.month_usage("proj_" + "9" * 32, "2026-02") == 0


async def test_counts_survive_a_restart(bench: "Bench") -> None:
    """They are stored with what they count, and go on from there."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    await bench.reopen()
    assert await bench.storage.append([bench.message(endpoint)]) != [Accepted(message_id=sent)]
    assert await by_minute(bench, endpoint) == {0: ActivityCounts(accepted=2)}
