"""The circuit: counted by failures in a row, closed by one success."""

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.engine.circuit import after_attempt, is_given_up, is_open
from sluicegate.engine.model import Health
from sluicegate.engine.outcome import Outcome, OutcomeKind

DAY_MS = 86_400_000


def answered(status: int) -> Outcome:
    """Return the outcome of an attempt that was answered."""
    return Outcome(kind=OutcomeKind.ANSWERED, status=status)


SUCCESSES = st.sampled_from([200, 202, 204, 299]).map(answered)
NEITHER = st.sampled_from([301, 400, 404, 410, 422]).map(answered) | st.just(
    Outcome(kind=OutcomeKind.RECALLED)
)
FAILURES = st.sampled_from([408, 425, 429, 500, 503]).map(answered) | st.sampled_from(
    [
        Outcome(kind=kind)
        for kind in OutcomeKind
        if kind not in (OutcomeKind.ANSWERED, OutcomeKind.RECALLED)
    ]
)
KINDS = {"+": SUCCESSES, "-": FAILURES, "0": NEITHER}


@given(data=st.data(), kinds=st.text(st.sampled_from("+-0"), max_size=30))
def test_health_is_the_failures_since_the_last_success(data: st.DataObject, kinds: str) -> None:
    """Retryable failures count from the first one on; permanent answers count for nothing."""
    health = Health()
    for at_ms, kind in enumerate(kinds):
        health = after_attempt(health, outcome=data.draw(KINDS[kind]), at_ms=at_ms)
    since = kinds.rfind("+") + 1
    first = kinds.find("-", since)
    assert health == Health(
        consecutive_failures=kinds.count("-", since),
        failing_since_ms=None if first == -1 else first,
    )


@given(failures=st.integers(0, 100), failures_max=st.integers(1, 50))
def test_the_circuit_opens_at_its_number_of_failures(failures: int, failures_max: int) -> None:
    """With the last of them, not with the one after."""
    health = Health(consecutive_failures=failures, failing_since_ms=1 if failures else None)
    assert is_open(health, failures_max=failures_max) is (failures >= failures_max)


@given(failures=st.integers(0, 10**9))
def test_zero_means_that_the_circuit_never_opens(failures: int) -> None:
    """It can be switched off."""
    assert not is_open(Health(consecutive_failures=failures), failures_max=0)


def test_an_endpoint_is_given_up_after_five_days_of_failures() -> None:
    """Counted from the first failure since the last success, to the millisecond."""
    health = after_attempt(Health(), outcome=answered(500), at_ms=1000)
    health = after_attempt(health, outcome=answered(500), at_ms=5 * DAY_MS)
    for elapsed_ms, given_up in ((0, False), (5 * DAY_MS - 1, False), (5 * DAY_MS, True)):
        at_ms = 1000 + elapsed_ms
        assert is_given_up(health, at_ms=at_ms, pause_after_s=432_000) is given_up


def test_an_endpoint_that_is_well_or_must_not_be_paused_is_never_given_up() -> None:
    """No failure since the last success, or the rule switched off with 0."""
    failing = Health(consecutive_failures=99, failing_since_ms=0)
    assert is_given_up(failing, at_ms=DAY_MS, pause_after_s=1)
    assert not is_given_up(failing, at_ms=DAY_MS, pause_after_s=0)
    well = after_attempt(failing, outcome=answered(200), at_ms=DAY_MS)
    assert not is_given_up(well, at_ms=100 * DAY_MS, pause_after_s=1)


def test_a_clock_that_was_set_back_gives_nobody_up() -> None:
    """A failure that seems to lie ahead has lasted no time."""
    failing = Health(consecutive_failures=1, failing_since_ms=10 * DAY_MS)
    assert not is_given_up(failing, at_ms=0, pause_after_s=1)
