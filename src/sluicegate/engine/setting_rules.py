"""What a setting may be: its bounds are read from its type, and told in words.

Pure; the same rules check a program's `Settings(...)`, the environment, a TOML file and a flag,
and fill the table in `docs/settings.md`.
"""

import base64
import binascii
import functools
import ipaddress
import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet

import msgspec
from msgspec import inspect

from sluicegate.engine.errors import SettingError

__all__ = ["allowed_text", "check_settings", "refuse", "setting_types"]

_SECRET_KEY_BYTES = 32
_API_KEY_CHARS_MIN = 24
_API_KEY_CHARS_MAX = 255
_SHOWN_CHARS_MAX = 80
_PUBLIC_URL = re.compile(
    r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?"
)
_OUTBOX = re.compile(r"sqlite:///(?!:memory:|file:)[^?#]+|postgres(ql)?://.+", re.DOTALL)


def check_settings(settings: msgspec.Struct, *, secret: AbstractSet[str] = frozenset()) -> None:
    """Hold every field of `settings` to its type, its bounds and its own rule.

    Args:
        settings: what to check.
        secret: names of the settings whose values an error must not show.

    Raises:
        SettingError: the first value that is not allowed.
    """
    for name, kind in setting_types(type(settings)).items():
        value = getattr(settings, name)
        culprit = _culprit(value, kind, _RULES.get(name, _anything))
        if culprit is not None:
            raise refuse(name, "***" if name in secret else culprit, allowed_text(kind))


def refuse(setting: str, shown: str, allowed: str) -> SettingError:
    """Make the error that names a setting, its value as it may be shown, and what is allowed."""
    return SettingError(
        f"{setting}: value {shown} is not allowed: {allowed}",
        details={"setting": setting, "value": shown, "allowed": allowed},
    )


@functools.cache
def setting_types(settings_type: type[msgspec.Struct]) -> dict[str, inspect.Type]:
    """Return each setting's type with its bounds, in the order of the definition."""
    info = inspect.type_info(settings_type)
    assert isinstance(info, inspect.StructType)
    return {field.name: field.type for field in info.fields}


def allowed_text(kind: inspect.Type) -> str:
    """Say in words which values a type has, in a form that follows a colon."""
    match kind:
        case inspect.Metadata(extra_json_schema={"description": str() as text}):
            return text
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=low, le=high):
            return f"a whole number from {low} to {high}"
        case inspect.FloatType(ge=low, le=high):
            return f"a number from {low:g} to {_plain(high)}"
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(map(str, values))}"
        case inspect.VarTupleType(item_type=inspect.FloatType(ge=low, le=high)):
            return (
                f"{kind.min_length} to {kind.max_length} numbers from {low:g} to {_plain(high)}, "
                "separated by commas"
            )
        case inspect.VarTupleType(item_type=item):
            return f"{allowed_text(item)}, separated by commas"
        case _:
            raise AssertionError(kind)


def _culprit(value: object, kind: inspect.Type, rule: Callable[[str], bool]) -> str | None:
    """Return the part of `value` that is not allowed, as text; `None` when all is well."""
    if isinstance(kind, inspect.VarTupleType) and isinstance(value, tuple):
        if not _is_within(len(value), kind.min_length, kind.max_length):
            return _shown(value)
        bad = (_culprit(each, kind.item_type, rule) for each in value)
        return next((text for text in bad if text is not None), None)
    return None if _is_allowed(value, kind, rule) else _shown(value)


def _is_allowed(value: object, kind: inspect.Type, rule: Callable[[str], bool]) -> bool:
    match kind:
        case inspect.Metadata(type=inner):
            return _is_allowed(value, inner, rule)
        case inspect.UnionType() if value is None:
            return True
        case inspect.StrType() | inspect.UnionType():
            return isinstance(value, str) and value != "" and "\0" not in value and rule(value)
        case inspect.LiteralType(values=values):
            return isinstance(value, str) and value in values
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType(ge=low, le=high) if type(value) is int:
            return _is_within(value, low, high)
        case inspect.FloatType(ge=low, le=high) if type(value) in (int, float):
            return isinstance(value, int | float) and _is_within(value, low, high)
        case _:
            return False


def _shown(value: object) -> str:
    """Return a value as it stands in an error: on one line, and not without end."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS_MAX else f"{text[: _SHOWN_CHARS_MAX - 1]}…"


def _is_within(value: float, low: float | None, high: float | None) -> bool:
    """Compare with bounds that are included; not-a-number is in no range."""
    return (low is None or value >= low) and (high is None or value <= high)


def _plain(number: float | None) -> str:
    return str(int(number)) if number is not None and number == int(number) else str(number)


def _anything(_: str) -> bool:
    return True


def _is_path(text: str) -> bool:
    # SQLite would take these for a database that is in memory, and lose everything.
    return text != ":memory:" and not text.startswith("file:")


def _is_api_key(text: str) -> bool:
    fits = _API_KEY_CHARS_MIN <= len(text) <= _API_KEY_CHARS_MAX
    return fits and text.isascii() and text.isprintable() and " " not in text


def _is_secret_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text.strip(), validate=True)) == _SECRET_KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_public_url(text: str) -> bool:
    return _PUBLIC_URL.fullmatch(text) is not None


def _is_outbox(text: str) -> bool:
    return _OUTBOX.fullmatch(text) is not None


_RULES: dict[str, Callable[[str], bool]] = {
    "allowed_networks": _is_network,
    "bootstrap_api_key": _is_api_key,
    "database": _is_path,
    "outboxes": _is_outbox,
    "public_url": _is_public_url,
    "secret_key": _is_secret_key,
}
"""The rules that a type cannot tell; each judges one text."""
