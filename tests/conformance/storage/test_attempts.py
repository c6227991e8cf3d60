"""Recording attempts and what follows from them."""

from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.errors import NotFoundError, RetentionExpiredError, SluicegateError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import Health, PauseReason, RetryType, Verdict
from sluicegate.engine.moments import from_ms
from sluicegate.engine.outcome import Outcome, OutcomeKind, Timings

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench


async def test_a_delivered_message_says_so(bench: "Bench") -> None:
    """Status, moments and latency are those of the attempt."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    result = await bench.attempt(endpoint, sent)
    message = await bench.get(sent)
    assert message.status is MessageStatus.SUCCEEDED
    assert (message.attempt_count, message.response_status) == (1, 200)
    assert message.response_latency_ms == 20
    assert message.delivered_at == message.updated_at == from_ms(result.finished_at_ms)
    assert (message.queue_wait_ms, message.total_delivery_ms) == (10, 30)
    assert (message.next_attempt_at, message.last_error) == (None, None)
    assert await bench.waiting(endpoint) == []
    assert await bench.storage.get_payload(bench.project, sent) == b'{"n":1}'


async def test_a_retry_is_scheduled_and_counted(bench: "Bench") -> None:
    """Fast retries are counted apart, and a wait on another release is noted."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    await bench.attempt(endpoint, sent, MessageStatus.PENDING_RETRY)
    verdict = Verdict(
        status=MessageStatus.PENDING_RETRY,
        next_attempt_at_ms=bench.clock.now_ms + 5,
        retry_type=RetryType.FAST,
        retry_after_s=7,
        last_error="HTTP 429",
    )
    await bench.attempt(endpoint, sent, verdict=verdict, release_no=3)
    [waiting] = await bench.waiting(endpoint)
    assert waiting.status is MessageStatus.PENDING_RETRY
    assert waiting.next_attempt_at_ms == bench.clock.now_ms + 5
    assert waiting.release_no == 3
    assert (waiting.attempt_count, waiting.cycle_attempts, waiting.fast_retries) == (2, 2, 1)
    message = await bench.get(sent)
    assert message.status is MessageStatus.PENDING_RETRY
    assert message.next_attempt_at == from_ms(bench.clock.now_ms + 5)
    assert message.last_error == "HTTP 429"
    assert (await bench.get(sent, sent)).next_attempt_at is None


async def test_an_attempt_is_listed_as_it_was(bench: "Bench") -> None:
    """Every field; undecodable bytes of the response are replaced."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    outcome = Outcome(
        kind=OutcomeKind.ANSWERED,
        status=503,
        error="HTTP 503",
        headers=(("Content-Type", "text/plain"), ("Set-Cookie", "a"), ("Set-Cookie", "b")),
        body=b"caf\xe9",
        body_truncated=True,
        resolved_ip="2001:db8::1",
        timings=Timings(
            dns_ms=1.25,
            tcp_connect_ms=2.5,
            tls_handshake_ms=3.125,
            ttfb_ms=4,
            transfer_ms=5.0625,
            total_ms=15.9,
            conn_reused=True,
        ),
    )
    verdict = Verdict(
        status=MessageStatus.PENDING_RETRY,
        next_attempt_at_ms=1,
        retry_type=RetryType.SLOW,
        retry_after_s=120,
        last_error="HTTP 503",
    )
    result = await bench.attempt(endpoint, sent, outcome=outcome, verdict=verdict)
    [attempt], more = await bench.storage.list_attempts(bench.project, sent, limit=1)
    assert not more
    assert (attempt.id, attempt.attempt_no) == (result.attempt_id, 1)
    assert attempt.created_at == from_ms(result.started_at_ms)
    assert (attempt.response_status, attempt.response_latency_ms) == (503, 16)
    assert (attempt.processing_ms, attempt.error_text) == (20, "HTTP 503")
    assert attempt.response_headers == {"Content-Type": "text/plain", "Set-Cookie": "a, b"}
    assert attempt.request_headers == {"Content-Type": "application/json"}
    assert (attempt.retry_type, attempt.retry_after_seconds) == (RetryType.SLOW, 120)
    assert attempt.resolved_ip == "2001:db8::1"
    assert (attempt.dns_ms, attempt.tcp_connect_ms) == (1.25, 2.5)
    assert (attempt.tls_handshake_ms, attempt.ttfb_ms) == (3.125, 4.0)
    # Microseconds are kept.
    assert attempt.transfer_ms == pytest.approx(5.0625, abs=0.001)
    assert attempt.conn_reused
    assert (attempt.response_body, attempt.response_body_truncated) == ("caf\ufffd", True)


async def test_an_attempt_without_an_answer_has_no_response(bench: "Bench") -> None:
    """Neither status, latency, headers nor body."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    outcome = Outcome(kind=OutcomeKind.TIMEOUT, error="timed out", timings=Timings(total_ms=30_000))
    await bench.attempt(endpoint, sent, MessageStatus.FAILED_PERMANENT, outcome=outcome)
    [attempt], _ = await bench.storage.list_attempts(bench.project, sent, limit=1)
    assert (attempt.response_status, attempt.response_latency_ms) == (None, None)
    assert (attempt.response_headers, attempt.response_body) == (None, None)
    assert attempt.error_text == "timed out"
    message = await bench.get(sent)
    assert (message.response_status, message.response_latency_ms) == (None, None)


