"""`sluicegate simulate`: many seeds of the deterministic simulation."""

import contextlib
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from sluicegate.cli.failures import StartError
from sluicegate.cli.number import FiniteRange
from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.simulation.runs.plan import Plan
from sluicegate.simulation.runs.report import Report
from sluicegate.simulation.runs.runner import Mode
from sluicegate.simulation.runs.soak import Job, soak

__all__ = ["simulate"]

_EXIT_FAILED = 1
_EXIT_INTERRUPTED = 130
_SEED_MAX = 1 << 53
_SEEDS_MAX = 10_000_000
_PLAIN_EVERY_S = 5.0
_DEFAULT_SEEDS = range(1, 101)


def _seeds(_: click.Context, __: click.Parameter, value: str | None) -> Sequence[int] | None:
    """Return the seeds that `7`, `1-1000`, or several of these with commas between, stand for."""
    if value is None:
        return None
    seeds: list[int] = []
    for part in map(str.strip, value.split(",")):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise click.BadParameter(f"{part!r} is neither a seed nor a range such as 1-1000")
        begin, end = int(first), int(last or first)
        if begin > end:
            raise click.BadParameter(f"{part!r} ends before it begins")
        if end > _SEED_MAX:
            raise click.BadParameter(f"{part!r}: a seed is at most {_SEED_MAX}")
        if len(seeds) + end - begin >= _SEEDS_MAX:
            raise click.BadParameter(f"{part!r}: at most {_SEEDS_MAX} seeds at once")
        seeds += range(begin, end + 1)
    return list(dict.fromkeys(seeds))


@click.command()
@click.option("--seeds", callback=_seeds, help="Which: 7, 1-1000, 1-9,20.  [default: 1-100]")
@click.option(
    "--seconds",
    type=FiniteRange(min=0, min_open=True),
    help="Begin no more seeds after so long; without --seeds, go on from a random one.",
)
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option(
    "--http/--direct",
    "http",
    default=None,
    help="Everything over HTTP, or nothing.  [default: one seed of ten over HTTP]",
)
@click.option(
    "--order", type=click.Choice(["given", "shuffled"]), default="given", show_default=True
)
@click.option("--digests", is_flag=True, help="Print one line `seed digest` for each, in order.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one line for each seed.")
@click.option("--plan", help="A file with the plan of a failure, or - for standard input.")
@click.option(
    "--shrink-seconds",
    type=FiniteRange(0),
    default=60.0,
    show_default=True,
    help="How long a failing plan may be shrunk; 0: not at all.",
)
def simulate(
    *,
    seeds: Sequence[int] | None,
    seconds: float | None,
    jobs: int,
    http: bool | None,
    order: str,
    digests: bool,
    as_json: bool,
    plan: str | None,
    shrink_seconds: float,
) -> None:
    """Run the engine in simulated worlds that go wrong, one for each seed, and judge it.

    The same seed gives the same run, byte for byte, whatever the machine. A failure is printed
    with its seed, a shrunk plan, the end of its trace, and the command that runs it again.

    Exit codes: 0 all promises were kept, 1 one was broken, 2 bad arguments, 130 after Ctrl-C,
    141 when nobody reads its output any more.
    """
    if digests and as_json:
        raise StartError("--digests and --json exclude each other: JSON has the digests")
    if digests and seeds is None and seconds is not None:
        raise StartError("--digests needs --seeds: other seeds each time have no order to compare")
    mode: Mode | None = None if http is None else ("http" if http else "direct")
    screen = _Screen(digests=digests, as_json=as_json)
    clock = SystemClock()
    deadline_s = None if seconds is None else clock.monotonic_s() + seconds
    endless = seeds is None and seconds is not None
    if seeds is None:
        seeds = _DEFAULT_SEEDS
    if order == "shuffled":
        seeds = random.Random("order").sample(seeds, len(seeds))  # noqa: S311 - any order but theirs
    given = _read_plan(plan)

    def each() -> Iterator[Job]:
        first = int(SystemRandom().random() * (1 << 32))
        number = 0
        while (endless or number < len(seeds)) and (
            deadline_s is None or clock.monotonic_s() < deadline_s
        ):
            seed = first + number if endless else seeds[number]
            yield Job(seed=seed, mode=mode, plan=given, shrink_s=shrink_seconds)
            number += 1

    with screen.showing(None if endless else seeds, seconds):
        try:
            with contextlib.closing(soak(each(), processes=jobs)) as reports:
                for report in reports:
                    screen.take(report)
        except KeyboardInterrupt:
            screen.conclude("stopped")
            sys.exit(_EXIT_INTERRUPTED)
    screen.conclude("done")
    sys.exit(_EXIT_FAILED if screen.failed else 0)


