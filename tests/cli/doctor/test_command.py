"""`sluicegate doctor` as a command."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sluicegate.cli.doctor.examination import CHECKS

if TYPE_CHECKING:
    from tests.cli.conftest import Finished, StartServer

Run = Callable[..., "Finished"]


def test_a_sound_place_is_told_line_by_line_with_exit_code_0(run_command: Run) -> None:
    """Status, what was checked, what was seen; advice under it; a sum at the end."""
    done = run_command("doctor")
    assert (done.code, done.err) == (0, "")
    *lines, blank, total = done.out.splitlines()
    assert blank == ""
    assert {line.split()[0] for line in lines} <= {"ok", "warning", "skipped", "->"}
    assert "\x1b" not in done.out
    assert total.split(",")[0].split()[1] == "ok"


def test_a_fault_is_exit_code_1_and_json_says_what_to_do(run_command: Run, tmp_path: Path) -> None:
    """For programs: whether all is well, and each check."""
    (tmp_path / "sluicegate.db").write_bytes(b"rubbish" * 1000)
    done = run_command("doctor", "--json")
    told = json.loads(done.out)
    assert (done.code, told["ok"]) == (1, False)
    (schema,) = [each for each in told["checks"] if each["name"] == "schema"]
    assert schema["status"] == "error"
    assert "not a SQLite database" in schema["seen"]
    assert schema["advice"]
    assert {frozenset(each) for each in told["checks"]} == {
        frozenset({"name", "status", "seen", "advice"})
    }


def test_settings_that_are_not_allowed_are_the_finding(run_command: Run) -> None:
    """In the words of `serve`; nothing else can be checked."""
    done = run_command("doctor", "--json", "--port", "x")
    (check,) = json.loads(done.out)["checks"]
    assert (done.code, check["name"], check["status"]) == (1, "settings", "error")
    assert check["seen"] == (
        "port: value 'x' is not allowed: a whole number from 0 to 65535 (set by --port)"
    )


def test_an_unknown_variable_is_a_warning(run_command: Run) -> None:
    """It does not stop a start, so it is no error."""
    done = run_command("doctor", "--json", prot="1")
    assert done.code == 0
    first = json.loads(done.out)["checks"][0]
    assert (first["name"], first["status"]) == ("settings", "warning")


def test_a_running_server_is_left_in_peace(start_server: "StartServer", run_command: Run) -> None:
    """Its database is not looked into, and it stops in order afterwards."""
    server = start_server()
    done = run_command("doctor", "--deep", "--json")
    told = {each["name"]: each for each in json.loads(done.out)["checks"]}
    assert done.code == 0
    assert told["database"]["status"] == "skipped"
    assert "a server runs" in told["lock"]["seen"]
    server.signal(signal.SIGTERM)
    assert server.finish().code == 0
    told = {
        each["name"]: each
        for each in json.loads(run_command("doctor", "--deep", "--json").out)["checks"]
    }
    assert told["integrity"]["status"] == told["counters"]["status"] == "ok"


def test_every_check_says_what_it_asks() -> None:
    """The first line of its docstring is a question."""
    assert len(CHECKS) > 15
    for check in CHECKS:
        assert "?" in str(check.__doc__).splitlines()[0], check
