"""How scenarios are written."""

import pytest

from sluicegate.simulation.what_if import (
    Outage,
    OutageKind,
    ScenarioError,
    read_duration,
    read_outage,
    read_rate,
    read_schedule,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("3h", 10_800), ("1h30m", 5400), ("2d", 172_800), ("0.5h", 1800)],
)
def test_a_duration_is_numbers_with_units(text: str, seconds: float) -> None:
    """Pieces add up."""
    assert read_duration(text) == seconds


@pytest.mark.parametrize(("text", "per_s"), [("200/s", 200), ("12/min", 0.2), ("7200/h", 2)])
def test_a_rate_is_a_number_for_a_unit_of_time(text: str, per_s: float) -> None:
    """It is messages a second, in the end."""
    assert read_rate(text) == pytest.approx(per_s)


def test_an_outage_has_a_length_and_a_beginning_and_may_have_a_share_and_a_kind() -> None:
    """All receivers answer 503 where nothing else is said."""
    assert read_outage("3h at 14:00") == Outage(from_s=50_400, until_s=61_200)
    assert read_outage("30m at 09:15 of 20% hang") == Outage(
        from_s=33_300, until_s=35_100, share=0.2, kind=OutageKind.HANG
    )
    assert read_outage("5m at 38:00:30 refused").from_s == 38 * 3600 + 30


def test_a_schedule_has_a_name_or_is_its_own() -> None:
    """`default` is the engine's; a name stands before the delays."""
    assert read_schedule("default").slow_s[0] == 1800
    named, bare = read_schedule("patient=60,300"), read_schedule("60,300")
    assert (named.label, named.slow_s) == ("patient", (60, 300))
    assert (bare.label, bare.slow_s) == ("60,300", (60, 300))


@pytest.mark.parametrize("text", ["", "3", "h", "-3h", "3h 2", "3hours", "0s", "1e9s"])
def test_what_is_no_duration_is_refused_with_what_is_allowed(text: str) -> None:
    """The error repeats the text and shows how it is done."""
    with pytest.raises(ScenarioError, match="such as 90s, 3h or 1h30m") as refusal:
        read_duration(text)
    assert repr(text) in str(refusal.value)


@pytest.mark.parametrize("text", ["", "200", "0/s", "x/s", "200/y", "-1/s", "nan/s"])
def test_what_is_no_rate_is_refused_with_what_is_allowed(text: str) -> None:
    """As above."""
    with pytest.raises(ScenarioError, match="such as 200/s or 12/min"):
        read_rate(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("3h", "how long, when"),
        ("3h at 25", "how long, when"),
        ("3h at 14:61", "how long, when"),
        ("3x at 14:00", "duration '3x'"),
        ("3h at 14:00 of 0%", "of 0%"),
        ("3h at 14:00 of 101%", "of 101%"),
        ("3h at 14:00 asleep", "one of refused, 503, hang"),
    ],
)
def test_what_is_no_outage_is_refused_with_what_is_wrong(text: str, told: str) -> None:
    """The error says which part it is."""
    with pytest.raises(ScenarioError, match=told):
        read_outage(text)


@pytest.mark.parametrize("text", ["", "a=", "a=1,x", "1,,2", "=1", "-1", "inf", "a=nan"])
def test_what_is_no_schedule_is_refused_with_what_is_allowed(text: str) -> None:
    """As above."""
    with pytest.raises(ScenarioError, match="schedule"):
        read_schedule(text)
