"""Settings: each bad value is refused in one line that tells what is allowed, secrets never."""

import io
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sluicegate.engine.errors import SettingError
from sluicegate.engine.setting_rules import setting_types
from sluicegate.engine.settings import SECRET_SETTINGS, Settings

KEY = "A" * 43 + "="
API_KEY = "sg_live_0123456789abcdef"
DELAYS = "1 to 100 numbers from 0 to 31536000, separated by commas"
NETWORKS = "networks such as 10.0.0.0/8 or fd00::/8, separated by commas"


def refusal(**values: object) -> str:
    """Return the line with which the settings are refused."""
    made: Any = Settings
    with pytest.raises(SettingError) as caught:
        made(**values)
    assert set(values) >= {caught.value.details["setting"]}
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"port": 70_000}, "port: value 70000 is not allowed: a whole number from 0 to 65535"),
        ({"port": -1}, "port: value -1 is not allowed: a whole number from 0 to 65535"),
        ({"port": "8400"}, "port: value '8400' is not allowed: a whole number from 0 to 65535"),
        ({"port": True}, "port: value True is not allowed: a whole number from 0 to 65535"),
        ({"port": 1.5}, "port: value 1.5 is not allowed: a whole number from 0 to 65535"),
        ({"dev": 1}, "dev: value 1 is not allowed: true or false"),
        ({"database": ""}, "database: value '' is not allowed: the path of a file"),
        ({"database": ":memory:"}, "database: value ':memory:' is not allowed: the path of a file"),
        ({"host": None}, "host: value None is not allowed: an address or a host name"),
        (
            {"log_level": "loud"},
            "log_level: value 'loud' is not allowed: one of debug, error, info, warning",
        ),
        ({"drain_s": float("nan")}, "drain_s: value nan is not allowed: a number from 0 to 3600"),
        ({"drain_s": float("inf")}, "drain_s: value inf is not allowed: a number from 0 to 3600"),
        (
            {"retry_slow_s": ()},
            f"retry_slow_s: value () is not allowed: {DELAYS}",
        ),
        (
            {"retry_fast_s": (1, -2)},
            f"retry_fast_s: value -2 is not allowed: {DELAYS}",
        ),
        (
            {"allowed_networks": ("10.0.0.0/8", "10.0.0.1/8")},
            f"allowed_networks: value '10.0.0.1/8' is not allowed: {NETWORKS}",
        ),
        (
            {"bootstrap_api_key": "twenty-three-characters"},
            "bootstrap_api_key: value *** is not allowed: 24 to 255 visible ASCII characters",
        ),
        (
            {"bootstrap_api_key": "with a space in the middle"},
            "bootstrap_api_key: value *** is not allowed: 24 to 255 visible ASCII characters",
        ),
        ({"secret_key": KEY[4:]}, "secret_key: value *** is not allowed: base64 of 32 bytes"),
        ({"secret_key": "!" * 44}, "secret_key: value *** is not allowed: base64 of 32 bytes"),
    ],
)
def test_a_bad_value_is_refused_in_one_line_that_tells_what_is_allowed(
    values: dict[str, object], line: str
) -> None:
    """A bad setting is told as setting, value and what is allowed, on one line."""
    assert refusal(**values) == line


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "ftp://hooks.example",
        "https://",
        "https://hooks.example/?a=1",
        "https://hooks.example/#a",
        "https://user:pass@hooks.example",
        "https://hooks.example\r\nSet-Cookie: a=b",
        "https://hooks.example:port",
    ],
)
def test_a_public_url_is_one_that_a_path_can_be_added_to(url: str) -> None:
    """Links are made of it: nothing but a scheme, a host, a port and a path."""
    allowed = "an http or https URL without query and fragment"
    assert refusal(public_url=url) == f"public_url: value {url!r} is not allowed: {allowed}"
    for good in ("https://hooks.example", "http://127.0.0.1:8400/", "https://[::1]/a/b-c"):
        assert Settings(public_url=good).public_url == good


@pytest.mark.parametrize("name", sorted(setting_types(Settings)))
def test_every_setting_refuses_what_is_of_no_use(name: str) -> None:
    """No setting takes an object of a foreign type."""
    assert refusal(**{name: object()}).startswith(f"{name}: value ")


@pytest.mark.parametrize("field", msgspec.structs.fields(Settings), ids=lambda field: field.name)
def test_every_bound_is_included_and_the_next_value_is_not(
    field: msgspec.structs.FieldInfo,
) -> None:
    """A number's bounds are allowed values; one further is refused."""
    kind = setting_types(Settings)[field.name]
    if not isinstance(kind, msgspec.inspect.IntType | msgspec.inspect.FloatType):
        return
    assert kind.ge is not None
    assert kind.le is not None
    made: Any = Settings
    for bound in (kind.ge, kind.le):
        number = int(bound) if isinstance(kind, msgspec.inspect.IntType) else bound
        assert getattr(made(**{field.name: number}), field.name) == number
    refusal(**{field.name: int(kind.ge) - 1})
    refusal(**{field.name: int(kind.le) + 1})


def test_secrets_are_never_shown() -> None:
    """`repr` and rich show secret settings as `***`, and unset ones as unset."""
    settings = Settings(secret_key=KEY, bootstrap_api_key=API_KEY, outboxes=("sqlite:///shop.db",))
    screen = Console(file=io.StringIO(), width=200)
    screen.print(settings)
    assert isinstance(screen.file, io.StringIO)
    for shown in (repr(settings), str(settings), screen.file.getvalue()):
        assert KEY not in shown
        assert API_KEY not in shown
        assert "shop.db" not in shown
        assert shown.count("***") == len(SECRET_SETTINGS)
    assert "secret_key=None" in repr(Settings())


def test_a_replaced_value_is_checked_too() -> None:
    """`msgspec.structs.replace` does not get round the bounds."""
    with pytest.raises(SettingError, match="port: value 70000 is not allowed"):
        msgspec.structs.replace(Settings(), port=70_000)


@given(text=st.text(max_size=40))
def test_any_text_as_a_network_is_taken_or_refused_in_one_line(text: str) -> None:
    """No text makes anything but a setting or its refusal, and a refusal is one line."""
    try:
        Settings(allowed_networks=(text,))
    except SettingError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 - either way is right
