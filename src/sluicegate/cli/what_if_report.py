"""What `sluicegate what-if` tells: a table, plain lines in a pipe, or JSON."""

from collections.abc import Sequence

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluicegate.cli.aligned import aligned, printable
from sluicegate.simulation.what_if import (
    Course,
    Recovery,
    Sample,
    Scenario,
    clock_text,
    outages_text,
    span_text,
)

__all__ = ["as_json", "tell"]

_HOUR_S = 3600


def as_json(scenario: Scenario, courses: Sequence[Course], sample: Sample) -> dict[str, object]:
    """Return everything, as JSON has it. The same seed gives the same."""
    return {
        "scenario": msgspec.to_builtins(scenario),
        "sample": {
            "endpoints_simulated": len(sample.stands_for),
            "stands_for": list(sample.stands_for),
            "quiet_every": sample.quiet_every,
            "tick_s": sample.tick_s,
            "exact": sample.is_exact,
            "text": sample.text(),
        },
        "schedules": [
            msgspec.to_builtins(course)
            | {"dead_letters_total": course.dead_letters_total, "backlog_end": course.backlog_end}
            for course in courses
        ],
    }


def tell(scenario: Scenario, courses: Sequence[Course], sample: Sample, *, took_s: float) -> None:
    """Print a row for each figure and a column for each schedule."""
    headings = ["", *(printable(each.schedule) for each in courses)]
    rows = _rows(courses)
    console = Console()
    title = (
        f"{scenario.endpoints:,} endpoints, {scenario.rate_per_s:,.4g} messages/s for"
        f" {span_text(scenario.duration_s)}; {outages_text(scenario)}"
    )
    click.echo(title)
    if console.is_terminal:
        table = Table(box=None, pad_edge=False)
        table.add_column(headings[0])
        for each in headings[1:]:
            table.add_column(Text(each), justify="right", style="bold")
        for name, *cells in rows:
            table.add_row(Text(name, style="dim"), *map(Text, cells))
        console.print(table)
    else:
        click.echo("\n".join(aligned([headings, *rows])))
    messages = sum(each.simulated_messages for each in courses)
    attempts = sum(each.simulated_attempts for each in courses)
    hours = scenario.duration_s * len(courses) / _HOUR_S
    click.echo(f"\n{sample.text()}")
    click.echo(
        f"played in {took_s:.1f} s: {messages:,} messages and {attempts:,} attempts,"
        f" {messages / took_s:,.0f} messages/s, {hours / took_s:.2g} virtual hours per second"
    )


def _rows(courses: Sequence[Course]) -> list[list[str]]:
    rows = [
        ["retry delays", *(_delays(each.retry_slow_s) for each in courses)],
        ["messages", *(f"{each.messages:,}" for each in courses)],
        ["attempts", *(f"{each.attempts_total:,}" for each in courses)],
        [
            "largest backlog",
            *(f"{each.backlog_max:,} at {clock_text(each.backlog_max_at_s)}" for each in courses),
        ],
        ["backlog at the end", *(f"{each.backlog_end:,}" for each in courses)],
        ["dead letters", *(f"{each.dead_letters_total:,}" for each in courses)],
    ]
    if any(each.paused_endpoints for each in courses):
        rows.append(["paused endpoints", *(f"{each.paused_endpoints:,}" for each in courses)])
    found = [each.recovery for each in courses if each.recovery is not None]
    if found:
        minutes = [(each.attempts_per_minute_max, each.times_normal_per_minute) for each in found]
        seconds = [(each.attempts_per_second_max, each.times_normal_per_second) for each in found]
        rows += [
            ["busiest minute after", *(_burst(n, t) for n, t in minutes)],
            ["busiest second after", *(_burst(n, t) for n, t in seconds)],
            ["backlog back to normal", *(_recovered(each) for each in found)],
        ]
    return rows


def _burst(count: int, times: float) -> str:
    return f"{count:,} ({times:,.3g} times normal)"


def _recovered(recovery: Recovery) -> str:
    after_s = recovery.backlog_normal_after_s
    return "not by the end" if after_s is None else f"{span_text(after_s)} after the outage"


def _delays(delays_s: tuple[float, ...]) -> str:
    shown = ", ".join(span_text(each) if each >= 1 else f"{each:g}s" for each in delays_s[:8])
    return shown + (", …" if len(delays_s) > 8 else "")  # noqa: PLR2004 - as many as fit
