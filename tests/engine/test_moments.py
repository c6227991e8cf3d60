"""Moments: exact milliseconds inside, RFC 3339 outside."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.moments import format_moment, format_ms, from_ms, parse_moment, to_ms

FIRST_MS = -62_135_596_800_000
LAST_MS = 253_402_300_799_999

MS = st.integers(FIRST_MS, LAST_MS)
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)


@example(ms=FIRST_MS)
@example(ms=LAST_MS)
@example(ms=-1)
@given(ms=MS)
def test_milliseconds_survive_every_form(ms: int) -> None:
    """To a datetime or to text and back: nothing is rounded, nothing passes through a float."""
    assert to_ms(from_ms(ms)) == ms
    assert parse_moment(format_ms(ms)) == ms
    assert format_moment(from_ms(ms)) == format_ms(ms)
    assert from_ms(ms).tzinfo is UTC


def test_text_has_three_fractional_digits_and_a_z() -> None:
    """The form that section 1 of the contract fixes."""
    assert format_ms(1_775_399_591_123) == "2026-04-05T14:33:11.123Z"
    assert format_ms(0) == "1970-01-01T00:00:00.000Z"
    assert format_ms(-1) == "1969-12-31T23:59:59.999Z"
    assert format_ms(FIRST_MS) == "0001-01-01T00:00:00.000Z"


@given(moment=st.datetimes(timezones=st.none() | OFFSETS))
def test_a_datetime_is_cut_to_the_millisecond_before(moment: datetime) -> None:
    """Any offset counts; without one UTC is meant."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    elapsed = aware - datetime(1970, 1, 1, tzinfo=UTC)
    ms = to_ms(moment)
    assert timedelta(milliseconds=ms) <= elapsed < timedelta(milliseconds=ms + 1)


@pytest.mark.parametrize("zone", ["UTC", "XXX-5:30", "XXX+11"])
def test_the_zone_of_the_machine_does_not_matter(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A datetime without an offset is UTC wherever the process runs."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        found_ms = to_ms(datetime(1970, 1, 2))  # noqa: DTZ001 - the rule is about such datetimes
    time.tzset()
    assert found_ms == 86_400_000


@given(
    moment=st.datetimes(
        min_value=datetime(2, 1, 1),  # noqa: DTZ001 - the strategy adds the offset
        max_value=datetime(9998, 12, 31),  # noqa: DTZ001 - same
        timezones=OFFSETS,
    ),
    separator=st.sampled_from("Tt "),
)
def test_text_with_any_offset_is_the_same_moment(moment: datetime, separator: str) -> None:
    """What Python writes for an aware datetime is read as that moment, cut to milliseconds."""
    assert parse_moment(moment.isoformat(separator)) == to_ms(moment)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-04-05T14:23:11", "2026-04-05T14:23:11.000Z"),
        ("2026-04-05t14:23:11z", "2026-04-05T14:23:11.000Z"),
        ("2026-04-05 14:23:11.5", "2026-04-05T14:23:11.500Z"),
        ("2026-04-05T14:23:11.123999999Z", "2026-04-05T14:23:11.123Z"),
        ("2026-04-05T14:23:11-00:00", "2026-04-05T14:23:11.000Z"),
        ("2026-04-05T00:23:11+02:30", "2026-04-04T21:53:11.000Z"),
        ("2026-04-05T23:23:11-02:30", "2026-04-06T01:53:11.000Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
        ("0001-01-01T00:00:00-23:59", "0001-01-01T23:59:00.000Z"),
    ],
)
def test_each_form_of_rfc_3339_is_read(text: str, expected: str) -> None:
    """RFC 3339 §5.6, with the offset optional; what is finer than a millisecond is cut off."""
    assert format_ms(parse_moment(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1775399591",
        "2026-04-05",
        "2026-04-05T14:23",
        "20260405T142311Z",
        "2026-W14-7T14:23:11Z",
        "2026-04-05T14:23:11,5Z",
        "2026-04-05T14:23:11.Z",
        "2026-04-05T14:23:11 Z",
        "2026-04-05T14:23:11+0200",
        "2026-04-05T14:23:11+24:00",
        "2026-04-05T14:23:11+02:60",
        "2026-04-05T14:23:11 02:00",
        "2026-04-05T24:00:00Z",
        "2026-04-05T14:60:00Z",
        "2026-04-05T14:23:61Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
        "10000-01-01T00:00:00Z",
        "2026-04-05T14:23:11Z\n",
        " 2026-04-05T14:23:11Z",
        "\u0662026-04-05T14:23:11Z",
        "2026-04-05T14:23:11." + "1" * 10_000 + "Z",
    ],
)
def test_anything_else_is_refused_by_the_name_of_its_field(text: str) -> None:
    """Neither other ISO 8601 forms nor days, times and years that do not exist."""
    with pytest.raises(InvalidRequestError, match="start_time must be") as caught:
        parse_moment(text, field="start_time")
    assert caught.value.details["field"] == "start_time"


@pytest.mark.parametrize("ms", [FIRST_MS - 1, LAST_MS + 1, 2**63])
def test_a_moment_outside_the_calendar_is_an_overflow(ms: int) -> None:
    """Datetimes hold the years 1 to 9999; a number outside them is a bug, not a moment."""
    with pytest.raises(OverflowError):
        from_ms(ms)
    with pytest.raises(OverflowError):
        format_ms(ms)
