"""What follows from an outcome, as section 7 of the contract has it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.engine.decision import (
    ENDPOINT_DELETED,
    MESSAGE_DELETED,
    OutcomeClass,
    classify,
    decide,
    pause_reason,
)
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import PauseReason, RetryType, Verdict
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.schedule import RetrySchedule
from sluicegate.engine.settings import Settings

SCHEDULE = RetrySchedule.from_settings(Settings())
NOW_MS = 1_000_000
WALL_MS = 1_775_398_991_000  # Sun, 05 Apr 2026 14:23:11 GMT
# What is no final status (RFC 9110 §15) means nothing, and least of all that it means it.
RETRYABLE_STATUSES = [408, 425, 429, *range(500, 600), 0, *range(100, 200), 600, 999]
PERMANENT_STATUSES = [status for status in range(300, 500) if status not in RETRYABLE_STATUSES]
FAILED_KINDS = [
    OutcomeKind.TIMEOUT,
    OutcomeKind.DNS_ERROR,
    OutcomeKind.CONNECTION_ERROR,
    OutcomeKind.TLS_ERROR,
    OutcomeKind.BLOCKED,
]


def answered(status: int, *, retry_after: str | None = None) -> Outcome:
    """Return the outcome of an attempt that was answered."""
    error = None if 200 <= status < 300 else f"HTTP {status}"
    return Outcome(kind=OutcomeKind.ANSWERED, status=status, error=error, retry_after=retry_after)


def failed(kind: OutcomeKind) -> Outcome:
    """Return the outcome of an attempt that was not answered."""
    return Outcome(kind=kind, error=f"it was {kind}")


RETRYABLE = st.sampled_from(RETRYABLE_STATUSES).map(answered) | st.sampled_from(FAILED_KINDS).map(
    failed
)
PERMANENT = st.sampled_from(PERMANENT_STATUSES).map(answered)
SUCCESS = st.integers(200, 299).map(answered)


def verdict_of(
    outcome: Outcome,
    *,
    cycle_attempts: int = 1,
    fast_retries: int = 0,
    circuit_open: bool = False,
    withdrawn: str | None = None,
) -> Verdict:
    """Decide by the default schedule, without jitter."""
    return decide(
        outcome,
        schedule=SCHEDULE,
        cycle_attempts=cycle_attempts,
        fast_retries=fast_retries,
        now_ms=NOW_MS,
        wall_ms=WALL_MS,
        chance=0,
        circuit_open=circuit_open,
        withdrawn=withdrawn,
    )


WITHDRAWN = st.sampled_from((None, ENDPOINT_DELETED, MESSAGE_DELETED))


def walk(outcomes: list[Outcome]) -> list[tuple[RetryType | None, int]]:
    """Return each retry's type and delay in seconds, as a message meets them in one cycle."""
    steps: list[tuple[RetryType | None, int]] = []
    fast_retries = 0
    for no, outcome in enumerate(outcomes, 1):
        verdict = verdict_of(outcome, cycle_attempts=no, fast_retries=fast_retries)
        fast_retries += verdict.retry_type is RetryType.FAST
        assert verdict.next_attempt_at_ms is not None
        steps.append((verdict.retry_type, (verdict.next_attempt_at_ms - NOW_MS) // 1000))
    return steps


@given(outcome=SUCCESS, withdrawn=WITHDRAWN, cycle_attempts=st.integers(1, 20))
def test_any_2xx_is_success(
    outcome: Outcome, *, withdrawn: str | None, cycle_attempts: int
) -> None:
    """Also on the last attempt of a cycle, and on an endpoint that was deleted meanwhile."""
    verdict = verdict_of(outcome, withdrawn=withdrawn, cycle_attempts=cycle_attempts)
    assert verdict == Verdict(status=MessageStatus.SUCCEEDED)


@given(outcome=PERMANENT, withdrawn=WITHDRAWN, cycle_attempts=st.integers(1, 20))
def test_any_other_answer_is_permanent(
    outcome: Outcome, *, withdrawn: str | None, cycle_attempts: int
) -> None:
    """3xx are never followed, 4xx never repeated; the error is the answer's."""
    verdict = verdict_of(outcome, withdrawn=withdrawn, cycle_attempts=cycle_attempts)
    assert verdict == Verdict(
        status=MessageStatus.FAILED_PERMANENT, last_error=f"HTTP {outcome.status}"
    )


@given(outcome=RETRYABLE, cycle_attempts=st.integers(1, 7))
def test_what_may_go_otherwise_is_repeated(outcome: Outcome, cycle_attempts: int) -> None:
    """Before the last attempt of its cycle each retryable failure schedules the next."""
    verdict = verdict_of(outcome, cycle_attempts=cycle_attempts)
    assert verdict.status is MessageStatus.PENDING_RETRY
    assert verdict.last_error == outcome.error
    assert verdict.next_attempt_at_ms is not None
    assert verdict.next_attempt_at_ms > NOW_MS
    fast = outcome.status == 429
    assert verdict.retry_type is (RetryType.FAST if fast else RetryType.SLOW)


@given(outcome=RETRYABLE, cycle_attempts=st.integers(8, 100))
def test_the_last_attempt_of_a_cycle_is_not_repeated(outcome: Outcome, cycle_attempts: int) -> None:
    """Eight attempts, then the message is dead."""
    verdict = verdict_of(outcome, cycle_attempts=cycle_attempts)
    assert verdict == Verdict(status=MessageStatus.FAILED_PERMANENT, last_error=outcome.error)


@given(outcome=RETRYABLE, cycle_attempts=st.integers(1, 20))
def test_nothing_is_repeated_on_a_deleted_endpoint(outcome: Outcome, cycle_attempts: int) -> None:
    """An attempt in flight may finish; if it fails, the message is given up like the others."""
    verdict = verdict_of(outcome, cycle_attempts=cycle_attempts, withdrawn=ENDPOINT_DELETED)
    assert verdict == Verdict(status=MessageStatus.FAILED_PERMANENT, last_error=ENDPOINT_DELETED)
    assert verdict.last_error == "endpoint deleted"


def test_a_message_walks_the_slow_schedule() -> None:
    """Half an hour, then 2, 6, 12, 24, 48 and 72 hours: the eighth attempt is the last."""
    hours = [0.5, 2, 6, 12, 24, 48, 72]
    assert walk([answered(503)] * 7) == [(RetryType.SLOW, int(hour * 3600)) for hour in hours]


def test_a_message_walks_the_fast_schedule_after_429() -> None:
    """Its last delay repeats, until the attempts of the cycle are used up."""
    seconds = [30, 60, 120, 240, 300, 300, 300]
    assert walk([answered(429)] * 7) == [(RetryType.FAST, second) for second in seconds]


def test_a_mix_walks_each_schedule_separately() -> None:
    """A 429 among other failures does not shorten the slow schedule, nor they the fast one."""
    mix = [answered(503), answered(429), answered(429), failed(OutcomeKind.TIMEOUT), answered(429)]
    assert walk(mix) == [
        (RetryType.SLOW, 1800),
        (RetryType.FAST, 30),
        (RetryType.FAST, 60),
        (RetryType.SLOW, 7200),
        (RetryType.FAST, 120),
    ]


def test_no_retry_is_fast_while_the_circuit_is_open() -> None:
    """An open circuit probes by the slow schedule, whatever the probe was answered."""
    verdict = verdict_of(answered(429), cycle_attempts=3, fast_retries=2, circuit_open=True)
    assert verdict.retry_type is RetryType.SLOW
    assert verdict.next_attempt_at_ms == NOW_MS + 1_800_000


@pytest.mark.parametrize("status", RETRYABLE_STATUSES[:5])
@pytest.mark.parametrize(
    "wish", ["7200", "Sun, 05 Apr 2026 16:23:11 GMT", "Sunday, 05-Apr-26 16:23:11 GMT"]
)
def test_a_receiver_may_ask_for_more_time(status: int, wish: str) -> None:
    """`Retry-After` is a minimum; a date counts from the wall clock, not from the steady one."""
    verdict = verdict_of(answered(status, retry_after=wish))
    assert verdict.retry_after_s == 7200
    assert verdict.next_attempt_at_ms == NOW_MS + 7_200_000


def test_a_wish_that_is_shorter_nonsense_or_too_long_is_bounded_by_ours() -> None:
    """The schedule is the least and a day the most; what was asked is kept as asked."""
    for wish, kept_s, delay_s in (
        ("1", 1, 1800),
        ("soon", None, 1800),
        ("-1", None, 1800),
        ("999999999999", 2**31 - 1, 86_400),
    ):
        verdict = verdict_of(answered(503, retry_after=wish))
        assert verdict.retry_after_s == kept_s
        assert verdict.next_attempt_at_ms == NOW_MS + delay_s * 1000


def test_a_wish_does_not_bring_a_dead_message_back() -> None:
    """It is kept for the record and schedules nothing."""
    for verdict in (
        verdict_of(answered(404, retry_after="60")),
        verdict_of(answered(503, retry_after="60"), cycle_attempts=8),
    ):
        assert verdict.status is MessageStatus.FAILED_PERMANENT
        assert verdict.next_attempt_at_ms is None
        assert verdict.retry_type is None
        assert verdict.retry_after_s == 60


def test_jitter_is_up_to_a_tenth_of_the_delay() -> None:
    """The chance of the Random port decides how much."""
    verdict = decide(
        answered(503),
        schedule=SCHEDULE,
        cycle_attempts=1,
        fast_retries=0,
        now_ms=NOW_MS,
        wall_ms=WALL_MS,
        chance=0.5,
        circuit_open=False,
        withdrawn=None,
    )
    assert verdict.next_attempt_at_ms == NOW_MS + 1_890_000


def test_a_failure_without_words_has_an_error_all_the_same() -> None:
    """`last_error` is never empty on a failure."""
    silent = [Outcome(kind=kind) for kind in FAILED_KINDS]
    assert [verdict_of(outcome).last_error for outcome in silent] == [
        "timeout",
        "dns_error",
        "connection_error",
        "tls_error",
        "blocked",
    ]
    bare = msgspec.structs.replace(answered(500), error=None)
    assert verdict_of(bare).last_error == "HTTP 500"


def test_a_recalled_request_is_no_attempt() -> None:
    """Nothing was sent, so there is nothing to decide: asking is a bug."""
    recalled = Outcome(kind=OutcomeKind.RECALLED)
    assert classify(recalled) is OutcomeClass.NO_ATTEMPT
    with pytest.raises(ValueError, match="no attempt"):
        verdict_of(recalled)


@given(outcome=SUCCESS | PERMANENT | RETRYABLE)
def test_410_and_nothing_else_pauses_the_endpoint(outcome: Outcome) -> None:
    """RFC 9110 §15.5.11: gone, and likely for ever."""
    expected = PauseReason.GONE if outcome.status == 410 else None
    assert pause_reason(outcome) is expected
    assert pause_reason(answered(410)) is PauseReason.GONE
    assert pause_reason(Outcome(kind=OutcomeKind.RECALLED)) is None
