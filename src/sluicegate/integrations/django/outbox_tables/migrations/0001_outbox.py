"""Create the outbox's tables, in SQLite and PostgreSQL; leave other databases alone."""

from typing import ClassVar, get_args

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from sluicegate.outbox.schema import Dialect, dialect_of, drop_statements, statements


def create(_: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Create them."""
    if editor.connection.vendor in get_args(Dialect):
        for statement in statements(dialect_of(editor.connection.vendor)):
            editor.execute(statement, None)


def drop(_: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Remove them, with what waits in them."""
    if editor.connection.vendor in get_args(Dialect):
        for statement in drop_statements(dialect_of(editor.connection.vendor)):
            editor.execute(statement, None)


class Migration(migrations.Migration):
    """Runs on every database that the project's routers let it."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[migrations.RunPython]] = [migrations.RunPython(create, drop)]
