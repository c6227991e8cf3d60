"""`Retry-After`: seconds or any of the three date formats, and nothing else."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluicegate.engine.moments import from_ms, to_ms
from sluicegate.engine.retry_after import RETRY_AFTER_S_MAX, parse_retry_after

NOW_MS = to_ms(datetime(2026, 4, 5, 14, 23, 11, 123_000, tzinfo=UTC))
NOWS_MS = st.integers(0, to_ms(datetime(2100, 1, 1, tzinfo=UTC)))
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def rfc_850(moment: datetime) -> str:
    """Write a date as RFC 850 does."""
    day, month = DAYS[moment.weekday()], MONTHS[moment.month - 1]
    return f"{day}, {moment:%d}-{month}-{moment.year % 100:02} {moment:%H:%M:%S} GMT"


def asctime(moment: datetime) -> str:
    """Write a date as the asctime of ANSI C does."""
    day, month = DAYS[moment.weekday()][:3], MONTHS[moment.month - 1]
    return f"{day} {month} {moment.day:2} {moment:%H:%M:%S} {moment.year:04}"


@given(seconds=st.integers(0, 2**70), zeros=st.integers(0, 9))
@example(seconds=RETRY_AFTER_S_MAX, zeros=0)
@example(seconds=RETRY_AFTER_S_MAX + 1, zeros=0)
@example(seconds=1, zeros=10_000)
def test_seconds_are_taken_up_to_a_bound(seconds: int, zeros: int) -> None:
    """RFC 9110 §10.2.3: 1*DIGIT. Too many count as 2^31 - 1."""
    value = "0" * zeros + str(seconds)
    assert parse_retry_after(value, now_ms=NOW_MS) == min(seconds, RETRY_AFTER_S_MAX)


def test_seconds_of_any_number_of_digits_are_bounded() -> None:
    """Python itself refuses to convert more than 4300 digits."""
    assert parse_retry_after("9" * 10_000, now_ms=NOW_MS) == RETRY_AFTER_S_MAX


@pytest.mark.parametrize(("value", "expected"), [(" 7\t", 7), ("0 ", 0), (" 007", 7)])
def test_white_space_around_the_value_does_not_matter(value: str, expected: int) -> None:
    """It is not part of the value (RFC 9110 §5.5)."""
    assert parse_retry_after(value, now_ms=NOW_MS) == expected


@given(now_ms=NOWS_MS, ahead=st.timedeltas(timedelta(days=-20_000), timedelta(days=18_000)))
def test_each_date_format_is_the_same_moment(now_ms: int, ahead: timedelta) -> None:
    """RFC 9110 §5.6.7. The wait is rounded up to whole seconds and never negative."""
    moment = (from_ms(now_ms) + ahead).replace(microsecond=0)
    expected = max(0, -((now_ms - to_ms(moment)) // 1000))
    for text in (format_datetime(moment, usegmt=True), asctime(moment)):
        assert parse_retry_after(text, now_ms=now_ms) == expected
    if expected:  # in two digits, what has passed may look as if it were to come
        assert parse_retry_after(rfc_850(moment), now_ms=now_ms) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0),
        ("Sun Nov  6 08:49:37 1994", 0),
        ("Sun, 05 Apr 2026 14:23:11 GMT", 0),
        ("Sun, 05 Apr 2026 14:23:12 GMT", 1),
        ("Sunday, 05-Apr-26 14:24:11 GMT", 60),
        ("Sun Apr 05 14:24:11 2026", 60),
        ("Sun Apr  5 14:24:11 2026", 60),
        ("Mon, 05 Apr 2026 14:24:11 GMT", 60),
        ("Thu, 31 Dec 2026 23:59:60 GMT", 23_362_609),
        ("Monday, 05-Apr-76 14:23:11 GMT", 1_577_923_200),
        ("Tuesday, 05-Apr-77 14:23:11 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", RETRY_AFTER_S_MAX),
    ],
)
def test_a_date_counts_from_the_wall_clock(value: str, expected: int) -> None:
    """The RFC's examples, the edges of a second, a leap second, and years of two digits."""
    assert parse_retry_after(value, now_ms=NOW_MS) == expected


@pytest.mark.parametrize(
    ("now", "digits", "expected_year"),
    [
        *((2026, "76", 2076), (2026, "77", 1977), (2049, "99", 2099), (2050, "00", 2100)),
        *((2051, "02", 2002), (2099, "00", 2100), (2099, "49", 2149), (2099, "50", 2050)),
    ],
)
def test_a_year_of_two_digits_is_at_most_50_years_ahead(
    now: int, digits: str, expected_year: int
) -> None:
    """RFC 9110 §5.6.7, also where a century ends."""
    now_ms = to_ms(datetime(now, 1, 1, tzinfo=UTC))
    moment_ms = to_ms(datetime(expected_year, 3, 1, tzinfo=UTC))
    found = parse_retry_after(f"Friday, 01-Mar-{digits} 00:00:00 GMT", now_ms=now_ms)
    assert found == max(0, (moment_ms - now_ms) // 1000)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "-1",
        "+1",
        "1.5",
        "1e3",
        "0x10",
        "1 2",
        "1,2",
        "120s",
        "soon",
        "\u0661",
        "\u00b2",
        "1\n",
        "2026-04-05T14:24:11Z",
        "Sun, 05 Apr 2026 14:24:11",
        "Sun, 05 Apr 2026 14:24:11 UTC",
        "Sun, 05 Apr 2026 14:24:11 +0000",
        "Sun, 5 Apr 2026 14:24:11 GMT",
        "Sun, 05 apr 2026 14:24:11 GMT",
        "Sun 05 Apr 2026 14:24:11 GMT",
        "Son, 05 Apr 2026 14:24:11 GMT",
        "05 Apr 2026 14:24:11 GMT",
        "Sun, 31 Apr 2026 14:24:11 GMT",
        "Sun, 00 Apr 2026 14:24:11 GMT",
        "Sun, 05 Apr 0000 14:24:11 GMT",
        "Sun, 05 Apr 2026 24:00:00 GMT",
        "Sun, 05 Apr 2026 14:60:11 GMT",
        "Sun, 05 Apr 2026 14:24:61 GMT",
        "Sun, 05 Apr 2026 14:24:11 GMT, 60",
        "Sunday, 05-Apr-2026 14:24:11 GMT",
        "Sun Apr 5 14:24:11 2026",
        "Sun Apr  0 14:24:11 2026",
    ],
    ids=lambda value: repr(value)[:40],
)
def test_nonsense_is_no_wish(value: str) -> None:
    """Then the schedule alone decides; a receiver can write what it likes."""
    assert parse_retry_after(value, now_ms=NOW_MS) is None


@given(value=st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9 :A-Za-z-]*", fullmatch=True))
def test_no_value_breaks_anything(value: str) -> None:
    """Whatever a receiver sends, the answer is a bounded number or none."""
    found = parse_retry_after(value, now_ms=NOW_MS)
    assert found is None or 0 <= found <= RETRY_AFTER_S_MAX
