"""`sluicegate outbox-sql`: the tables of an outbox, for a host's own migrations."""

from typing import get_args

import click

from sluicegate.outbox.schema import Dialect, outbox_sql

__all__ = ["print_outbox_sql"]


@click.command()
@click.argument("dialect", type=click.Choice(get_args(Dialect)))
def print_outbox_sql(*, dialect: Dialect) -> None:
    """Print the SQL that creates an outbox in your own database; run it in a migration.

    Statements end with a semicolon and an empty line. Where there is an outbox they change nothing.
    """
    click.echo(outbox_sql(dialect), nl=False)