async def test_attempts_are_listed_oldest_first_up_to_a_limit(bench: "Bench") -> None:
    """And it is said whether there are more."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    for _ in range(3):
        await bench.attempt(endpoint, sent, MessageStatus.PENDING_RETRY)
    listed, more = await bench.storage.list_attempts(bench.project, sent, limit=2)
    assert ([attempt.attempt_no for attempt in listed], more) == ([1, 2], True)
    listed, more = await bench.storage.list_attempts(bench.project, sent, limit=3)
    assert ([attempt.attempt_no for attempt in listed], more) == ([1, 2, 3], False)


async def test_recording_the_same_attempt_again_changes_nothing(bench: "Bench") -> None:
    """Whoever is not sure that a write was stored may repeat it."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    result = await bench.attempt(endpoint, sent, MessageStatus.PENDING_RETRY)
    before = await bench.get(sent), await bench.counts(endpoint)
    await bench.storage.record_attempt(result)
    assert (await bench.get(sent), await bench.counts(endpoint)) == before


async def test_two_attempts_of_one_number_are_refused(bench: "Bench") -> None:
    """The second would hide the first."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    await bench.attempt(endpoint, sent, MessageStatus.PENDING_RETRY)
    with pytest.raises(SluicegateError, match="attempt number 1"):
        await bench.attempt(endpoint, sent, attempt_no=1)
    assert (await bench.get(sent)).status is MessageStatus.PENDING_RETRY


async def test_an_attempt_of_no_message_is_refused(bench: "Bench") -> None:
    """It has no row to move on."""
    endpoint = await bench.endpoint()
    await bench.send(endpoint)
    [message] = await bench.waiting(endpoint)
    with pytest.raises(NotFoundError):
        await bench.storage.record_attempt(bench.result(endpoint, message, seq=999))


async def test_a_payload_without_retention_goes_with_its_delivery(bench: "Bench") -> None:
    """`retention_hours` 0: removed in the same commit, but only once delivered."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint, retention_hours=0)
    await bench.attempt(endpoint, sent, MessageStatus.PENDING_RETRY)
    assert await bench.storage.get_payload(bench.project, sent) == b'{"n":1}'
    result = await bench.attempt(endpoint, sent)
    with pytest.raises(RetentionExpiredError):
        await bench.storage.get_payload(bench.project, sent)
    assert await bench.storage.get_payload_by_seq(result.seq) is None


async def test_a_message_that_was_given_up_keeps_its_status(bench: "Bench") -> None:
    """The attempt that was in flight is listed all the same."""
    endpoint = await bench.endpoint()
    [sent] = await bench.send(endpoint)
    [waiting] = await bench.waiting(endpoint)
    await bench.storage.give_up_waiting(
        endpoint, error="canceled", at_ms=9, limit=10, in_flight=set()
    )
    await bench.storage.record_attempt(bench.result(endpoint, waiting))
    message = await bench.get(sent)
    assert message.status is MessageStatus.FAILED_PERMANENT
    assert (message.last_error, message.attempt_count) == ("canceled", 1)
    attempts, _ = await bench.storage.list_attempts(bench.project, sent, limit=10)
    assert len(attempts) == 1
    assert await bench.counts(endpoint) == {"failed_permanent": 1}


async def test_health_and_pause_are_stored_with_the_attempt(bench: "Bench") -> None:
    """Health only when it changed; a pause only where there is none."""
    endpoint = await bench.endpoint()
    first, second, third = await bench.send(endpoint, 3)
    health = Health(consecutive_failures=4, failing_since_ms=77)
    await bench.attempt(endpoint, first, MessageStatus.PENDING_RETRY, health=health)
    await bench.attempt(endpoint, second, MessageStatus.FAILED_PERMANENT, pause=PauseReason.GONE)
    state = await bench.storage.load_state(endpoint)
    assert state is not None
    assert (state.health, state.pause_reason) == (health, PauseReason.GONE)
    bench.clock.now_ms += 50
    await bench.attempt(endpoint, third, MessageStatus.PENDING_RETRY, pause=PauseReason.FAILING)
    state = await bench.storage.load_state(endpoint)
    assert state is not None
    assert state.pause_reason is PauseReason.GONE
