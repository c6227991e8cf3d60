"""A server as a real process, for the tests of the command line."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

SOURCE = Path(__file__).parents[2] / "src"
API_KEY = "sg_test_0123456789abcdefghij"
PATIENCE_S = 60


LAUNCH = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, "-m", "sluicegate", *sys.argv[1:]])
"""


def command(*arguments: str) -> list[str]:
    """Return the command line of `sluicegate` with `arguments`, run by this interpreter.

    Ctrl-C and the end of a session mean there what they mean at a terminal, also when the tests
    run in the background, where they may be ignored, and a child inherits that.
    """
    return [sys.executable, "-I", "-S", "-c", LAUNCH, *arguments]


def end_group(process: "subprocess.Popen[str]") -> None:
    """Kill a process that leads a group, and whatever it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def environment(**settings: str) -> dict[str, str]:
    """Return an environment in which only `settings` are set."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith("SLUICEGATE_")}
    ours = {f"SLUICEGATE_{name.upper()}": text for name, text in settings.items()}
    return kept | ours | {"PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1"}


class Finished(msgspec.Struct, frozen=True):
    """What a command came to."""

    code: int
    out: str
    err: str


class Server:
    """A running `sluicegate serve`.

    Attributes:
        log: the events read so far.
        started: the `server.started` event.
        url: where it listens.
        api_key: a key that it takes.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Wait until the process says that it has started."""
        self._process = process
        self.api_key = API_KEY
        self.log: list[dict[str, Any]] = []
        self.started = self.wait_for("server.started")
        self.url = f"http://127.0.0.1:{self.started['port']}"

    def wait_for(self, name: str) -> dict[str, Any]:
        """Read the log up to the next event of this name; fails when the log ends."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            assert line.startswith("{"), line + self._process.stderr.read()
            self.log.append(json.loads(line))
            if self.log[-1]["event"] == name:
                return self.log[-1]
        raise AssertionError(self.log)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def finish(self) -> Finished:
        """Wait for the end; `err` is the rest of the log."""
        out, err = self._process.communicate(timeout=PATIENCE_S)
        return Finished(self._process.returncode, out, err)


class StartServer(Protocol):
    """Starts a server with command line arguments and settings from the environment."""

    def __call__(self, *arguments: str, **settings: str) -> Server:
        """Return it when it has started."""
        ...


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start servers on free ports, on one database; they are killed at the end."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str, **settings: str) -> Server:
            defaults = {
                "port": "0",
                "database": str(tmp_path / "sluicegate.db"),
                "bootstrap_api_key": API_KEY,
            }
            process = stack.enter_context(
                subprocess.Popen(  # noqa: S603 - our own command
                    command("serve", *arguments),
                    env=environment(**defaults | settings),
                    cwd=tmp_path,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return Server(process)

        yield start


@pytest.fixture
def start_command(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start commands in a folder of its own; keywords are added to their environment.

    What is left of them and of their own processes at the end, however the test ended, is killed.
    """
    with contextlib.ExitStack() as stack:

        def start(*arguments: str, **environ: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(  # noqa: S603 - our own command
                command(*arguments),
                env=environment() | environ,
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            stack.callback(end_group, process)
            return process

        yield start


@pytest.fixture
def run_command(tmp_path: Path) -> Callable[..., Finished]:
    """Run a command to its end in a folder of its own."""

    def run(*arguments: str, **settings: str) -> Finished:
        done = subprocess.run(  # noqa: S603 - our own command
            command(*arguments),
            env=environment(**settings),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    return run
