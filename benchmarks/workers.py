"""The processes of a run, as the process that directs it sees them."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil  # type: ignore[import-untyped] # comes without types
from wire import STOP, Job

__all__ = ["BenchmarkError", "Cores", "Cpu", "Worker", "ended", "environment", "spawned"]

HERE = Path(__file__).parent
_SOURCE = HERE.parent / "src"
_START_S = 60.0
_STOP_S = 10.0


class BenchmarkError(Exception):
    """Something that was to be measured did not work; the run ends."""


class Cores:
    """Which core is whose: what is measured has one, everything else the other.

    With only one core everything shares it, and the figures say little.
    """

    def __init__(self) -> None:
        self.available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
        self.apart = len(self.available) > 1

    def take_place(self) -> None:
        """Move this process, which directs the others, away from what is measured."""
        if self.others is not None:
            os.sched_setaffinity(0, {self.others})

    @property
    def subject(self) -> int | None:
        """For what is measured."""
        return self.available[0] if self.apart else None

    @property
    def others(self) -> int | None:
        """For the load generator, the sink and the director."""
        return self.available[1] if self.apart else None


class Cpu:
    """How much of a core processes use together, with all their threads."""

    def __init__(self, *pids: int, core: int | None) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._core = core
        self._started_s = 0.0
        self._used_s = 0.0
        self._busy_s = 0.0

    def start(self) -> None:
        """Begin to measure."""
        self._started_s, self._used_s = time.monotonic(), self._total_s()
        self._busy_s = self._core_busy_s()

    def core_share(self) -> float:
        """Return the share of its core that was used since `start`, by whomever.

        By other virtual machines too, where the host says so. 0 if it has no core of its own.
        """
        return (self._core_busy_s() - self._busy_s) / (time.monotonic() - self._started_s)

    def share(self) -> float:
        """Return seconds of CPU a second since `start`; 1.0 is a whole core."""
        return self.used_s() / (time.monotonic() - self._started_s)

    def used_s(self) -> float:
        """Return seconds of CPU since `start`."""
        return self._total_s() - self._used_s

    def _core_busy_s(self) -> float:
        if self._core is None:
            return 0.0
        times = psutil.cpu_times(percpu=True)[self._core]._asdict()
        return float(sum(times.get(name, 0.0) for name in ("user", "nice", "system", "steal")))

    def _total_s(self) -> float:
        each = [process.cpu_times() for process in self._processes]
        return float(sum(times.user + times.system for times in each))


def environment() -> dict[str, str]:
    """Return the environment for processes: ours, none of Sluicegate's settings, the sources."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("SLUICEGATE_")}
    return inherited | {"PYTHONPATH": str(_SOURCE)}


@contextlib.contextmanager
def spawned(
    command: Sequence[str],
    *,
    core: int | None,
    program: str = sys.executable,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: IO[bytes] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process, Python by default, on a core of its own; end it, and only it, at last."""
    with _on(core):
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and programs
            [program, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if log is None else log,
            stderr=log,
            cwd=cwd,
            env=dict(env) if env is not None else environment(),
        )
    try:
        yield process
    finally:
        _end(process)


@contextlib.contextmanager
def _on(core: int | None) -> Iterator[None]:
    """Have what is started meanwhile on a core from its first moment, with all its threads."""
    if core is None:
        yield
        return
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
            return


def ended(process: subprocess.Popen[bytes], name: str, *, timeout_s: float) -> None:
    """Wait until a process that was told to end has ended in order.

    Raises:
        BenchmarkError: it did not, or with another code than 0.
    """
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"{name} did not end within {timeout_s:.0f} s") from None
    if code != 0:
        raise BenchmarkError(f"{name} ended with code {code}")


class Worker:
    """A process that answers jobs; see `wire`."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, core: int | None) -> None:
        self.name = name
        self.cpu = Cpu(process.pid, core=core)
        self._process = process
        self._buffer = b""
        self._job = 0
        self.ready = self.answer(timeout_s=_START_S)

    @classmethod
    @contextlib.contextmanager
    def run(cls, name: str, *arguments: str, core: int | None) -> Iterator["Worker"]:
        """Run `<name>.py` as a worker while the context lasts."""
        with spawned([str(HERE / f"{name}.py"), *arguments], core=core) as process:
            yield cls(process, name, core)

    def finish(self) -> None:
        """Tell it that there are no more jobs, and wait until it has ended of itself.

        Raises:
            BenchmarkError: it ended with another code than 0.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        ended(self._process, self.name, timeout_s=_STOP_S)

    def stop_sending(self) -> None:
        """Tell the load generator to end its job with what it has sent."""
        self._process.send_signal(STOP)

    def give(self, job: Job) -> None:
        """Send a job; `answer` must follow before the next."""
        assert self._process.stdin is not None
        self._job += 1
        self._process.stdin.write(json.dumps(job | {"job": self._job}).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self, *, timeout_s: float) -> Job:
        """Return the answer to the last job; one to a job before it came too late, and is dropped.

        Raises:
            BenchmarkError: it did not answer in time, could not do the job, or ended.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            answer: Job = json.loads(self._line(deadline_s))
            if answer["job"] != self._job:
                continue
            if "error" in answer:
                raise BenchmarkError(f"{self.name}: {answer['error']}")
            return answer

    def _line(self, deadline_s: float) -> bytes:
        assert self._process.stdout is not None
        file = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not select.select([file], [], [], left_s)[0]:
                raise BenchmarkError(f"{self.name} did not answer in time")
            data = os.read(file, 1 << 16)
            if not data:
                raise BenchmarkError(f"{self.name} ended")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    def do(self, job: Job, *, timeout_s: float) -> Job:
        """Send a job and return its answer."""
        self.give(job)
        return self.answer(timeout_s=timeout_s)
