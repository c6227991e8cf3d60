"""`manage.py sluicegate_deliver`: the process that owns the file and delivers."""

import asyncio
import signal

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

from sluicegate.app import Engine
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.settings import Settings
from sluicegate.integrations.django.apps import SluicegateConfig

__all__ = ["Command"]


class Command(BaseCommand):
    """Delivers what the project's processes enqueue, until it is told to stop."""

    help = (
        "Owns the database of the setting SLUICEGATE and delivers what is in it, and what other"
        ' processes enqueue ("mode": "enqueue"), until SIGTERM or SIGINT. It then gives attempts'
        " in flight drain_s seconds; a second signal ends them."
    )

    def handle(self, *_args: object, **_options: object) -> None:
        """Deliver until a signal comes. Blocks; runs an event loop on this thread.

        Raises:
            CommandError: another process owns the file, it cannot be opened, storage failed, or a
                second signal came.
            ImproperlyConfigured: the setting is missing or wrong, and nobody checked.
        """
        config = apps.get_app_config("sluicegate")
        assert isinstance(config, SluicegateConfig)
        try:
            asyncio.run(self._deliver(config.engine.settings))
        except asyncio.CancelledError:
            raise CommandError("cut off by a second signal: nothing accepted is lost") from None
        except SluicegateError as error:
            raise CommandError(error.message) from error

    async def _deliver(self, settings: Settings) -> None:
        told_to_stop = _on_signals()
        async with Engine(settings) as engine:
            self.stdout.write(f"delivering from {settings.database}", ending="\n")
            self.stdout.flush()
            waits = [asyncio.create_task(each.wait()) for each in (told_to_stop, engine.failed)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for each in waits:
                each.cancel()
        if engine.failed.is_set():
            raise CommandError("the outcome of a commit is unknown: start anew")


def _on_signals() -> asyncio.Event:
    """Return what the first signal sets; the second cancels the task that called this."""
    first, task = asyncio.Event(), asyncio.current_task()
    assert task is not None

    def told() -> None:
        if first.is_set():
            task.cancel()
        first.set()

    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, told)
    return first