def _read_plan(source: str | None) -> Plan | None:
    if source is None:
        return None
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        return Plan.from_json(text)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise StartError(f"--plan {source}: {error}") from None


class _Screen:
    """Shows how far it is: a bar on a terminal, a line now and then anywhere else."""

    def __init__(self, *, digests: bool, as_json: bool) -> None:
        self._digests = digests
        self._as_json = as_json
        self._clock = SystemClock()
        self._began_s = self._told_s = self._clock.monotonic_s()
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._order: list[int] = []
        self._held: dict[int, Report] = {}
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self.seeds = 0
        self.failed: list[int] = []
        self._virtual_s = 0.0
        self._callbacks = 0
        self._requests = 0

    @contextlib.contextmanager
    def showing(self, seeds: Sequence[int] | None, seconds: float | None) -> Iterator[None]:
        """Show a bar while the context lasts, on a terminal."""
        self._order = sorted(seeds, reverse=True) if seeds is not None else []
        if not self._console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[pace]}"),
        )
        total = len(seeds) if seeds is not None else None
        with Progress(*columns, console=self._console, transient=True) as progress:
            self._progress = progress
            what = "seeds" if seconds is None else f"seeds, for {seconds:g} s"
            self._task = self._progress.add_task(what, total=total, pace="")
            try:
                yield
            finally:
                self._progress = None

    def take(self, report: Report | None) -> None:
        """Show a report, or that time has passed."""
        if report is not None:
            self.seeds += 1
            self._virtual_s += report.virtual_s
            self._callbacks += report.callbacks
            self._requests += report.requests
            if report.failed:
                self.failed.append(report.seed)
            self._print(report)
        now_s = self._clock.monotonic_s()
        if self._progress is not None:
            self._progress.update(self._task, completed=self.seeds, pace=self._pace())
        elif now_s - self._told_s >= _PLAIN_EVERY_S:
            self._told_s = now_s
            self._console.print(self._pace(), markup=False)

    def conclude(self, word: str) -> None:
        """Say what it came to."""
        if self._as_json:
            click.echo(json.dumps({"seeds": self.seeds, "failed": sorted(self.failed)}))
        self._console.print(f"{word}: {self._pace()}", markup=False)

    def _print(self, report: Report) -> None:
        if self._as_json:
            click.echo(msgspec.json.encode(report).decode())
        elif self._digests:
            self._held[report.seed] = report
            while self._order and self._order[-1] in self._held:
                ready = self._held.pop(self._order.pop())
                click.echo(f"{ready.seed} {ready.digest}")
        if report.failed and not self._as_json:
            # Beside the bar, and never among the digests.
            if self._progress is not None:
                self._progress.stop()
            click.echo("\n".join(report.lines()), err=self._digests)
            if self._progress is not None:
                self._progress.start()

    def _pace(self) -> str:
        took_s = max(self._clock.monotonic_s() - self._began_s, 0.001)
        return (
            f"{self.seeds} seeds, {len(self.failed)} failed, {self.seeds / took_s:.1f} seeds/s,"
            f" {self._virtual_s / 3600 / took_s:.1f} virtual hours/s,"
            f" {self._callbacks / took_s:.0f} callbacks/s, {self._requests} requests"
        )
