"""What is removed when it has been finished for long enough, and what never is."""

from typing import TYPE_CHECKING

import msgspec
import pytest

from sluicegate.engine.errors import PayloadUnavailableError, RetentionExpiredError, SluicegateError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import Accepted, PauseReason
from sluicegate.engine.operations import Moved, ReplayKind
from sluicegate.engine.ports import LogQuery
from sluicegate.engine.ports.retention_storage import KeptFor, Removed

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench

START_MS = 1_780_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
KEPT_FOR = KeptFor(succeeded_ms=72 * HOUR_MS, failed_ms=720 * HOUR_MS, history_ms=90 * DAY_MS)
NEVER_MS = 2**50
"""Some 35,000 years from now."""

FAILED = MessageStatus.FAILED_PERMANENT
RETRY = MessageStatus.PENDING_RETRY


async def pieces(bench: "Bench", at_ms: int, kept_for: KeptFor = KEPT_FOR) -> list[Removed]:
    """Sweep until nothing more is past its time; return what each piece removed."""
    done = [await bench.storage.remove_expired(kept_for, at_ms=at_ms)]
    while (position := done[-1].position) is not None:
        done.append(await bench.storage.remove_expired(kept_for, at_ms=at_ms, position=position))
    return done


async def swept(bench: "Bench", at_ms: int, kept_for: KeptFor = KEPT_FOR) -> tuple[int, int]:
    """Sweep; return how many payloads and how many messages were removed."""
    done = await pieces(bench, at_ms, kept_for)
    return sum(piece.payloads for piece in done), sum(piece.messages for piece in done)


async def has_payload(bench: "Bench", message_id: str) -> bool:
    """Return whether a message that must be there has its payload."""
    try:
        return await bench.storage.get_payload(bench.project, message_id) is not None
    except RetentionExpiredError:
        return False


async def finished(
    bench: "Bench",
    endpoint: str,
    status: MessageStatus = MessageStatus.SUCCEEDED,
    **more: object,
) -> tuple[str, int]:
    """Send a message and finish it; return its id and when it finished."""
    [sent] = await bench.send(endpoint, 1, **more)
    result = await bench.attempt(endpoint, sent, status)
    return sent, result.finished_at_ms


async def replay(bench: "Bench", endpoint: str, message_id: str) -> list[Moved | SluicegateError]:
    """Begin a new cycle for one message."""
    return await bench.storage.replay_messages(
        endpoint,
        [message_id],
        kind=ReplayKind.COUNTED,
        in_flight=set(),
        at_ms=bench.clock.now_ms,
    )


async def test_a_payload_goes_when_its_time_is_over_and_not_before(bench: "Bench") -> None:
    """To the millisecond; the message and its attempts stay, and it says why it has none."""
    endpoint = await bench.endpoint()
    sent, done_ms = await finished(bench, endpoint)
    before = await bench.get(sent)
    assert await swept(bench, done_ms + 72 * HOUR_MS - 1) == (0, 0)
    assert await has_payload(bench, sent)
    assert await swept(bench, done_ms + 72 * HOUR_MS) == (1, 0)
    with pytest.raises(RetentionExpiredError):
        await bench.storage.get_payload(bench.project, sent)
    assert await bench.get(sent) == before
    attempts, _ = await bench.storage.list_attempts(bench.project, sent, limit=10)
    assert len(attempts) == 1
    assert await swept(bench, done_ms + 73 * HOUR_MS) == (0, 0)


async def test_the_next_removal_is_foreseen(bench: "Bench") -> None:
    """The first of all classes, to the millisecond; nothing of what waits or is not stored yet."""
    assert await bench.storage.next_removal_ms(KEPT_FOR) is None
    endpoint = await bench.endpoint()
    await bench.send(endpoint, 1, retention_hours=0)
    assert await bench.storage.next_removal_ms(KEPT_FOR) is None
    _, failed_ms = await finished(bench, endpoint, FAILED)
    assert await bench.storage.next_removal_ms(KEPT_FOR) == failed_ms + 720 * HOUR_MS
    _, succeeded_ms = await finished(bench, endpoint)
    assert await bench.storage.next_removal_ms(KEPT_FOR) == succeeded_ms + 72 * HOUR_MS
    _, own_ms = await finished(bench, endpoint, retention_hours=5)
    assert await bench.storage.next_removal_ms(KEPT_FOR) == own_ms + 5 * HOUR_MS
    assert await swept(bench, own_ms + 5 * HOUR_MS) == (1, 0)
    assert await bench.storage.next_removal_ms(KEPT_FOR) == succeeded_ms + 72 * HOUR_MS
    assert await swept(bench, failed_ms + 2_000 * HOUR_MS) == (2, 0)
    assert (
        await bench.storage.next_removal_ms(KEPT_FOR)
        == min(failed_ms, succeeded_ms, own_ms) + 90 * DAY_MS
    )


