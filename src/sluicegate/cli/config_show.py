"""`sluicegate config show`: every setting as a server would have it, and where it comes from."""

import json

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluicegate.cli.aligned import aligned, printable
from sluicegate.cli.config import DEFAULT, Loaded
from sluicegate.cli.failures import StartError
from sluicegate.cli.options import Flags, with_settings
from sluicegate.engine.errors import SettingError
from sluicegate.engine.settings import SECRET_SETTINGS

__all__ = ["config"]

_HEADINGS = ("setting", "value", "from")
_HIDDEN = "***"


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings
def show(*, flags: Flags, as_json: bool) -> None:
    """Show every setting, its value, and where it comes from; secrets as ***.

    Takes what `sluicegate serve` takes, and refuses what it refuses. Where a value comes from is
    an option, an environment variable, a file, or the default.
    """
    try:
        loaded = flags.load()
    except SettingError as error:
        raise StartError(error.message) from None
    for sentence in loaded.warnings:
        click.echo(f"sluicegate: warning: {printable(sentence)}", err=True)
    if as_json:
        click.echo(json.dumps({"settings": _as_json(loaded), "warnings": loaded.warnings}))
        return
    rows = [
        (name, printable(_shown(value)), printable(source))
        for name, value, source in _settings(loaded)
    ]
    console = Console()
    if console.is_terminal:
        console.print(_table(rows))
    else:
        click.echo("\n".join(aligned([_HEADINGS, *rows])))


def _settings(loaded: Loaded) -> list[tuple[str, object, str]]:
    """Return name, value and source of each setting, secrets hidden."""
    found: list[tuple[str, object, str]] = []
    for name in loaded.settings.__struct_fields__:
        value = getattr(loaded.settings, name)
        if value and name in SECRET_SETTINGS:
            value = _HIDDEN
        found.append((name, value, loaded.sources.get(name, DEFAULT)))
    return found


def _as_json(loaded: Loaded) -> dict[str, dict[str, object]]:
    return {name: {"value": value, "source": source} for name, value, source in _settings(loaded)}


def _shown(value: object) -> str:
    """Return a value as an environment variable would have it."""
    match value:
        case None:
            return "unset"
        case bool():
            return str(value).lower()
        case ():
            return "none"
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)


def _table(rows: list[tuple[str, str, str]]) -> Table:
    table = Table(*_HEADINGS, box=None, pad_edge=False)
    for name, value, source in rows:
        style = "dim" if source == DEFAULT else "bold"
        table.add_row(Text(name), Text(value, style=style), Text(source, style=style))
    return table
