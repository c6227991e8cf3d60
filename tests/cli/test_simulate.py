"""`sluicegate simulate`: what it prints, and how it ends."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Finished

from sluicegate.simulation.runs import Plan
from sluicegate.simulation.runs.setup import Setup

Run = Callable[..., Finished]
BROKEN = Plan(setup=Setup(settings={"window": 0})).to_json()


@pytest.mark.timeout(400)
def test_digests_are_the_same_under_another_hash_seed_and_order(
    start_command: Callable[..., "subprocess.Popen[str]"],
) -> None:
    """One line a seed, in the order of the seeds, whatever the order they ran in."""
    options = ("simulate", "--seeds", "1-10", "--digests", "--shrink-seconds", "0")
    first = start_command(*options, PYTHONHASHSEED="1")
    second = start_command(*options, "--order", "shuffled", PYTHONHASHSEED="777")
    outs = [process.communicate(timeout=380)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    lines = outs[0].splitlines()
    assert lines == outs[1].splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(1, 11))
    assert len({line.split()[1] for line in lines}) == 10


def test_a_failure_is_told_with_its_plan_and_exit_code_1(run_command: Run, tmp_path: Path) -> None:
    """Seed, rules, plan, and the command that shows it again."""
    (tmp_path / "plan.json").write_text(BROKEN)
    done = run_command("simulate", "--seeds", "3", "--direct", "--plan", "plan.json")
    assert done.code == 1
    assert "seed 3 (direct) breaks: run_crashed" in done.out
    assert "sluicegate simulate --seeds 3 --direct --plan -" in done.out
    assert "1 seeds, 1 failed" in done.err


def test_json_has_one_object_a_line(run_command: Run) -> None:
    """For programs: each seed, then the sum."""
    done = run_command("simulate", "--seeds", "1,3", "--json", "--direct")
    assert done.code == 0, done.err
    *seeds, total = map(json.loads, done.out.splitlines())
    assert {each["seed"] for each in seeds} == {1, 3}
    assert all(each["mode"] == "direct" and len(each["digest"]) == 32 for each in seeds)
    assert total == {"seeds": 2, "failed": []}


def test_time_is_a_limit(run_command: Run) -> None:
    """With `--seconds` no seed begins after them; without `--seeds` they are other ones."""
    done = run_command("simulate", "--seconds", "0.001")
    assert done.code == 0
    assert "0 seeds, 0 failed" in done.err or "1 seeds, 0 failed" in done.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--seeds", "x"], "'x' is neither a seed nor a range"),
        (["--seeds", "9-1"], "ends before it begins"),
        (["--seeds", "1-99999999999"], "at most 10000000 seeds"),
        (["--jobs", "0"], "--jobs"),
        (["--seconds", "0"], "--seconds"),
        (["--seconds", "nan"], "'nan' is not a finite number"),
        (["--seconds", "inf"], "'inf' is not a finite number"),
        (["--shrink-seconds", "nan"], "'nan' is not a finite number"),
        (["--digests", "--json"], "exclude each other"),
        (["--digests", "--seconds", "3"], "--digests needs --seeds"),
        (["--plan", "no/such/file"], "--plan no/such/file"),
        (["--order", "random"], "--order"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments_are_refused_with_exit_code_2(
    run_command: Run, options: list[str], told: str
) -> None:
    """Nothing runs, and the message says what is allowed."""
    done = run_command("simulate", *options)
    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.err


def test_it_ends_quietly_when_nobody_reads_any_more(
    start_command: Callable[..., "subprocess.Popen[str]"],
) -> None:
    """As in `sluicegate simulate --digests | head -1`: as if by SIGPIPE, and not as a failure."""
    process = start_command("simulate", "--seeds", "1-1000", "--digests", "--direct")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("1 ")
    process.stdout.close()
    assert process.wait(timeout=50) == 128 + signal.SIGPIPE
    told = process.stderr.read().splitlines()
    assert all(" seeds/s, " in line for line in told), "how far it is, and nothing else"


def test_ctrl_c_ends_it_and_its_processes(
    start_command: Callable[..., "subprocess.Popen[str]"],
) -> None:
    """The exit code is 130, and no process is left behind."""
    process = start_command("simulate", "--seeds", "1-1000", "--jobs", "2", "--json")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "stopped: " in err
