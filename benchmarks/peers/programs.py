"""A peer's programs: all on one core, each with a log of its own."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import Popen
from typing import NamedTuple, Self

import psutil  # type: ignore[import-untyped] # comes without types
from workers import BenchmarkError, Cpu, environment, spawned

from peers.stock import Stock

__all__ = ["Place", "Programs", "free_port"]

_START_S = 30.0
_RUN_S = 60.0
_LOOK_S = 0.05
_LOG_BYTES = 1500


class Place(NamedTuple):
    """Where a peer runs, and whom it posts to."""

    stock: Stock
    folder: Path
    """Its own, on a disk."""
    core: int | None
    sink_url: str


class Programs:
    """The programs of one peer. All are ended on the way out, the last first, and only they."""

    def __init__(self, place: Place, stack: contextlib.ExitStack) -> None:
        self._place = place
        self._stack = stack
        self._processes: dict[str, Popen[bytes]] = {}

    @classmethod
    @contextlib.contextmanager
    def of(cls, place: Place) -> Iterator[Self]:
        """Have programs run while the context lasts."""
        with contextlib.ExitStack() as stack:
            yield cls(place, stack)

    def start(self, name: str, *command: str | Path, settings: Mapping[str, str]) -> None:
        """Run a program; `settings` are added to its environment."""
        children: list[psutil.Process] = []
        self._stack.callback(_kill, children)
        log = self._stack.enter_context(self._log(name).open("wb"))
        process = self._stack.enter_context(
            spawned(
                [str(part) for part in command[1:]],
                program=str(command[0]),
                core=self._place.core,
                cwd=self._place.folder,
                env=_plain_environment() | dict(settings),
                log=log,
            )
        )
        self._stack.callback(_note_children, process.pid, children)
        self._processes[name] = process

    def run(self, name: str, *command: str | Path, settings: Mapping[str, str]) -> None:
        """Run a program to its end.

        Raises:
            BenchmarkError: it ended with another code than 0, or did not end.
        """
        self.start(name, *command, settings=settings)
        process = self._processes.pop(name)
        deadline_s = time.monotonic() + _RUN_S
        while process.poll() is None and time.monotonic() < deadline_s:
            time.sleep(_LOOK_S)
        if process.poll() != 0:
            raise BenchmarkError(f"{name} did not do its work: {self._end_of_log(name)}")

    def await_port(self, name: str, port: int) -> None:
        """Return when a program of that name, just started, takes connections.

        Raises:
            BenchmarkError: it does not, or has ended.
        """

        def takes_connections() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return True
            return False

        self._await(name, takes_connections)

    def await_log(self, name: str, text: str) -> None:
        """Return when a program has logged a text.

        Raises:
            BenchmarkError: it does not, or has ended.
        """
        self._await(name, lambda: text.encode() in self._log(name).read_bytes())

    def _await(self, name: str, is_ready: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + _START_S
        while time.monotonic() < deadline_s and self._processes[name].poll() is None:
            if is_ready():
                return
            time.sleep(_LOOK_S)
        raise BenchmarkError(f"{name} did not start: {self._end_of_log(name)}")

    def cpu(self) -> Cpu:
        """Return the CPU of all programs and their children; all have started."""
        pids = [process.pid for process in self._processes.values()]
        children = [
            child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)
        ]
        return Cpu(*pids, *children, core=self._place.core)

    def _log(self, name: str) -> Path:
        return self._place.folder / f"{name}.log"

    def _end_of_log(self, name: str) -> str:
        return self._log(name).read_bytes()[-_LOG_BYTES:].decode(errors="replace").strip()


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _plain_environment() -> dict[str, str]:
    """Return an environment in which Python finds nothing of ours."""
    return {name: value for name, value in environment().items() if name != "PYTHONPATH"}


def _note_children(pid: int, children: list[psutil.Process]) -> None:
    """Note the children of a process that is about to be ended, which should end them."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children += psutil.Process(pid).children(recursive=True)


def _kill(processes: list[psutil.Process]) -> None:
    """Kill those that outlived their parent."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
