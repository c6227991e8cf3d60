"""`sluicegate refused`: messages that other programs wrote and the engine did not take."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import ParamSpec, TypeVar

import click
import msgspec

from sluicegate.cli.aligned import aligned, printable
from sluicegate.cli.failures import StartError
from sluicegate.cli.options import Flags, with_settings
from sluicegate.engine.errors import OutboxError, SettingError
from sluicegate.engine.moments import from_ms
from sluicegate.engine.settings import Settings
from sluicegate.outbox import refusals
from sluicegate.outbox.doorbell import doorbell_path, ring
from sluicegate.outbox.foreign import sqlite_path
from sluicegate.outbox.inbox_file import inbox_path
from sluicegate.storage.database_file import real_path

__all__ = ["refused"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_HEADINGS = ["message", "endpoint", "refused", "code", "reason"]
_BY_HAND = (
    "not looked into: SELECT * FROM sluicegate_outbox_refused there, and move rows back to"
    " sluicegate_outbox by hand"
)

_which = click.argument("ids", nargs=-1)
_everything = click.option("--all", "everything", is_flag=True, help="All that was refused.")


@click.group()
def refused() -> None:
    """Show, retry or drop messages that were enqueued and then refused.

    Whoever enqueues (mode="enqueue", or an outbox in a database of its own) is not told that an
    endpoint does not exist: the engine that delivers finds out, and puts the message aside, in the
    inbox beside its database or in the outbox that it came from.
    """


@refused.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most."
)
@with_settings
def list_refused(*, flags: Flags, limit: int, as_json: bool) -> None:
    """List what was refused, the latest first, for each outbox."""
    found = [
        (path, *_asked(refusals.read_refusals, path, limit=limit))
        for path in _outboxes(_settings(flags))
    ]
    if as_json:
        click.echo(json.dumps([_plain(path, each) for path, shown, _ in found for each in shown]))
        return
    for path, shown, count in found:
        click.echo(f"{path}: {count or 'nothing'} refused")
        if shown:
            # Never cut and never wrapped, however narrow the terminal: an id is to be copied.
            click.echo("\n".join(aligned([_HEADINGS, *map(_row, shown)])))
        if count > len(shown):
            click.echo(f"{count - len(shown)} more: --limit {count}", err=True)


@refused.command()
@_which
@_everything
@with_settings
def retry(*, flags: Flags, ids: tuple[str, ...], everything: bool) -> None:
    """Put messages back, to be taken anew; what is still wrong is refused again."""
    settings = _settings(flags)
    unknown = _settle(settings, ids, refusals.put_back, "put back", everything=everything)
    heard = ring(doorbell_path(real_path(settings.database)))
    click.echo("taken now" if heard else "taken when the process that delivers starts", err=True)
    sys.exit(1 if unknown else 0)


@refused.command()
@_which
@_everything
@with_settings
def drop(*, flags: Flags, ids: tuple[str, ...], everything: bool) -> None:
    """Forget messages for ever."""
    unknown = _settle(_settings(flags), ids, refusals.drop, "dropped", everything=everything)
    sys.exit(1 if unknown else 0)


def _settle(
    settings: Settings,
    ids: tuple[str, ...],
    settle: Callable[[str, Sequence[str] | None], list[str]],
    done: str,
    *,
    everything: bool,
) -> list[str]:
    """Do it to messages and say so; return the ids of those that were not refused."""
    if bool(ids) == everything:
        raise click.UsageError("name messages by their ids, or give --all")
    settled = [
        id_
        for path in _outboxes(settings)
        for id_ in _asked(settle, path, None if everything else ids)
    ]
    for id_ in settled:
        click.echo(f"{printable(id_)} {done}")
    unknown = [id_ for id_ in ids if id_ not in settled]
    for id_ in unknown:
        click.echo(f"{printable(id_)} was not refused", err=True)
    return unknown


def _outboxes(settings: Settings) -> Iterator[str]:
    """Return the files to look into: the inbox, and the outboxes of the settings."""
    yield inbox_path(real_path(settings.database))
    for url in settings.outboxes:
        path = sqlite_path(url)
        if path is not None:
            yield path
        else:
            scheme, _, _ = url.partition("://")
            click.echo(f"an outbox in {scheme}: {_BY_HAND}", err=True)


def _settings(flags: Flags) -> Settings:
    try:
        return flags.load().settings
    except SettingError as error:
        raise StartError(error.message) from error


def _asked(function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    try:
        return function(*args, **kwargs)
    except OutboxError as error:
        raise StartError(error.message) from error


def _row(refusal: refusals.Refusal) -> list[str]:
    moment = from_ms(refusal.refused_at_ms).isoformat(timespec="seconds")
    texts = (refusal.id, refusal.endpoint_id, moment, refusal.code, refusal.reason)
    return [printable(text) for text in texts]


def _plain(path: str, refusal: refusals.Refusal) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(refusal)
    return {"outbox": path, **plain}
