"""`sluicegate what-if`: a day with outages, played by the real engine before it happens."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from sluicegate.cli.failures import CommandError, StartError
from sluicegate.cli.number import FiniteRange
from sluicegate.cli.what_if_report import as_json, tell
from sluicegate.clock import SystemClock
from sluicegate.engine.errors import SettingError
from sluicegate.simulation.what_if import (
    Arrivals,
    PlotError,
    RetryDelays,
    Scenario,
    ScenarioError,
    check_plots,
    compare,
    draw,
    read_duration,
    read_outage,
    read_rate,
    read_schedule,
    sample_of,
)

__all__ = ["what_if"]

_SCHEDULES_MAX = 8
_ENDINGS = (".png", ".svg")
_DEFAULT = Scenario(endpoints=1, rate_per_s=1)


@click.command("what-if")
@click.option("--endpoints", type=int, required=True, help="How many there are, all alike.")
@click.option("--rate", required=True, help="Messages to all of them: 200/s, 12/min, 5000/h.")
@click.option(
    "--outage",
    "outages",
    multiple=True,
    help="Such as '3h at 14:00' or '30m at 09:15 of 20% hang': how long, when, of which share of"
    " the endpoints, how (refused, 503, hang; default 503). Repeatable.",
)
@click.option("--for", "duration", default="24h", show_default=True, help="How long it lasts.")
@click.option(
    "--schedule",
    "schedules",
    multiple=True,
    help="Slow retry delays in seconds, with a name: patient=60,300,1800; or 'default'."
    " Repeatable: they are compared.",
)
@click.option("--retry-slow", "delays", multiple=True, help="The same without a name: 60,300,1800.")
@click.option("--attempts-max", type=int, help="Attempts of one message.  [default: 8]")
@click.option(
    "--jitter", type=FiniteRange(), help="Of a delay, added by chance, 0 to 1.  [default: 0.1]"
)
@click.option(
    "--circuit-failures",
    type=int,
    help="Failures in a row that open the circuit; 0 = never.  [default: 10]",
)
@click.option(
    "--circuit-pause-after",
    help="Failing so long pauses an endpoint, such as 5d; 0 = never.  [default: 5d]",
)
@click.option("--in-flight", type=int, help="Attempts at once, of all endpoints.  [default: 512]")
@click.option(
    "--endpoint-in-flight",
    type=int,
    default=_DEFAULT.max_in_flight,
    show_default=True,
    help="Attempts at once, to one endpoint.",
)
@click.option(
    "--endpoint-rate-limit",
    type=int,
    default=_DEFAULT.rate_limit_rps,
    show_default=True,
    help="Attempts a second to one endpoint; 0 = no limit.",
)
@click.option(
    "--timeout",
    type=FiniteRange(),
    default=_DEFAULT.timeout_s,
    show_default=True,
    help="Seconds for an attempt.",
)
@click.option(
    "--answer-time",
    type=FiniteRange(),
    default=_DEFAULT.answer_s,
    show_default=True,
    help="Seconds that a receiver takes.",
)
@click.option(
    "--arrivals",
    type=click.Choice([each.value for each in Arrivals]),
    default="even",
    show_default=True,
    help="How messages are spread.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="What chance is drawn from.")
@click.option(
    "--messages",
    type=int,
    default=_DEFAULT.messages_max,
    show_default=True,
    help="About how many are really sent in a run; they stand for all.",
)
@click.option("--exact", is_flag=True, help="Send every message, however long it takes.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    help="Schedules played at once.  [default: as there are CPUs]",
)
@click.option(
    "--plot",
    "plots",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw a picture: out.png, out.svg, or out for both. Needs 'sluicegate[plots]'.",
)
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON, with a value per minute.")
def what_if(
    *,
    endpoints: int,
    rate: str,
    outages: tuple[str, ...],
    duration: str,
    schedules: tuple[str, ...],
    delays: tuple[str, ...],
    attempts_max: int | None,
    jitter: float | None,
    circuit_failures: int | None,
    circuit_pause_after: str | None,
    in_flight: int | None,
    endpoint_in_flight: int,
    endpoint_rate_limit: int,
    timeout: float,
    answer_time: float,
    arrivals: str,
    seed: int,
    messages: int,
    exact: bool,
    jobs: int | None,
    plots: tuple[Path, ...],
    json_wanted: bool,
) -> None:
    """Play a day with outages, and tell what happens to backlog, attempts and receivers.

    The real engine runs on virtual time with receivers that fail as you say, for one or several
    retry schedules side by side. Of a large installation a part is played, and counts are
    multiplied: the output says which part. docs/what-if.md tells how, and what is not modelled.

    Exit codes: 0 when it was played, 1 when a picture could not be drawn, 2 when a value is not
    allowed.
    """
    try:
        settings: dict[str, object] = {
            "attempts_max": attempts_max,
            "retry_jitter": jitter,
            "circuit_failures": circuit_failures,
            "circuit_pause_after_s": _pause_after_s(circuit_pause_after),
            "in_flight_max": in_flight,
        }
        scenario = Scenario(
            endpoints=endpoints,
            rate_per_s=read_rate(rate),
            outages=tuple(map(read_outage, outages)),
            duration_s=read_duration(duration),
            arrivals=Arrivals(arrivals),
            seed=seed,
            answer_s=answer_time,
            messages_max=None if exact else messages,
            rate_limit_rps=endpoint_rate_limit,
            max_in_flight=endpoint_in_flight,
            timeout_s=timeout,
            settings={name: value for name, value in settings.items() if value is not None},
        )
        chosen = _chosen([*schedules, *delays])
        files = _files(plots)
        clock = SystemClock()
        began_s = clock.monotonic_s()
        scenario.check()
        for each in chosen:
            scenario.settings_for(each)
        sample = sample_of(scenario, chosen)
        if files:
            _warn_of_plots()
        if not json_wanted:
            click.echo(f"{sample.text()} (about {sample.messages:,} messages a run)", err=True)
        with _progress(is_wanted=not json_wanted) as progress:
            courses = compare(scenario, chosen, jobs=jobs or os.cpu_count() or 1, progress=progress)
        took_s = clock.monotonic_s() - began_s
    except ScenarioError as error:
        raise StartError(str(error)) from None
    except SettingError as error:
        raise StartError(error.message) from None
    if json_wanted:
        click.echo(json.dumps(as_json(scenario, courses, sample)))
    else:
        tell(scenario, courses, sample, took_s=took_s)
    if files:
        _draw(files, lambda: draw(files, scenario, courses, sample), is_quiet=json_wanted)


def _warn_of_plots() -> None:
    """Say before the run that there will be no picture; the numbers are wanted all the same."""
    try:
        check_plots()
    except PlotError as error:
        click.echo(f"sluicegate: warning: {error}", err=True)


def _draw(files: list[Path], drawing: Callable[[], None], *, is_quiet: bool) -> None:
    """Draw after the numbers were told: a picture that cannot be drawn costs no run."""
    try:
        drawing()
    except PlotError as error:
        raise CommandError(str(error)) from None
    if not is_quiet:
        click.echo("drawn: " + ", ".join(map(str, files)), err=True)


def _chosen(texts: list[str]) -> list[RetryDelays]:
    """Return the schedules to compare.

    Raises:
        ScenarioError: one is not written as it should be, two have one name, or there are too many.
    """
    chosen = [read_schedule(each) for each in texts or ["default"]]
    labels = [each.label for each in chosen]
    if len(chosen) > _SCHEDULES_MAX:
        raise ScenarioError(f"{len(chosen)} schedules are too many: at most {_SCHEDULES_MAX}")
    twice = sorted({each for each in labels if labels.count(each) > 1})
    if twice:
        raise ScenarioError(f"schedule {twice[0]!r} is there twice: give each its own name")
    return chosen


def _pause_after_s(text: str | None) -> int | None:
    if text is None:
        return None
    return 0 if text == "0" else round(read_duration(text))


def _files(plots: tuple[Path, ...]) -> list[Path]:
    """Return the files to draw.

    Raises:
        ScenarioError: an ending is none of a picture that can be drawn, or there is no folder.
    """
    files: list[Path] = []
    for plot in plots:
        if plot.suffix in _ENDINGS:
            files.append(plot)
        elif not plot.suffix:
            files += [plot.with_suffix(each) for each in _ENDINGS]
        else:
            raise ScenarioError(
                f"plot '{plot}' is not allowed: a name that ends with .png or .svg, or one without"
                " an ending for both"
            )
        if not plot.parent.is_dir():
            raise ScenarioError(f"plot '{plot}': there is no folder '{plot.parent}'")
    return files


@contextlib.contextmanager
def _progress(*, is_wanted: bool) -> Iterator[Callable[[float], None]]:
    """Show a bar on a terminal while the context lasts; give what moves it."""
    console = Console(stderr=True)
    if not is_wanted or not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("playing"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda part: bar.update(task, completed=part)
