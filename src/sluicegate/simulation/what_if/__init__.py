"""What if: a day of deliveries with outages, played by the real engine. See docs/what-if.md."""

from sluicegate.simulation.what_if.course import Course, Recovery
from sluicegate.simulation.what_if.notation import (
    read_duration,
    read_outage,
    read_rate,
    read_schedule,
)
from sluicegate.simulation.what_if.plot import PlotError, check_plots, draw
from sluicegate.simulation.what_if.run import play
from sluicegate.simulation.what_if.sample import Sample, sample_of
from sluicegate.simulation.what_if.scenario import (
    Arrivals,
    Outage,
    OutageKind,
    RetryDelays,
    Scenario,
    ScenarioError,
)
from sluicegate.simulation.what_if.side_by_side import compare
from sluicegate.simulation.what_if.words import clock_text, outages_text, span_text

__all__ = [
    "Arrivals",
    "Course",
    "Outage",
    "OutageKind",
    "PlotError",
    "Recovery",
    "RetryDelays",
    "Sample",
    "Scenario",
    "ScenarioError",
    "check_plots",
    "clock_text",
    "compare",
    "draw",
    "outages_text",
    "play",
    "read_duration",
    "read_outage",
    "read_rate",
    "read_schedule",
    "sample_of",
    "span_text",
]
