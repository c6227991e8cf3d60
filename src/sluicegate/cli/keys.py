"""`sluicegate keys`: a project's API keys, through the server's API."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import click

from sluicegate.cli.aligned import aligned, printable
from sluicegate.cli.api import Api

__all__ = ["keys"]

_Command = TypeVar("_Command", bound=Callable[..., None])

_PATH = "/v1/api-keys"
_HEADINGS = ["id", "begins", "label", "created", "last used"]
_SHOWN = ("key_id", "prefix", "label", "created_at", "last_used_at")


def _of_server(command: _Command) -> _Command:
    """Give a command the options that say which server, and as whom."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option(
            "--api-key",
            envvar="SLUICEGATE_API_KEY",
            show_envvar=True,
            required=True,
            help="The key to ask with; better in the environment than on the command line.",
        ),
        click.option(
            "--url",
            envvar="SLUICEGATE_URL",
            show_envvar=True,
            default="http://127.0.0.1:8400",
            show_default=True,
            help="Where the server is.",
        ),
    ):
        command = option(command)
    return command


@click.group()
def keys() -> None:
    """Create, list and delete the API keys of a running server."""


@keys.command()
@click.option("--label", help="What the key is for.")
@click.option("--mode", type=click.Choice(["live", "test"]), default="live", show_default=True)
@_of_server
def create(*, label: str | None, mode: str, url: str, api_key: str, as_json: bool) -> None:
    """Create a key and print it: it is shown only this once."""
    made = _call(url, api_key, "POST", _PATH, {"mode": mode} | ({"label": label} if label else {}))
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(made["key"])
    click.echo(f"{made['key_id']} is shown only this once; keep it now", err=True)


@keys.command(name="list")
@_of_server
def list_keys(*, url: str, api_key: str, as_json: bool) -> None:
    """List the keys, newest first; never the keys themselves, only how they begin."""
    found = _call(url, api_key, "GET", _PATH)
    if as_json:
        click.echo(json.dumps(found))
        return
    rows = [_HEADINGS, *([printable(each.get(name) or "-") for name in _SHOWN] for each in found)]
    # Never cut and never wrapped, however narrow the terminal: an id is there to be copied.
    click.echo("\n".join(aligned(rows)))


@keys.command()
@click.argument("key_id")
@_of_server
def delete(*, key_id: str, url: str, api_key: str, as_json: bool) -> None:
    """Delete the key KEY_ID; whoever uses it gets 401 from then on."""
    _call(url, api_key, "DELETE", f"{_PATH}/{quote(key_id, safe='')}")
    click.echo(json.dumps({"key_id": key_id, "deleted": True}) if as_json else f"{key_id} deleted")


def _call(url: str, api_key: str, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
    async def ask() -> Any:  # noqa: ANN401 - JSON
        async with Api(url, api_key) as api:
            return await api.call(method, path, body)

    return asyncio.run(ask())
