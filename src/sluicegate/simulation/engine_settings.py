"""The settings of a simulated engine, as a test gives them: held to the engine's own rules."""

import difflib
from collections.abc import Mapping

import msgspec

from sluicegate.engine.errors import SettingError
from sluicegate.engine.setting_rules import refuse
from sluicegate.engine.settings import Settings

__all__ = ["changed_settings"]


def changed_settings(settings: Settings, changes: Mapping[str, object]) -> Settings:
    """Return settings with some changed.

    Args:
        settings: those before.
        changes: by name; a list stands for a tuple.

    Raises:
        SettingError: there is no such setting, the value is not allowed, or it is `database`.
    """
    known = Settings.__struct_fields__
    for name in changes:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=2)
            meant = f" (did you mean {' or '.join(near)}?)" if near else ""
            raise SettingError(f"{name!r} is not a setting{meant}", details={"setting": name})
    if "database" in changes:
        raise refuse(
            "database",
            repr(changes["database"]),
            "a simulated engine has its file on the simulated disk, `simulation.disk.database`",
        )
    values = {
        name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()
    }
    return msgspec.structs.replace(settings, **values)
