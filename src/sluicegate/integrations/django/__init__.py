"""The engine in a Django project: an app for `INSTALLED_APPS`, and `engine`.

The setting `SLUICEGATE` holds the engine's settings by name, and its mode, as in
`SLUICEGATE = {"database": "webhooks.db", "mode": "enqueue"}`. It is read once, when
Django starts; `manage.py check` says what is wrong with it.

With `"mode": "enqueue"` any number of processes send, and `manage.py sluicegate_deliver` is the one
that owns the file and delivers.

With the app `sluicegate.integrations.django.outbox_tables`, messages are written in the project's
own transactions: `outbox`.
"""

from typing import TYPE_CHECKING

from django.apps import apps as installed
from django.db import DEFAULT_DB_ALIAS, connections

from sluicegate.embedding.sync_engine import SyncEngine

if TYPE_CHECKING:
    from sluicegate.outbox.writing import Outbox

__all__ = ["engine", "outbox"]


def engine() -> SyncEngine:
    """Return the project's engine, from any thread; it opens nothing by itself.

    The first call of it opens the file, in the process that makes it. One process owns a file:
    with several workers set `"mode": "enqueue"`. It is closed when the process ends. From an
    asynchronous view go through `asgiref.sync.sync_to_async`.

    Raises:
        ImproperlyConfigured: the setting `SLUICEGATE` is missing or wrong.
        LookupError: the app is not in `INSTALLED_APPS`.
        AppRegistryNotReady: Django has not started.
    """
    from sluicegate.integrations.django.apps import SluicegateConfig  # noqa: PLC0415 - Django imports this module before its settings

    config = installed.get_app_config("sluicegate")
    assert isinstance(config, SluicegateConfig)
    return config.engine


def outbox(using: str = DEFAULT_DB_ALIAS) -> "Outbox":
    """Return the outbox of one of the project's databases, on this thread's connection.

    `outbox().send(…)` is committed or rolled back with the transaction that it is called in, so
    it needs no `transaction.on_commit`. Who delivers has the database in
    `SLUICEGATE = {"outboxes": ["default"], ...}`. Opens no engine.

    Args:
        using: the database's alias.

    Raises:
        ImproperlyConfigured, LookupError, AppRegistryNotReady: as `engine`.
        ConnectionDoesNotExist: there is no such alias.
    """
    return engine().outbox(connections[using])
