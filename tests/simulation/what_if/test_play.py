"""Scenarios whose numbers can be worked out by hand, played by the real engine."""

import msgspec
import pytest

from sluicegate.engine.errors import SettingError
from sluicegate.simulation.what_if import (
    Arrivals,
    Course,
    Outage,
    OutageKind,
    Recovery,
    RetryDelays,
    Scenario,
    compare,
    play,
    sample_of,
)

NEVER = RetryDelays(label="after 20 minutes", slow_s=(1200,))
PLAIN: dict[str, object] = {"retry_jitter": 0, "circuit_failures": 0}


def two_endpoints(**changes: object) -> Scenario:
    """Return 40 minutes of 2 endpoints with a message a minute each, down from 10 to 20."""
    values: dict[str, object] = {
        "endpoints": 2,
        "rate_per_s": 2 / 60,
        "duration_s": 2400.0,
        "outages": (Outage(from_s=600, until_s=1200),),
        "settings": PLAIN,
    }
    return Scenario(**values | changes)  # type: ignore[arg-type] # checked by the tests


def test_backlog_and_attempts_of_every_minute_are_what_a_hand_works_out() -> None:
    """Two arrive a minute. Those of the outage are tried at once and 20 minutes later."""
    course = play(two_endpoints(), NEVER)
    minutes = range(41)
    growing = [2 * min(max(m - 10, 0), 10) for m in minutes]
    shrinking = [2 * min(max(m - 30, 0), 10) for m in minutes]
    expected = [up - down for up, down in zip(growing, shrinking, strict=True)]
    assert list(course.backlog) == expected
    assert list(course.attempts) == [2] * 30 + [4] * 10
    assert set(course.dead_letters) == {0}
    assert (course.messages, course.attempts_total) == (80, 100)
    assert (course.backlog_max, course.backlog_max_at_s) == (20, 1200)
    assert course.recovery == Recovery(
        attempts_per_minute_max=4,
        attempts_per_second_max=0,
        times_normal_per_minute=2,
        times_normal_per_second=course.recovery.times_normal_per_second if course.recovery else 0,
        backlog_normal_after_s=1200,
    )


def test_messages_that_use_up_their_attempts_are_dead_letters() -> None:
    """With 3 attempts a minute apart, who arrives over 2 minutes before the end is given up."""
    scenario = two_endpoints(settings=PLAIN | {"attempts_max": 3})
    course = play(scenario, RetryDelays(label="fast", slow_s=(60,)))
    # Arrived in the minutes 10 to 17: the third attempt is still in the outage.
    assert list(course.dead_letters) == [2 * min(max(m - 12, 0), 8) for m in range(41)]
    assert list(course.attempts) == [2] * 10 + [2, 4] + [6] * 9 + [2] * 19
    assert course.backlog_end == 0


def test_an_open_circuit_sends_one_probe_at_a_time() -> None:
    """After 2 failures only the oldest message is tried, when its retry is due."""
    scenario = two_endpoints(settings=PLAIN | {"circuit_failures": 2})
    course = play(scenario, RetryDelays(label="probe", slow_s=(240,)))
    # Per endpoint: minutes 10 and 11 fail, the first again at 14 and 18, at 22 it succeeds.
    assert list(course.attempts[10:22]) == [2, 2, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]
    assert course.attempts[22] >= 20
    assert course.backlog[23] == 0


@pytest.mark.parametrize("kind", list(OutageKind))
def test_a_share_of_the_endpoints_fails_however_it_does(kind: OutageKind) -> None:
    """The other half goes on as if nothing was."""
    outages = (Outage(from_s=600, until_s=1200, share=0.5, kind=kind),)
    course = play(two_endpoints(outages=outages), NEVER)
    assert course.backlog_max in {10, 11}
    assert (course.messages, course.attempts_total) == (80, 90)


def test_a_rate_limit_bounds_the_burst() -> None:
    """However much waits: one attempt a second to each endpoint, when the circuit closes."""
    scenario = two_endpoints(
        rate_per_s=0.5,
        duration_s=1200.0,
        rate_limit_rps=1,
        outages=(Outage(from_s=300, until_s=720),),
        settings=PLAIN | {"circuit_failures": 2},
    )
    course = play(scenario, RetryDelays(label="probe", slow_s=(60,)))
    assert course.recovery is not None
    assert 110 <= course.recovery.attempts_per_minute_max <= 122


def test_same_seed_gives_same_course_and_another_seed_another() -> None:
    """A run is a function of its scenario, whether in this process or in others."""
    scenario = two_endpoints(
        arrivals=Arrivals.POISSON,
        seed=3,
        duration_s=900.0,
        outages=(Outage(from_s=300, until_s=480),),
        settings={},
    )
    schedules = [NEVER, RetryDelays(label="fast", slow_s=(60,))]
    one = compare(scenario, schedules)
    assert msgspec.json.encode(one) == msgspec.json.encode(compare(scenario, schedules, jobs=2))
    other = play(msgspec.structs.replace(scenario, seed=4), NEVER)
    assert one[0].backlog != other.backlog


def test_a_sample_comes_near_to_the_whole() -> None:
    """A third of the endpoints, with quiet hours thinned, within 5 % of what all came to."""
    scenario = Scenario(
        endpoints=10,
        rate_per_s=0.4,
        duration_s=4800,
        outages=(Outage(from_s=2400, until_s=3000),),
        settings={"circuit_failures": 3, "in_flight_max": 10},
        messages_max=None,
    )
    schedule = RetryDelays(label="probe", slow_s=(180,))
    whole = play(scenario, schedule)
    small = msgspec.structs.replace(scenario, messages_max=480)
    sample = sample_of(small, [schedule])
    assert (len(sample.stands_for), sample.quiet_every) == (3, 2)
    part = play(small, schedule)

    def near(figure: str, tolerance: float = 0.05) -> None:
        expected = getattr(whole, figure)
        assert getattr(part, figure) == pytest.approx(expected, rel=tolerance), figure

    near("messages", 0.02)
    near("attempts_total")
    # At the end of the outage; the peak is later, and depends on a few endpoints' jitter.
    assert part.backlog[50] == pytest.approx(whole.backlog[50], rel=0.05)
    assert [sum(part.attempts[n : n + 10]) for n in (0, 70)] == pytest.approx(
        [sum(whole.attempts[n : n + 10]) for n in (0, 70)], rel=0.15
    )
    assert (recovery_s(part) or 0) == pytest.approx(recovery_s(whole) or 0, abs=120)


def recovery_s(course: Course) -> int | None:
    """Return when the backlog was back to normal."""
    return None if course.recovery is None else course.recovery.backlog_normal_after_s


def test_a_setting_that_is_not_allowed_is_refused_before_anything_is_played() -> None:
    """The engine's own rule judges it."""
    with pytest.raises(SettingError, match="attempts_max"):
        play(two_endpoints(settings={"attempts_max": 0}), NEVER)
