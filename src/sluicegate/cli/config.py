"""Where settings come from: a flag, else the environment, else a TOML file, else the default."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from sluicegate.engine.errors import SettingError
from sluicegate.engine.setting_rules import refuse, setting_types
from sluicegate.engine.settings import Settings

__all__ = ["DEFAULT", "ENVIRONMENT_PREFIX", "Loaded", "load_settings"]

ENVIRONMENT_PREFIX = "SLUICEGATE_"
DEFAULT = "default"
"""The source of what nobody has set."""

_NOT_SETTINGS = frozenset({"API_KEY", "CONFIG", "URL"})
"""Names after the prefix that are the command line's own."""

_WORDS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}
"""How an environment variable says yes or no, in any case."""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Settings, and what was strange on the way."""

    settings: Settings
    sources: dict[str, str]
    """Setting → the option, variable or file that it was taken from; no other has been set."""
    warnings: tuple[str, ...] = ()
    """Sentences about environment variables that look like settings and are none."""


def load_settings(
    flags: Mapping[str, object], *, environ: Mapping[str, str], config: str | None
) -> Loaded:
    """Collect the settings and check them. Blocks on small files.

    An empty environment variable counts as unset. A variable with our prefix that names no
    setting is only warned of: an orchestrator may have made it up from a service's name.

    Args:
        flags: setting → value, from the command line, text or already of its type; `None` =
            not given.
        environ: the environment.
        config: path of a TOML file; `None` = what `SLUICEGATE_CONFIG` names, if anything.

    Raises:
        SettingError: a value that is not allowed, a file that cannot be read, an unknown key.
    """
    variables = {
        name.removeprefix(ENVIRONMENT_PREFIX): text
        for name, text in environ.items()
        if name.startswith(ENVIRONMENT_PREFIX) and text
    }
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    path = config or variables.get("CONFIG")
    if path is not None:
        values |= _read_file(path)
        sources |= dict.fromkeys(values, path)
    kinds = setting_types(Settings)
    for name, kind in kinds.items():
        text = variables.pop(name.upper(), None)
        if text is not None:
            sources[name] = ENVIRONMENT_PREFIX + name.upper()
            values[name] = _parse(text, kind)
    for name, value in flags.items():
        if value is not None:
            sources[name] = f"--{name}"
            values[name] = _parse(value, kinds[name]) if isinstance(value, str) else value
    try:
        settings = Settings(**values)
        _check_files(settings)
    except SettingError as error:
        raise _with_source(error, sources) from None
    unknown = sorted(variables.keys() - _NOT_SETTINGS)
    return Loaded(
        settings=settings, sources=sources, warnings=tuple(map(_unknown_variable, unknown))
    )


def _read_file(path: str) -> dict[str, Any]:
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise refuse("config", path, f"a file that can be read ({error.strerror})") from None
    except ValueError as error:
        raise refuse("config", path, f"a TOML file ({error})") from None
    kinds = setting_types(Settings)
    for name in table:
        if name not in kinds:
            near = _near(name, kinds)
            raise SettingError(
                f"config: key {name!r} in {path} is not a setting{near}",
                details={"setting": name, "source": path},
            )
    return {name: tuple(v) if isinstance(v, list) else v for name, v in table.items()}


def _parse(text: str, kind: inspect.Type) -> object:
    """Turn a variable's text into a value of `kind`; what is no such text stays text.

    The check that follows then refuses it with the same words as any other wrong value.
    """
    text = text.strip()
    match kind:
        case inspect.Metadata(type=inner):
            return _parse(text, inner)
        case inspect.VarTupleType(item_type=item):
            return tuple(_parse(part, item) for part in text.split(",")) if text else ()
        case inspect.BoolType():
            return _WORDS.get(text.lower(), text)
        case inspect.IntType() if re.fullmatch(r"[+-]?[0-9]{1,20}", text):
            return int(text)
        case inspect.FloatType() if re.fullmatch(r"[+-]?[0-9]{0,20}\.?[0-9]{1,20}", text):
            return float(text) if "." in text else int(text)
        case _:
            return text


def _check_files(settings: Settings) -> None:
    """Refuse what would fail a moment later with a worse message."""
    folder = Path(settings.database).absolute().parent
    if not folder.is_dir():
        raise refuse("database", settings.database, f"a file in a directory that exists ({folder})")
    if Path(settings.database).is_dir():
        raise refuse("database", settings.database, "the path of a file, not of a directory")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise refuse("database", settings.database, f"a file in a writable directory ({folder})")
    if settings.tls_ca_file is not None and not os.access(settings.tls_ca_file, os.R_OK):
        raise refuse("tls_ca_file", settings.tls_ca_file, "the path of a PEM file that can be read")


def _with_source(error: SettingError, sources: Mapping[str, str]) -> SettingError:
    source = sources.get(str(error.details.get("setting")))
    if source is None:
        return error
    return SettingError(
        f"{error.message} (set by {source})", details={**error.details, "source": source}
    )


def _unknown_variable(name: str) -> str:
    near = _near(name.lower(), setting_types(Settings), prefix=ENVIRONMENT_PREFIX)
    return f"{ENVIRONMENT_PREFIX}{name} is not a setting{near}"


def _near(name: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Return ` (did you mean …?)` when something known looks alike."""
    found = difflib.get_close_matches(name, list(known), n=2)
    shown = " or ".join(prefix + each.upper() if prefix else each for each in found)
    return f" (did you mean {shown}?)" if found else ""
