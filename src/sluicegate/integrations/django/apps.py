"""The Django app: makes the engine from the setting `SLUICEGATE`, and checks that."""

from collections.abc import Mapping, Sequence

from django.apps import AppConfig, apps
from django.conf import settings as host_settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from sluicegate.app import Mode, checked_mode
from sluicegate.embedding.sync_engine import SyncEngine
from sluicegate.engine.errors import SettingError
from sluicegate.engine.settings import Settings
from sluicegate.integrations.django.databases import outbox_urls

__all__ = ["SluicegateConfig"]


class SluicegateConfig(AppConfig):
    """Has the project's engine once Django has started."""

    name = "sluicegate.integrations.django"
    label = "sluicegate"
    verbose_name = "Sluicegate"
    settings: Settings
    """The engine's settings, if nothing is wrong with them."""
    _engine: SyncEngine | None = None
    _problem = "Django has not started"

    def ready(self) -> None:
        """Make the engine, which opens nothing; keep what is wrong for the checks to say."""
        try:
            self.settings, mode = _given(getattr(host_settings, "SLUICEGATE", None))
            self._engine = SyncEngine(self.settings, mode=mode)
        except (SettingError, TypeError) as error:
            self._problem = f"SLUICEGATE: {error}"
        checks.register(check)

    @property
    def engine(self) -> SyncEngine:
        """The engine.

        Raises:
            ImproperlyConfigured: the setting is missing or wrong.
        """
        if self._engine is None:
            raise ImproperlyConfigured(self._problem)
        return self._engine

    def problems(self) -> list[checks.CheckMessage]:
        """Return what is wrong with the setting, for Django's system checks."""
        if self._engine is not None:
            return []
        hint = "docs/settings.md lists every setting with what is allowed"
        return [checks.Error(self._problem, hint=hint, id="sluicegate.E001")]


def check(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django gives it, by name
    **_: object,
) -> list[checks.CheckMessage]:
    """Check the setting `SLUICEGATE`: a system check of Django's."""
    config = apps.get_app_config("sluicegate")
    assert isinstance(config, SluicegateConfig)
    return config.problems()


def _given(given: object) -> tuple[Settings, Mode]:
    if not isinstance(given, Mapping):
        raise TypeError('must be a dict of settings, like {"database": "webhooks.db"}')
    fields = dict(given)
    mode = checked_mode(fields.pop("mode", "deliver"))
    if "outboxes" in fields:
        fields["outboxes"] = outbox_urls(fields["outboxes"])
    return Settings(**fields), mode
