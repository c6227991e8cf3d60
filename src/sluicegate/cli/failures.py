"""What went wrong at the command line, told in one line."""

from typing import IO, Any

import click

__all__ = ["CommandError", "StartError"]


class CommandError(click.ClickException):
    """A command was refused or could not be done; exit code 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Write one line to standard error, and no traceback."""
        click.echo(f"sluicegate: {self.format_message()}", file=file, err=file is None)


class StartError(CommandError):
    """Nothing was started: a bad setting, a port or database in use; exit code 2."""

    exit_code = 2
