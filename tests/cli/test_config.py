"""Where settings come from: an option, the environment, a TOML file, the default; in that order."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from sluicegate.cli.config import load_settings
from sluicegate.engine.errors import SettingError
from sluicegate.engine.settings import Settings


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(
    environ: Mapping[str, str] = {}, /, *, config: str | None = None, **flags: str | None
) -> Settings:
    """Load settings that must bring no warning."""
    loaded = load_settings(flags, environ=environ, config=config)
    assert loaded.warnings == ()
    return loaded.settings


def refusal(
    environ: Mapping[str, str] = {}, /, *, config: str | None = None, **flags: str | None
) -> str:
    """Return the one line with which the start is refused."""
    with pytest.raises(SettingError) as caught:
        load_settings(flags, environ=environ, config=config)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def written(text: str) -> str:
    """Write a TOML file and return its path."""
    Path("sluicegate.toml").write_text(text, encoding="utf-8")
    return "sluicegate.toml"


def test_without_anything_the_defaults_hold() -> None:
    """The default comes last."""
    assert load() == Settings()


def test_an_option_beats_the_environment_beats_the_file_beats_the_default() -> None:
    """Option > environment > TOML file > default, each setting for itself."""
    config = written("port = 1\nhost = '127.0.0.2'\nwindow = 10\n")
    environ = {"SLUICEGATE_PORT": "2", "SLUICEGATE_HOST": "127.0.0.3"}
    settings = load(environ, config=config, port="3", host=None)
    assert (settings.port, settings.host, settings.window) == (3, "127.0.0.3", 10)
    assert settings.mailbox_max == Settings().mailbox_max


def test_the_file_may_be_named_by_the_environment_and_an_option_beats_that() -> None:
    """`SLUICEGATE_CONFIG` names the file unless `--config` does."""
    Path("other.toml").write_text("port = 5\n", encoding="utf-8")
    config = written("port = 4\n")
    assert load({"SLUICEGATE_CONFIG": config}).port == 4
    assert load({"SLUICEGATE_CONFIG": config}, config="other.toml").port == 5


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("retry_slow_s", "1800,7200", (1800, 7200)),
        ("retry_fast_s", " 0.5, 1 ,2.25 ", (0.5, 1, 2.25)),
        ("retry_jitter", ".5", 0.5),
        ("attempts_max", "3", 3),
        ("allowed_networks", "127.0.0.0/8,::1/128", ("127.0.0.0/8", "::1/128")),
        ("dev", "true", True),
        ("dev", "ON", True),
        ("dev", "0", False),
        ("bootstrap_api_key", "k" * 24, "k" * 24),
        ("log_format", "json", "json"),
        ("port", "", 8400),
    ],
)
def test_a_variable_is_read_as_the_type_of_its_setting(name: str, text: str, value: object) -> None:
    """Lists are separated by commas; an empty variable counts as unset."""
    assert getattr(load({f"SLUICEGATE_{name.upper()}": text}), name) == value


def test_a_file_holds_every_type_of_setting() -> None:
    """TOML's own types are the settings' types; arrays are lists."""
    config = written(
        "dev = true\nport = 0\ndrain_s = 1.5\nretry_slow_s = [1, 2.5]\n"
        "allowed_networks = ['10.0.0.0/8']\nlog_level = 'debug'\n"
    )
    assert load(config=config) == Settings(
        dev=True,
        port=0,
        drain_s=1.5,
        retry_slow_s=(1, 2.5),
        allowed_networks=("10.0.0.0/8",),
        log_level="debug",
    )


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("port", "eighty", "'eighty'"),
        ("port", "tcp://10.0.0.1:8400", "'tcp://10.0.0.1:8400'"),
        ("port", "9" * 5000, f"'{'9' * 78}…"),
        ("port", "8_400", "'8_400'"),
        ("dev", "maybe", "'maybe'"),
        ("drain_s", "nan", "'nan'"),
        ("retry_slow_s", "1,x", "'x'"),
        ("retry_slow_s", "1,,2", "''"),
        ("allowed_networks", "all", "'all'"),
        ("bootstrap_api_key", "short", "***"),
        ("secret_key", "not base64", "***"),
    ],
)
def test_a_bad_variable_is_refused_with_its_name(name: str, text: str, shown: str) -> None:
    """The line names setting, value, what is allowed and where it was set."""
    variable = f"SLUICEGATE_{name.upper()}"
    line = refusal({variable: text})
    assert line.startswith(f"{name}: value {shown} is not allowed: ")
    assert line.endswith(f" (set by {variable})")


def test_a_bad_option_is_refused_with_its_name() -> None:
    """An option goes through the same check as anything else."""
    assert refusal(port="x") == (
        "port: value 'x' is not allowed: a whole number from 0 to 65535 (set by --port)"
    )


def test_a_wrong_type_in_the_file_is_refused_with_the_files_name() -> None:
    """A TOML string is not taken for a number."""
    assert refusal(config=written("port = '8400'\n")) == (
        "port: value '8400' is not allowed: a whole number from 0 to 65535 (set by sluicegate.toml)"
    )


def test_an_unknown_key_in_the_file_is_refused_and_near_ones_are_named() -> None:
    """A typing error in the file must not go unseen."""
    assert refusal(config=written("retry_slow = [1]\n")).startswith(
        "config: key 'retry_slow' in sluicegate.toml is not a setting (did you mean retry_slow_s"
    )


def test_an_unknown_variable_is_warned_of_and_near_ones_are_named() -> None:
    """An orchestrator may make up variables; they do not stop the start."""
    environ = {"SLUICEGATE_PROT": "1", "SLUICEGATE_URL": "http://x", "SLUICEGATE_API_KEY": "k"}
    loaded = load_settings({}, environ=environ, config=None)
    assert loaded.warnings == ("SLUICEGATE_PROT is not a setting (did you mean SLUICEGATE_PORT?)",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, "config: value sluicegate.toml is not allowed: a file that can be read"),
        ("port = \n", "config: value sluicegate.toml is not allowed: a TOML file"),
        ("port = " + "9" * 5000, "config: value sluicegate.toml is not allowed: a TOML file"),
    ],
)
def test_an_unreadable_file_is_refused(text: str | None, line: str) -> None:
    """A file that is not there, or is not TOML, stops the start."""
    if text is not None:
        written(text)
    assert refusal(config="sluicegate.toml").startswith(line)


def test_a_database_in_a_folder_that_does_not_exist_is_refused() -> None:
    """Told before SQLite would say that it cannot open something."""
    line = refusal(database="nowhere/x.db")
    assert line.startswith("database: value nowhere/x.db is not allowed: a file in a directory ")


def test_a_folder_as_the_database_is_refused() -> None:
    """A directory is not a file."""
    assert "not of a directory" in refusal(database=".")


def test_a_certificate_file_that_is_not_there_is_refused() -> None:
    """Told at the start, not at the first delivery."""
    assert refusal({"SLUICEGATE_TLS_CA_FILE": "ca.pem"}).startswith(
        "tls_ca_file: value ca.pem is not allowed: the path of a PEM file that can be read"
    )
