"""The commands and their options; what they do is in the modules beside this one."""

import importlib
import os
import signal
import sys
from typing import Any

import click

from sluicegate import __version__
from sluicegate.cli.failures import StartError
from sluicegate.cli.logs import configure_logs
from sluicegate.cli.options import Flags, with_settings
from sluicegate.cli.serve import run_server
from sluicegate.engine.errors import SettingError

__all__ = ["main"]


_EXIT_UNREAD = 128 + signal.SIGPIPE
_LATER = {
    "config": ("sluicegate.cli.config_show", "config"),
    "demo": ("sluicegate.cli.demo.run", "demo"),
    "doctor": ("sluicegate.cli.doctor.command", "doctor"),
    "keys": ("sluicegate.cli.keys", "keys"),
    "openapi": ("sluicegate.cli.openapi", "openapi"),
    "outbox-sql": ("sluicegate.cli.outbox_sql", "print_outbox_sql"),
    "refused": ("sluicegate.cli.refused", "refused"),
    "simulate": ("sluicegate.cli.simulate", "simulate"),
    "what-if": ("sluicegate.cli.what_if", "what_if"),
}
"""All but the server, which is not to wait for what only they need, or hold it in memory."""


class _Commands(click.Group):
    """The commands, some of which are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted((*super().list_commands(ctx), *_LATER))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        if cmd_name not in _LATER:
            return super().get_command(ctx, cmd_name)
        module, name = _LATER[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run a command; end as quietly as if by SIGPIPE when nobody reads what it prints."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Else click's exit code would be 1, which means something else to each command.
            # What is left in its buffer must not complain at the end of the interpreter.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(_EXIT_UNREAD)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="sluicegate %(version)s")
def main() -> None:
    """Deliver webhooks; hold what is paused, lose nothing."""


@main.command()
@with_settings
def serve(*, flags: Flags) -> None:
    """Run the server.

    Every setting is also an environment variable, SLUICEGATE_<NAME>, and a key of the TOML file;
    an option comes first, then the environment, then the file. docs/settings.md lists them.

    Exit codes: 0 after an orderly stop, 1 after a fatal error or a second signal, 2 when nothing
    was started.
    """
    try:
        loaded = flags.load()
    except SettingError as error:
        raise StartError(error.message) from None
    configure_logs(loaded.settings)
    sys.exit(run_server(loaded.settings, warnings=loaded.warnings))
