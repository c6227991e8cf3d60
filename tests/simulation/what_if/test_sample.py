"""Which part of an installation is played, and what it stands for."""

import pytest

from sluicegate.simulation.what_if import (
    Outage,
    RetryDelays,
    Scenario,
    ScenarioError,
    read_outage,
    sample_of,
)

QUICK = [RetryDelays(label="quick", slow_s=(60,))]


def a_scenario(**changes: object) -> Scenario:
    """Return the example of the documentation, with changes."""
    values: dict[str, object] = {
        "endpoints": 500,
        "rate_per_s": 200.0,
        "outages": (read_outage("3h at 14:00"),),
        "messages_max": 60_000,
    }
    return Scenario(**values | changes)  # type: ignore[arg-type] # checked by the tests


def test_a_sample_stands_for_every_endpoint() -> None:
    """What those that are played stand for adds up to all, in every stretch of an outage."""
    outages = (read_outage("1h at 03:00 of 5%"), read_outage("1h at 14:00 of 20%"))
    sample = sample_of(a_scenario(outages=outages), QUICK)
    assert 3 <= len(sample.stands_for) < 20
    assert sum(sample.stands_for) == pytest.approx(500)
    for outage, hit in zip(outages, (25, 100), strict=True):
        weights = [w for n, w in enumerate(sample.stands_for) if sample.is_hit(n, outage)]
        assert sum(weights) == pytest.approx(hit)


def test_a_sample_fits_its_budget_and_says_what_it_is() -> None:
    """The text names how many of how many, and the factor."""
    sample = sample_of(a_scenario(), QUICK)
    assert sample.messages <= 60_000 * 1.1
    count = len(sample.stands_for)
    assert sample.text().startswith(
        f"{count} of 500 endpoints simulated; counts times {500 / count:.3g}; in quiet hours"
    )
    assert not sample.is_exact


def test_everything_is_played_when_it_fits_or_is_wanted() -> None:
    """A small scenario is exact, as is one without a budget."""
    for scenario in (
        a_scenario(endpoints=3, rate_per_s=0.1),
        a_scenario(endpoints=3, messages_max=None),
    ):
        sample = sample_of(scenario, QUICK)
        assert sample.is_exact
        assert sample.text() == "all 3 endpoints simulated"


def test_minutes_are_alike_in_quiet_hours() -> None:
    """For as many messages as one stands for, a whole number makes a minute."""
    sample = sample_of(a_scenario(), QUICK)
    assert sample.quiet_every > 1
    assert 24 % sample.quiet_every == 0
    assert 60 % sample.tick_s == 0


def test_a_budget_that_one_endpoint_exceeds_is_refused_with_advice() -> None:
    """It would take hours, and nobody said so."""
    with pytest.raises(ScenarioError, match=r"allow more \(--messages\)"):
        sample_of(a_scenario(endpoints=1), QUICK)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"endpoints": 0}, "endpoints: 0 is not allowed"),
        ({"rate_per_s": 0}, "rate: 0 is not allowed"),
        ({"duration_s": 10}, "duration: 10 is not allowed"),
        ({"max_in_flight": 1000}, "in flight of an endpoint: 1000 is not allowed"),
        ({"outages": (Outage(from_s=86_000, until_s=90_000),)}, "let it last longer"),
        ({"outages": (Outage(from_s=10, until_s=10),)}, "must end after it begins"),
    ],
)
def test_what_cannot_be_played_is_refused(changes: dict[str, object], told: str) -> None:
    """The error says what is wrong, where, and what is allowed."""
    with pytest.raises(ScenarioError, match=told):
        a_scenario(**changes).check()


@pytest.mark.parametrize("rate", [200.0, 0.1, 1e-3])
def test_a_budget_bounds_the_endpoints_too(rate: float) -> None:
    """Each is looked at once a minute, however few messages it gets: that takes time as well."""
    scenario = a_scenario(endpoints=100_000, rate_per_s=rate, messages_max=30_000)
    sample = sample_of(scenario, QUICK)
    assert 10 <= len(sample.stands_for) <= 100
    assert sum(sample.stands_for) == pytest.approx(100_000)
    assert sample.text().startswith(f"{len(sample.stands_for)} of 100,000 endpoints simulated")
    assert sample.messages <= 30_000
    whole = sample_of(a_scenario(endpoints=100_000, rate_per_s=rate, messages_max=None), QUICK)
    assert len(whole.stands_for) == 100_000