async def test_history_goes_before_a_payloads_own_longer_time_and_is_foreseen(
    bench: "Bench",
) -> None:
    """Nothing outlives the history."""
    endpoint = await bench.endpoint()
    _, done_ms = await finished(bench, endpoint, retention_hours=5_000)
    assert await bench.storage.next_removal_ms(KEPT_FOR) == done_ms + 90 * DAY_MS


@pytest.mark.parametrize("hours", [1, 71, 73, 2_000])
async def test_a_messages_own_time_goes_before_the_setting(bench: "Bench", hours: int) -> None:
    """Shorter or longer."""
    endpoint = await bench.endpoint()
    sent, done_ms = await finished(bench, endpoint, retention_hours=hours)
    await finished(bench, endpoint, retention_hours=hours + 1)
    assert await swept(bench, done_ms + hours * HOUR_MS - 1) == (0, 0)
    assert await swept(bench, done_ms + hours * HOUR_MS) == (1, 0)
    assert not await has_payload(bench, sent)


@pytest.mark.parametrize("hours", [None, 0, 1, 5_000])
async def test_a_failed_message_keeps_its_payload_for_the_setting(
    bench: "Bench", hours: int | None
) -> None:
    """Its own time counts from its delivery, and it was not delivered: it may be replayed."""
    endpoint = await bench.endpoint()
    sent, done_ms = await finished(bench, endpoint, FAILED, retention_hours=hours)
    assert await swept(bench, done_ms + 720 * HOUR_MS - 1) == (0, 0)
    assert await has_payload(bench, sent)
    assert await swept(bench, done_ms + 720 * HOUR_MS) == (1, 0)
    assert not await has_payload(bench, sent)
    assert await bench.counts(endpoint) == {"failed_permanent": 1}


async def test_other_settings_hold_for_what_is_stored_already(bench: "Bench") -> None:
    """No moment of removal is stored."""
    endpoint = await bench.endpoint()
    sent, done_ms = await finished(bench, endpoint)
    longer = msgspec.structs.replace(KEPT_FOR, succeeded_ms=100 * HOUR_MS)
    shorter = msgspec.structs.replace(KEPT_FOR, succeeded_ms=0)
    assert await swept(bench, done_ms + 99 * HOUR_MS, longer) == (0, 0)
    assert await swept(bench, done_ms - 1, shorter) == (0, 0)
    assert await swept(bench, done_ms, shorter) == (1, 0)
    assert not await has_payload(bench, sent)


async def test_what_waits_never_loses_anything(bench: "Bench") -> None:
    """However old: queued, waiting on a retry, held by a pause, in flight."""
    endpoint, held = await bench.endpoint(), await bench.endpoint()
    queued, retried = await bench.send(endpoint, 2, retention_hours=0)
    await bench.attempt(endpoint, retried, RETRY)
    held_queued, held_retried = await bench.send(held, 2)
    await bench.attempt(held, held_retried, RETRY)
    await bench.storage.pause(held, reason=PauseReason.MANUAL, at_ms=1)
    assert await swept(bench, NEVER_MS) == (0, 0)
    for sent in (queued, retried, held_queued, held_retried):
        assert await has_payload(bench, sent)
    assert len(await bench.waiting(endpoint)) == len(await bench.waiting(held)) == 2
    await bench.attempt(endpoint, retried)
    assert not await has_payload(bench, retried)


