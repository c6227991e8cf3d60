"""`sluicegate demo`: it ends by itself, and its checks can fail."""

import hashlib
import hmac
import io
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from rich.console import Console
from rich.text import Text

from sluicegate.cli.demo.receiver import Arrival, is_signed_by
from sluicegate.cli.demo.screen import Screen
from sluicegate.cli.demo.story import Story

if TYPE_CHECKING:
    from tests.cli.conftest import Finished

SECRET = "whsec_c2VjcmV0"


def arrival(number: int, at_s: float, *, is_signed: bool = True) -> Arrival:
    """Return the arrival of message `number`."""
    return Arrival(at_s=at_s, message_id=f"m{number}", number=number, is_signed=is_signed)


def story(*arrivals: Arrival) -> Story:
    """Return a demo in which 2 of 4 messages were held from 2 s to 5 s."""
    return Story(
        arrivals=list(arrivals),
        accepted=["m1", "m2", "m3", "m4"],
        begun=4,
        begun_at_pause=2,
        pause_answered_at_s=2.0,
        resume_asked_at_s=5.0,
        held_at_resume=2,
        requeued=2,
    )


GOOD = (arrival(1, 1.0), arrival(2, 1.5), arrival(3, 5.1), arrival(4, 5.2))


def broken(told: Story) -> list[str]:
    """Return the promises that were not kept."""
    return [check.promise for check in told.checks() if not check.is_kept]


def test_a_good_story_keeps_every_promise() -> None:
    """What should happen passes."""
    assert broken(story(*GOOD)) == []
    in_flight = (arrival(1, 1.0), arrival(2, 2.01), *GOOD[2:])
    assert broken(story(*in_flight)) == []


@pytest.mark.parametrize(
    ("told", "promise"),
    [
        (story(*GOOD[:3]), "everything accepted is delivered"),
        (story(*GOOD, GOOD[3]), "nothing is delivered twice"),
        (story(GOOD[1], GOOD[0], *GOOD[2:]), "the order is that of acceptance"),
        (
            story(*GOOD[:3], arrival(4, 5.2, is_signed=False)),
            "every signature verifies",
        ),
        (
            story(*GOOD[:2], arrival(3, 3.0), GOOD[3]),
            "no attempt starts while paused",
        ),
        (
            story(arrival(1, 2.1), arrival(2, 2.2), *GOOD[2:]),
            "no attempt starts while paused",
        ),
        (
            msgspec.structs.replace(story(*GOOD), requeued=3),
            "the resume requeues what was held",
        ),
        (
            msgspec.structs.replace(story(*GOOD), requeued=0, held_at_resume=0),
            "the resume requeues what was held",
        ),
        (story(), "messages flow before the pause"),
    ],
)
def test_a_broken_promise_is_seen(told: Story, promise: str) -> None:
    """Each check fails when what it checks goes wrong."""
    assert promise in broken(told)


def test_the_receiver_verifies_signatures() -> None:
    """One of several signatures is enough; another body, time or secret is not."""
    mac = hmac.new(SECRET.encode(), b"1700000000.{}", hashlib.sha256).hexdigest()
    headers = {"X-Webhook-Timestamp": "1700000000", "X-Webhook-Signature": f"sha256={mac}"}
    assert is_signed_by(SECRET, headers, b"{}")
    two = headers | {"X-Webhook-Signature": f"sha256={'0' * 64},sha256={mac}"}
    assert is_signed_by(SECRET, two, b"{}")
    assert not is_signed_by(SECRET, headers, b"[]")
    assert not is_signed_by("whsec_other", headers, b"{}")
    assert not is_signed_by(SECRET, headers | {"X-Webhook-Timestamp": "1700000001"}, b"{}")
    assert not is_signed_by(SECRET, {}, b"{}")


def test_the_demo_ends_by_itself_and_keeps_its_promises(
    run_command: Callable[..., "Finished"],
) -> None:
    """Not on a terminal it tells plain lines; exit code 0 means that every check came true."""
    end = run_command("demo")
    assert (end.code, end.err) == (0, "")
    assert "\x1b" not in end.out
    assert "paused: answered in" in end.out
    assert "resumed: answered in" in end.out
    assert "7 of 7 promises kept" in end.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_demo_cleanly(
    start_command: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    """SIGINT (Ctrl-C) or SIGTERM: no traceback, nothing left behind, exit code 130."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with start_command("demo", TMPDIR=str(temporary)) as process:
        assert process.stdout is not None
        assert any("sending" in line for line in process.stdout)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert out.endswith("stopped\n")
    assert list(temporary.iterdir()) == []


async def test_on_a_terminal_there_is_a_live_table() -> None:
    """The table shows what was accepted, delivered and waits."""
    told = story(*GOOD[:3])
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    screen = Screen(told, console=console)
    async with screen.showing():
        screen.phase = "paused"
        screen.say("paused: answered in 1 ms")
    screen.conclude(told.checks())
    assert isinstance(console.file, io.StringIO)
    shown = Text.from_ansi(console.file.getvalue()).plain
    assert "endpoint: paused" in shown
    assert re.search(r"accepted\W+4\b", shown)
    assert re.search(r"delivered\W+3\b", shown)
    assert re.search(r"waiting\W+1\b", shown)
    assert re.search(r"FAILED\s+everything accepted is delivered", shown)
