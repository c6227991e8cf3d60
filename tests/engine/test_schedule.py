"""The retry schedule: every delay within its bounds."""

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.engine.model import RetryType
from sluicegate.engine.schedule import RetrySchedule, retry_delay_ms
from sluicegate.engine.settings import Settings

DEFAULT = RetrySchedule.from_settings(Settings())
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DELAYS_S = st.lists(st.integers(0, 10**8).map(lambda ms: ms / 1000), min_size=1, max_size=10)
SCHEDULES = st.builds(
    RetrySchedule,
    slow_s=DELAYS_S.map(tuple),
    fast_s=DELAYS_S.map(tuple),
    attempts_max=st.integers(1, 20),
    jitter=st.floats(0, 1),
    retry_after_max_s=st.integers(0, 10**6),
)
CHANCES = st.floats(0, 1, exclude_max=True)
RETRY_TYPES = st.sampled_from(RetryType)


def delays_ms(retry_type: RetryType, *, count: int) -> list[int]:
    """Return the default schedule's first delays, without jitter."""
    return [
        retry_delay_ms(DEFAULT, retry_type, nth=nth, retry_after_s=None, chance=0)
        for nth in range(1, count + 1)
    ]


def test_the_default_schedules_are_the_contracts() -> None:
    """Section 7 of the contract; after its end each schedule repeats its last delay."""
    hours = [0.5, 2, 6, 12, 24, 48, 72, 72, 72]
    assert delays_ms(RetryType.SLOW, count=9) == [int(hour * HOUR_MS) for hour in hours]
    seconds = [30, 60, 120, 240, 300, 300, 300]
    assert delays_ms(RetryType.FAST, count=7) == [second * 1000 for second in seconds]
    assert DEFAULT.attempts_max == 8


def test_the_schedule_is_what_the_settings_say() -> None:
    """Nothing of it is fixed."""
    settings = Settings(
        retry_slow_s=(1.5, 2),
        retry_fast_s=(0.25,),
        attempts_max=3,
        retry_jitter=0.5,
        retry_after_max_s=7,
    )
    assert RetrySchedule.from_settings(settings) == RetrySchedule(
        slow_s=(1.5, 2), fast_s=(0.25,), attempts_max=3, jitter=0.5, retry_after_max_s=7
    )


@given(
    schedule=SCHEDULES,
    retry_type=RETRY_TYPES,
    nth=st.integers(1, 30),
    retry_after_s=st.none() | st.integers(0, 2**31 - 1),
    chance=CHANCES,
)
def test_a_delay_stays_within_its_bounds(
    schedule: RetrySchedule,
    retry_type: RetryType,
    nth: int,
    retry_after_s: int | None,
    chance: float,
) -> None:
    """At least what schedule and receiver ask for; at most what jitter and cap add."""
    delays_s = schedule.fast_s if retry_type is RetryType.FAST else schedule.slow_s
    plain_ms = round(delays_s[nth - 1 if nth <= len(delays_s) else -1] * 1000)
    asked_ms = 1000 * min(retry_after_s or 0, schedule.retry_after_max_s)
    delay_ms = retry_delay_ms(
        schedule, retry_type, nth=nth, retry_after_s=retry_after_s, chance=chance
    )
    assert delay_ms >= plain_ms
    assert delay_ms >= asked_ms
    assert delay_ms <= max(plain_ms * (1 + schedule.jitter), asked_ms)


@given(schedule=SCHEDULES, retry_type=RETRY_TYPES, chances=st.tuples(CHANCES, CHANCES))
def test_more_chance_is_never_less_delay(
    schedule: RetrySchedule, retry_type: RetryType, chances: tuple[float, float]
) -> None:
    """Jitter spreads retries over its whole range."""
    first, second = (
        retry_delay_ms(schedule, retry_type, nth=1, retry_after_s=None, chance=chance)
        for chance in sorted(chances)
    )
    assert first <= second


def test_jitter_adds_up_to_a_tenth() -> None:
    """A chance of one half adds 5 % to half an hour."""
    for chance, expected_ms in ((0, 1_800_000), (0.5, 1_890_000), (0.999999, 1_979_999)):
        assert expected_ms == retry_delay_ms(
            DEFAULT, RetryType.SLOW, nth=1, retry_after_s=None, chance=chance
        )


def test_a_fraction_of_a_second_is_not_cut_short() -> None:
    """1.005 s are 1005 ms, though the float below them times 1000 is a little less."""
    schedule = RetrySchedule.from_settings(Settings(retry_slow_s=(1.005,)))
    for nth in (1, 2):
        delay_ms = retry_delay_ms(schedule, RetryType.SLOW, nth=nth, retry_after_s=None, chance=0)
        assert delay_ms == 1005


def test_a_receiver_may_ask_for_a_day_at_most() -> None:
    """`Retry-After` is a minimum, and what is over the cap counts as the cap."""
    for asked_s, expected_ms in (
        (0, 30_000),
        (29, 30_000),
        (31, 31_000),
        (86_400, 86_400_000),
        (86_401, 86_400_000),
        (2**31 - 1, 86_400_000),
    ):
        assert expected_ms == retry_delay_ms(
            DEFAULT, RetryType.FAST, nth=1, retry_after_s=asked_s, chance=0
        )
