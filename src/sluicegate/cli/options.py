"""The options that say with which settings a command works: the same for each."""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import click

from sluicegate.cli.config import Loaded, load_settings

__all__ = ["Flags", "with_settings"]


class Flags:
    """What was given on the command line."""

    def __init__(self, values: Mapping[str, object], *, config: str | None) -> None:
        """Take the options' values, `None` where one was not given."""
        self._values = values
        self._config = config

    def load(self) -> Loaded:
        """Collect the settings from the command line, the environment and the file.

        Raises:
            SettingError: as `load_settings`.
        """
        return load_settings(self._values, environ=os.environ, config=self._config)


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options, and hand it what they say as `flags`."""

    @functools.wraps(command)  # its own options with it
    def run(
        *,
        host: str | None,
        port: str | None,
        database: str | None,
        dev: bool | None,
        config: str | None,
        **others: Any,  # noqa: ANN401 - the command's own options
    ) -> None:
        flags = {"host": host, "port": port, "database": database, "dev": dev}
        command(flags=Flags(flags, config=config), **others)

    for option in (
        click.option("--config", help="A TOML file of settings.  [default: $SLUICEGATE_CONFIG]"),
        click.option(
            "--dev/--no-dev",
            default=None,
            help="Allow http:// URLs and loopback or private receivers. Not for production.",
        ),
        click.option("--database", help="The database file.  [default: ./sluicegate.db]"),
        click.option("--port", help="Port to listen on; 0 takes a free one.  [default: 8400]"),
        click.option("--host", help="Address to listen on.  [default: 127.0.0.1]"),
    ):
        run = option(run)
    return run
