"""The Django app that has the outbox's migrations, and nothing else."""

from django.apps import AppConfig

__all__ = ["OutboxConfig"]


class OutboxConfig(AppConfig):
    """Has the migrations; a project that needs no outbox leaves the app out."""

    name = "sluicegate.integrations.django.outbox_tables"
    label = "sluicegate_outbox"
    verbose_name = "Sluicegate's outbox"
