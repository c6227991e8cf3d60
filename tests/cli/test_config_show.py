"""`sluicegate config show`."""

import base64
import json
import os
import pty
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from sluicegate.engine.settings import Settings

from .conftest import PATIENCE_S, Finished, command, environment

Run = Callable[..., Finished]
KEY = base64.b64encode(bytes(range(32))).decode()


def shown(run_command: Run, *arguments: str, **settings: str) -> dict[str, list[str]]:
    """Return value and source of each setting, from the lines."""
    done = run_command("config", "show", *arguments, **settings)
    assert (done.code, done.err) == (0, "")
    heading, *lines = done.out.splitlines()
    assert heading.split() == ["setting", "value", "from"]
    return {name: rest for name, *rest in (re.split(r"  +", line) for line in lines)}


def test_every_setting_is_shown_with_where_it_comes_from(run_command: Run, tmp_path: Path) -> None:
    """An option before the environment, that before the file, that before the default."""
    file = tmp_path / "settings.toml"
    file.write_text("port = 1\nwindow = 2\ndrain_s = 3\nretry_slow_s = [5, 6.5]\n")
    lines = shown(
        run_command, "--config", str(file), "--port", "7", port="8", window="9", dev="yes"
    )
    assert list(lines) == list(Settings.__struct_fields__)
    assert lines["port"] == ["7", "--port"]
    assert lines["window"] == ["9", "SLUICEGATE_WINDOW"]
    assert lines["dev"] == ["true", "SLUICEGATE_DEV"]
    assert lines["drain_s"] == ["3", str(file)]
    assert lines["retry_slow_s"] == ["5,6.5", str(file)]
    assert lines["host"] == ["127.0.0.1", "default"]
    assert lines["tls_ca_file"] == ["unset", "default"]
    assert lines["allowed_networks"] == ["none", "default"]


def test_secrets_are_never_shown(run_command: Run) -> None:
    """Only that they are set, in either form."""
    secrets = {"secret_key": KEY, "bootstrap_api_key": "sg_test_0123456789abcdefghij"}
    assert shown(run_command, **secrets)["secret_key"] == ["***", "SLUICEGATE_SECRET_KEY"]
    for arguments in ((), ("--json",)):
        done = run_command("config", "show", *arguments, **secrets)
        assert done.out.count("***") == 2
        assert not [each for each in secrets.values() if each in done.out + done.err]


def test_json_has_every_value_in_its_own_type(run_command: Run) -> None:
    """For programs: numbers are numbers, what is unset is null."""
    done = run_command("config", "show", "--json", port="0", prot="1")
    told = json.loads(done.out)
    assert list(told["settings"]) == list(Settings.__struct_fields__)
    assert told["settings"]["port"] == {"value": 0, "source": "SLUICEGATE_PORT"}
    assert told["settings"]["secret_key"] == {"value": None, "source": "default"}
    assert told["settings"]["retry_fast_s"]["value"] == [30, 60, 120, 240, 300]
    assert told["warnings"] == ["SLUICEGATE_PROT is not a setting (did you mean SLUICEGATE_PORT?)"]


def test_an_unknown_variable_is_warned_of(run_command: Run) -> None:
    """On standard error: the lines stay lines."""
    done = run_command("config", "show", prot="1")
    assert done.code == 0
    assert done.err == (
        "sluicegate: warning: SLUICEGATE_PROT is not a setting (did you mean SLUICEGATE_PORT?)\n"
    )


def test_what_serve_refuses_is_refused_in_the_same_words(run_command: Run, tmp_path: Path) -> None:
    """Value, what is allowed, and where it was set; exit code 2."""
    file = tmp_path / "bad.toml"
    file.write_text("prot = 1\n")
    for arguments in (("--port", "x"), ("--config", str(file)), ("--config", "absent.toml")):
        shown_, served = (run_command(*c, *arguments) for c in (("config", "show"), ("serve",)))
        assert (shown_.code, shown_.out) == (2, "")
        assert shown_.err == served.err
        assert len(shown_.err.splitlines()) == 1


def test_control_characters_are_shown_as_escapes(run_command: Run) -> None:
    """A value must not move the cursor of whoever looks at it."""
    lines = shown(run_command, database="a\x1b[31mb.db")
    assert lines["database"][0] == "a\\x1b[31mb.db"


def on_terminal(*arguments: str, cwd: Path) -> tuple[int, str]:
    """Run a command on a terminal of its own; return its exit code and what was shown."""
    ours, theirs = pty.openpty()
    environ = environment() | {"TERM": "xterm-256color", "COLUMNS": "100"}
    with subprocess.Popen(  # noqa: S603 - our own command
        command(*arguments), cwd=cwd, env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        seen = b""
        try:
            while piece := os.read(ours, 65536):
                seen += piece
        except OSError:  # Linux: the other side is closed
            pass
        finally:
            os.close(ours)
        code = process.wait(PATIENCE_S)
    return code, seen.decode()


def test_a_terminal_gets_a_table_with_what_was_set_in_bold(tmp_path: Path) -> None:
    """What is not the default stands out."""
    code, seen = on_terminal("config", "show", "--port", "99", cwd=tmp_path)
    assert code == 0
    assert re.search(r"port +.*\x1b\[1m99 *\x1b\[0m", seen)
    assert re.search(r"\x1b\[2mdefault", seen)


def test_a_doctors_terminal_has_colours(tmp_path: Path) -> None:
    """Green for what is well."""
    code, seen = on_terminal("doctor", cwd=tmp_path)
    assert code == 0
    assert re.search(r"\x1b\[32mok", seen)
