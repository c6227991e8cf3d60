"""`sluicegate what-if`, as it is typed."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sluicegate.cli import main

SMALL = (
    *("--endpoints", "2", "--rate", "2/min", "--for", "30m", "--outage", "10m at 00:05"),
    *("--schedule", "quick=60,120", "--jitter", "0", "--jobs", "1"),
)
PNG = b"\x89PNG\r\n\x1a\n"


def what_if(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["what-if", *arguments])


def test_numbers_are_told_in_plain_lines_with_what_was_played() -> None:
    """In a pipe there is a line for each figure, a column for each schedule, and the sample."""
    result = what_if(*SMALL, "--retry-slow", "300")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "2 endpoints, 0.03333 messages/s for 30m; 10m at 00:05 (503)"
    assert lines[1].split() == ["quick", "300"]
    told = {line.split("  ")[0]: line for line in lines[2:]}
    assert {"attempts", "largest backlog", "dead letters", "busiest minute after"} <= told.keys()
    assert told["messages"].split() == ["messages", "60", "60"]
    assert "all 2 endpoints simulated" in lines
    assert "virtual hours per second" in lines[-1]


def test_json_has_a_value_for_every_minute_and_is_the_same_for_the_same_seed() -> None:
    """Nothing in it depends on the machine or the moment."""
    result = what_if(*SMALL, "--json", "--seed", "7")
    assert result.exit_code == 0, result.output
    assert result.stdout == what_if(*SMALL, "--json", "--seed", "7").stdout
    told: dict[str, Any] = json.loads(result.stdout)
    assert told.keys() == {"scenario", "sample", "schedules"}
    assert told["scenario"]["seed"] == 7
    assert told["sample"] == {
        "endpoints_simulated": 2,
        "stands_for": [1.0, 1.0],
        "quiet_every": 1,
        "tick_s": 10,
        "exact": True,
        "text": "all 2 endpoints simulated",
    }
    (course,) = told["schedules"]
    assert (course["schedule"], course["retry_slow_s"]) == ("quick", [60, 120])
    assert [len(course[name]) for name in ("backlog", "attempts", "dead_letters")] == [31, 30, 31]
    assert course["messages"] == 60
    assert course["recovery"].keys() == {
        "attempts_per_minute_max",
        "attempts_per_second_max",
        "times_normal_per_minute",
        "times_normal_per_second",
        "backlog_normal_after_s",
    }


def test_a_plot_without_an_ending_is_drawn_as_png_and_svg(tmp_path: Path) -> None:
    """The pictures say what they show: titles, schedules, and which part was played."""
    result = what_if(*SMALL, "--plot", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out.png").read_bytes().startswith(PNG)
    assert len((tmp_path / "out.png").read_bytes()) > 20_000
    picture = (tmp_path / "out.svg").read_text(encoding="utf-8")
    for comment in ("Backlog", "Attempts", "Dead letters", "Burst on recovery", "quick", "outage"):
        assert f"<!-- {comment}" in picture
    assert "all 2 endpoints simulated" in picture


def test_without_matplotlib_the_numbers_are_told_and_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is optional; a minute of playing is not thrown away for want of it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = what_if(*SMALL, "--plot", str(tmp_path / "out.png"))
    assert result.exit_code == 1
    assert "dead letters" in result.stdout
    assert "pip install 'sluicegate[plots]'" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--rate", "fast"), "rate 'fast' is not allowed"),
        (("--outage", "3h"), "outage '3h' is not allowed"),
        (("--outage", "3h at 23:00"), "let it last longer (--for)"),
        (("--for", "soon"), "duration 'soon' is not allowed"),
        (("--endpoints", "0"), "endpoints: 0 is not allowed: a number from 1 to 100,000"),
        (("--schedule", "a=x"), "schedule 'a=x' is not allowed"),
        (("--schedule", "quick=5"), "schedule 'quick' is there twice"),
        (("--jitter", "2"), "retry_jitter: value 2.0 is not allowed: a number from 0 to 1"),
        (("--attempts-max", "0"), "attempts_max: value 0 is not allowed"),
        (("--plot", "out.gif"), "plot 'out.gif' is not allowed"),
        (("--plot", "nowhere/out.png"), "there is no folder 'nowhere'"),
        (("--seed", "7", "--messages", "0"), "messages: 0 is not allowed"),
    ],
)
def test_what_is_not_allowed_is_told_in_one_line(arguments: tuple[str, ...], told: str) -> None:
    """Exit code 2, nothing on standard output, and what is wrong, where, and what is allowed."""
    result = what_if(*SMALL, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
