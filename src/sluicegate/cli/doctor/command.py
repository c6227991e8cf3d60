"""The command `sluicegate doctor`: what it takes, and how it tells what was found."""

import json
import sys
from collections.abc import Sequence

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluicegate.cli.aligned import aligned, printable
from sluicegate.cli.doctor.examination import examine
from sluicegate.cli.doctor.results import Result, Status, error, ok, warning
from sluicegate.cli.options import Flags, with_settings
from sluicegate.clock import SystemClock
from sluicegate.engine.errors import SettingError

__all__ = ["doctor"]

_STYLES = {
    Status.OK: "green",
    Status.WARNING: "yellow",
    Status.ERROR: "bold red",
    Status.SKIPPED: "cyan",
}


@click.command()
@click.option("--deep", is_flag=True, help="Look at the whole database, and recount.")
@click.option("--dns-name", "names", multiple=True, help="A host name to look up; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings
def doctor(*, flags: Flags, deep: bool, names: tuple[str, ...], as_json: bool) -> None:
    """Look at everything that a server stands on, and say what to do.

    Settings, files and their permissions, SQLite and its known bugs, the database, disk space,
    names, the clock. Takes what `sluicegate serve` takes, and changes nothing. While a server
    runs, its database is not looked into; while the doctor looks, no server can start.

    Exit codes: 0 when nothing is wrong (there may be warnings), 1 when something is.
    """
    results = _examined(flags, deep=deep, names=names)
    wrong = any(result.status is Status.ERROR for result in results)
    if as_json:
        checks = [msgspec.to_builtins(result) for result in results]
        click.echo(json.dumps({"ok": not wrong, "checks": checks}))
    else:
        _tell(results)
    sys.exit(1 if wrong else 0)


def _examined(flags: Flags, *, deep: bool, names: tuple[str, ...]) -> list[Result]:
    clock = SystemClock()  # from the beginning: a jump of the wall clock meanwhile is seen
    try:
        loaded = flags.load()
    except SettingError as refusal:
        advice = "correct it; nothing else can be checked before (docs/settings.md)"
        return [error("settings", refusal.message, advice)]
    found = [
        warning("settings", sentence, "correct or remove it") for sentence in loaded.warnings
    ] or [ok("settings", "all are allowed")]
    return found + list(examine(loaded.settings, clock=clock, deep=deep, names=names))


def _tell(results: Sequence[Result]) -> None:
    console = Console()
    if console.is_terminal:
        table = Table("", "checked", "seen", box=None, pad_edge=False, show_header=False)
        for each in results:
            seen = Text(printable(each.seen))
            if each.advice:
                seen.append(f"\n→ {printable(each.advice)}", style="italic")
            table.add_row(Text(each.status, style=_STYLES[each.status]), each.name, seen)
        console.print(table)
    else:
        rows: list[tuple[str, str, str]] = []
        for each in results:
            rows.append((each.status, each.name, printable(each.seen)))
            if each.advice:
                rows.append(("", "", f"-> {printable(each.advice)}"))
        click.echo("\n".join(aligned(rows)))
    counts = [(status, sum(each.status is status for each in results)) for status in Status]
    click.echo("\n" + ", ".join(f"{count} {status}" for status, count in counts if count))
