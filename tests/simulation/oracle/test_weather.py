"""What could go wrong when, as far as the tester's own doings tell."""

from sluicegate.simulation.faults import Faults
from sluicegate.simulation.oracle.history import Event, EventKind
from sluicegate.simulation.oracle.weather import Weather


def test_the_weather_at_a_host_that_got_nothing_does_not_end_the_weather_of_all() -> None:
    """Seed 2478: a connection was reset in a storm that the oracle held to be over."""
    events = [
        Event(at_s=1, kind=EventKind.FAULTS, faults=Faults(reset=0.3)),
        Event(at_s=2, kind=EventKind.FAULTS, host="idle.example", faults=Faults(refuse=0.5)),
        Event(at_s=9, kind=EventKind.FAULTS, faults=Faults(drip=0.1)),
    ]
    weather = Weather(events, receivers=frozenset({"shop.example"}))
    assert weather.worst(5, 6, "shop.example").reset == 0.3
    assert weather.worst(5, 6, "shop.example").refuse == 0.5
    assert weather.worst(9.5, 10, "shop.example").reset == 0


def test_what_was_begun_on_a_slow_disk_goes_on_when_the_weather_is_better() -> None:
    """Seed 2942: a result was recorded only seconds after the storm, and a crash came before."""
    events = [
        Event(at_s=1, kind=EventKind.FAULTS, faults=Faults(slow_disk=0.1)),
        Event(at_s=2, kind=EventKind.HEALED),
    ]
    weather = Weather(events, receivers=frozenset())
    assert weather.disk_fails(5, 6)
    assert not weather.disk_fails(60, 61)