@pytest.mark.parametrize("status", [MessageStatus.SUCCEEDED, FAILED])
async def test_a_replay_begins_the_time_anew(bench: "Bench", status: MessageStatus) -> None:
    """While it waits again nothing goes; then the time counts from how the new cycle ended."""
    endpoint = await bench.endpoint()
    sent, done_ms = await finished(bench, endpoint, status)
    bench.clock.now_ms += 10 * HOUR_MS
    assert [Moved] == [type(answer) for answer in await replay(bench, endpoint, sent)]
    assert await swept(bench, NEVER_MS) == (0, 0)
    assert await has_payload(bench, sent)
    assert done_ms == START_MS + 30
    await bench.attempt(endpoint, sent)
    assert await swept(bench, done_ms + 82 * HOUR_MS - 1) == (0, 0)
    assert await swept(bench, done_ms + 82 * HOUR_MS) == (1, 0)


async def test_what_has_lost_its_payload_cannot_be_replayed(bench: "Bench") -> None:
    """And says why."""
    endpoint = await bench.endpoint()
    sent, done_ms = await finished(bench, endpoint, FAILED)
    await swept(bench, done_ms + 720 * HOUR_MS)
    [answer] = await replay(bench, endpoint, sent)
    assert isinstance(answer, RetentionExpiredError)


async def test_a_deleted_message_goes_with_the_history(bench: "Bench") -> None:
    """Counted from its deletion; until then its payload was deleted, not expired."""
    endpoint = await bench.endpoint()
    sent, _ = await finished(bench, endpoint, FAILED)
    bench.clock.now_ms += DAY_MS
    at_ms = bench.clock.now_ms
    await bench.storage.delete_messages(endpoint, [sent], deleted_by=None, at_ms=at_ms)
    assert await swept(bench, at_ms + 90 * DAY_MS - 1) == (0, 0)
    with pytest.raises(PayloadUnavailableError) as refused:
        await bench.storage.get_payload(bench.project, sent)
    assert not isinstance(refused.value, RetentionExpiredError)
    assert await bench.counts(endpoint) == {}
    assert await swept(bench, at_ms + 90 * DAY_MS) == (0, 1)
    assert await bench.counts(endpoint) == {}
    assert await bench.logged() == []


async def test_the_history_takes_everything_of_a_message(bench: "Bench") -> None:
    """Row, attempts, payload, from every listing; its neighbours stay, and counts are exact."""
    endpoint = await bench.endpoint()
    sent, done_ms = await finished(bench, endpoint)
    failed, _ = await finished(bench, endpoint, FAILED)
    [waits] = await bench.send(endpoint)
    bench.clock.now_ms += DAY_MS
    young, _ = await finished(bench, endpoint, FAILED)
    assert await swept(bench, done_ms + 90 * DAY_MS - 1) == (3, 0)
    assert await swept(bench, done_ms + 90 * DAY_MS) == (0, 2)
    for gone in (sent, failed):
        assert await bench.storage.get_message(bench.project, gone, in_flight=set()) is None
        assert await bench.storage.get_payload(bench.project, gone) is None
        assert await bench.storage.list_attempts(bench.project, gone, limit=9) == ([], False)
    assert await bench.logged() == [young, waits]
    assert await bench.logged(start_at_ms=0, end_at_ms=NEVER_MS) == [young, waits]
    assert await bench.counts(endpoint) == {"failed_permanent": 1, "queued": 1}
    assert await swept(bench, NEVER_MS) == (0, 1)
    assert await bench.counts(endpoint) == {"queued": 1}
    assert await has_payload(bench, waits)


async def test_no_payload_outlives_its_message(bench: "Bench") -> None:
    """Whatever longer time it was to be kept for: the history takes both at once."""
    endpoint = await bench.endpoint()
    own, done_ms = await finished(bench, endpoint, retention_hours=100_000)
    await finished(bench, endpoint)
    await finished(bench, endpoint, FAILED)
    kept_for = KeptFor(succeeded_ms=NEVER_MS, failed_ms=NEVER_MS, history_ms=DAY_MS)
    assert await swept(bench, done_ms + DAY_MS - 1, kept_for) == (0, 0)
    assert await swept(bench, done_ms + DAY_MS, kept_for) == (0, 3)
    assert await bench.storage.get_payload(bench.project, own) is None


