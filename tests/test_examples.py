"""The examples run as their readers would run them, and show what they say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.timeout(240)  # whole runs of pytest, beside whatever else runs


def run(example: str, *options: str) -> str:
    """Run the tests of an example; return what was printed."""
    command = [sys.executable, "-m", "pytest", f"examples/{example}", "-s", "-pno:cacheprovider"]
    done = subprocess.run(  # noqa: S603 - our own file
        [*command, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_naive_receiver_is_found_out_in_plain_words() -> None:
    """The story names the one fault, the repetition and what was broken."""
    told = run("test_naive_receiver.py")
    assert "1 fault is enough to break it" in told
    assert "acts, and answers 200; the answer is lost on its way." in told
    assert " again, attempt 2; it acts, and answers 200." in told
    assert "each order is charged once, not ['apples'," in told
    assert "To repeat it: Simulation(" in told


def test_the_idempotent_receiver_stands() -> None:
    """The same search finds nothing, nor does a little soak."""
    told = run("test_idempotent_receiver.py", "--simulation-soak=3")
    assert "faults in 20 runs" in told
    assert "6 passed" in told


def test_both_sides_of_a_webhook_are_tested_with_the_kit() -> None:
    """The shop sends through failures, the warehouse refuses every forgery."""
    assert "9 passed" in run("test_shop_with_webhooks.py")
