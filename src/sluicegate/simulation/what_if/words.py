"""Scenarios in words."""

from sluicegate.simulation.what_if.scenario import Scenario

__all__ = ["clock_text", "outages_text", "span_text"]


def outages_text(scenario: Scenario) -> str:
    """Say which outages there are."""
    if not scenario.outages:
        return "no outage"
    return ", ".join(
        f"{span_text(each.until_s - each.from_s)} at {clock_text(each.from_s)}"
        f"{'' if each.share == 1 else f' of {each.share * 100:g} %'} ({each.kind})"
        for each in scenario.outages
    )


def span_text(seconds: float) -> str:
    """Return a span such as `3h`, `1h 30m` or `45s`."""
    whole = round(seconds)
    parts = ((whole // 3600, "h"), (whole // 60 % 60, "m"), (whole % 60, "s"))
    return " ".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def clock_text(seconds: float) -> str:
    """Return a moment such as `14:05`; hours go on after the first day."""
    minutes = round(seconds / 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