async def test_an_idempotency_key_is_free_again_with_its_message(bench: "Bench") -> None:
    """Not with its payload: that is still known by its hash."""
    endpoint = await bench.endpoint()
    first, done_ms = await finished(bench, endpoint, idempotency_key="order-1")
    await swept(bench, done_ms + 72 * HOUR_MS)
    again = bench.message(endpoint, idempotency_key="order-1")
    [answer] = await bench.storage.append([again])
    assert answer == Accepted(message_id=first, duplicate=True)
    await swept(bench, done_ms + 90 * DAY_MS)
    [answer] = await bench.storage.append([again])
    assert answer == Accepted(message_id=again.id)


async def test_the_messages_of_a_deleted_endpoint_go_too(bench: "Bench") -> None:
    """By the moment when they were given up."""
    endpoint = await bench.endpoint()
    sent = await bench.send(endpoint, 3)
    await bench.storage.delete_endpoint(endpoint, at_ms=bench.clock.now_ms)
    await bench.storage.give_up_waiting(
        endpoint, error="endpoint deleted", at_ms=bench.clock.now_ms, limit=9, in_flight=set()
    )
    assert await swept(bench, bench.clock.now_ms + 720 * HOUR_MS) == (3, 0)
    assert await bench.logged() == sent[::-1]
    assert await swept(bench, bench.clock.now_ms + 90 * DAY_MS) == (0, 3)
    assert await bench.logged() == []


async def test_a_piece_is_small(bench: "Bench") -> None:
    """At most 100 messages."""
    endpoint = await bench.endpoint()
    for _ in range(250):
        _, done_ms = await finished(bench, endpoint)
    done = await pieces(bench, done_ms + 72 * HOUR_MS)
    assert [piece.payloads for piece in done] == [100, 100, 50, 0]
    done = await pieces(bench, NEVER_MS)
    assert [piece.messages for piece in done] == [100, 100, 50, 0]


@pytest.mark.parametrize("history_ms", [0, NEVER_MS])
async def test_a_piece_removes_few_large_payloads(bench: "Bench", history_ms: int) -> None:
    """About 4 MiB, with their messages or without; but always one, however large."""
    endpoint = await bench.endpoint()
    large = b'"' + b"x" * (3 << 19) + b'"'
    for payload in [large] * 5 + [large * 4]:
        await finished(bench, endpoint, payload=payload)
    kept_for = msgspec.structs.replace(KEPT_FOR, history_ms=history_ms)
    done = await pieces(bench, NEVER_MS - 1, kept_for)
    assert [piece.payloads + piece.messages for piece in done] == [2, 2, 1, 1, 0]
    assert [piece.size_bytes // len(large) for piece in done] == [2, 2, 1, 4, 0]


async def test_a_message_with_very_many_attempts_goes_in_pieces(bench: "Bench") -> None:
    """So do messages with many attempts together."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    for _ in range(620):
        await bench.attempt(endpoint, sent, RETRY)
    result = await bench.attempt(endpoint, sent)
    await finished(bench, endpoint)
    done = await pieces(bench, result.finished_at_ms + 90 * DAY_MS)
    assert [(piece.messages, piece.attempts) for piece in done] == [(0, 500), (2, 122), (0, 0)]
    assert await bench.storage.list_attempts(bench.project, sent, limit=9) == ([], False)


async def test_a_walk_through_the_log_goes_on_while_messages_go(bench: "Bench") -> None:
    """It skips what is gone, and nothing else."""
    endpoint = await bench.endpoint()
    sent = []
    for number in range(30):
        bench.clock.now_ms += HOUR_MS if number % 10 == 0 else 0
        sent.append((await finished(bench, endpoint))[0])
    query = LogQuery(project_id=bench.project, limit=7)
    seen: list[str] = []
    position: int | None = None
    while True:
        page, position = await bench.storage.list_logs(
            msgspec.structs.replace(query, before_seq=position), in_flight=set()
        )
        seen += [entry.message_id for entry in page]
        if position is None:
            break
        await swept(bench, bench.clock.now_ms + 90 * DAY_MS - HOUR_MS + 30)
    assert seen == sent[:19:-1]
