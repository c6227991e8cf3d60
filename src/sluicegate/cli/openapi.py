"""`sluicegate openapi`: the description of the API, without a server."""

import json
import tempfile
from pathlib import Path

import click

from sluicegate.app import Engine
from sluicegate.cli.failures import CommandError
from sluicegate.engine.settings import Settings
from sluicegate.http.server import describe

__all__ = ["openapi", "openapi_text"]


@click.command()
@click.option("--output", metavar="FILE", help="Where to write it.  [default: the terminal]")
def openapi(*, output: str | None) -> None:
    """Write the description of the API, as OpenAPI 3.1 in JSON.

    It is what a server with the default settings answers at /openapi.json.
    """
    text = openapi_text()
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot write {output}: {error.strerror or error}") from None


def openapi_text() -> str:
    """Return the document with a newline at its end; the same every time."""
    with tempfile.TemporaryDirectory() as folder:
        # The engine is never entered: no database is opened, no thread started.
        engine = Engine(Settings(database=str(Path(folder) / "none.db")))
        document = describe(
            engine.services,
            settings=engine.settings,
            readiness=engine.readiness,
            exposition=engine.exposition,
        )
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
