"""Many seeds, in several processes at once."""

import gc
import itertools
import multiprocessing
import signal
from collections.abc import Generator, Iterable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import cast

import msgspec

from sluicegate.clock import SystemClock
from sluicegate.simulation.runs.plan import Plan
from sluicegate.simulation.runs.report import Finding, Report, report_of
from sluicegate.simulation.runs.runner import Mode, mode_of, run
from sluicegate.simulation.runs.shrinking import shrink

__all__ = ["Job", "soak"]

_LOOK_EVERY_S = 0.5
_ENDS_S = 5.0
_COLLECTED_EVERY = 25
"""Runs of a process between two collections of its garbage: some 10 MB of it."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A seed that is to be run."""

    seed: int
    mode: Mode | None = None
    """By default as `mode_of` says."""
    plan: Plan | None = None
    """By default the seed's own."""
    shrink_s: float = 60.0
    """Real seconds that shrinking may take, if it fails; 0: it is not shrunk."""

    def do(self) -> Report:
        """Run it in this process; shrink what fails."""
        ended = run(self.seed, mode=self.mode, plan=self.plan)
        if not ended.violations or not self.shrink_s:
            return report_of(ended)
        clock = SystemClock()
        deadline_s = clock.monotonic_s() + self.shrink_s
        shrunk = shrink(ended, is_over=lambda: clock.monotonic_s() > deadline_s)
        return report_of(ended, shrunk=shrunk)

    def lost(self, why: str) -> Report:
        """Return the report of a run that never ended."""
        mode = self.mode or mode_of(self.seed)
        finding = Finding(rule="process", at_s=0.0, text=why)
        return Report(seed=self.seed, mode=mode, findings=(finding,))


def soak(
    jobs: Iterable[Job], *, processes: int, stuck_s: float = 600.0
) -> Generator[Report | None, None, None]:
    """Run jobs in processes of their own; yield each report as it comes, and `None` now and then.

    The processes are ended when the iterator is closed, whatever they are at.

    Args:
        jobs: asked for the next one only when a process is free.
        processes: how many at once, at least 1.
        stuck_s: real seconds after which a process that does not answer is ended, and its seed
            reported as a failure; shrinking counts.
    """
    waiting = iter(jobs)
    workers: list[_Worker] = []
    clock = SystemClock()
    try:
        for job in waiting:
            workers.append(_Worker(job, clock))
            if len(workers) == processes:
                break
        while workers:
            ready = wait([each.pipe for each in workers], timeout=_LOOK_EVERY_S)
            for worker in list(workers):
                if worker.pipe in ready or worker.busy_s() > stuck_s:
                    yield worker.report(late=worker.pipe not in ready)
                    job_or_none = next(waiting, None)
                    if job_or_none is not None and worker.give(job_or_none):
                        continue
                    worker.end()
                    workers.remove(worker)
                    if job_or_none is not None:
                        workers.append(_Worker(job_or_none, clock))
            if not ready:
                yield None
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A process, and the job that it is at."""

    def __init__(self, job: Job, clock: SystemClock) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._clock = clock
        self._process: SpawnProcess = context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._is_fit = True
        self.give(job)

    def give(self, job: Job) -> bool:
        """Let it do a job; return whether it can."""
        if not self._is_fit:
            return False
        self._job = job
        self._since_s = self._clock.monotonic_s()
        try:
            self.pipe.send(job)
        except OSError:
            self._is_fit = False  # it is heard of as the end of its pipe
        return True

    def busy_s(self) -> float:
        """Return for how long it has been at its job, in seconds."""
        return self._clock.monotonic_s() - self._since_s

    def report(self, *, late: bool) -> Report:
        """Return what became of its job."""
        if late:
            self._is_fit = False
            return self._job.lost(f"it did not end within {self.busy_s():.0f} s")
        try:
            return cast("Report", self.pipe.recv())
        except (EOFError, ConnectionResetError):
            self._is_fit = False
            self._process.join(_ENDS_S)
            return self._job.lost(f"its process ended with code {self._process.exitcode}")

    def end(self) -> None:
        """End the process, whatever it is at."""
        self.pipe.close()
        self._process.terminate()
        self._process.join(_ENDS_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _work(pipe: Connection) -> None:
    """Do jobs until there are no more. Runs in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    for number in itertools.count(1):
        try:
            job: Job = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(job.do())
        if number % _COLLECTED_EVERY == 0:
            gc.collect()  # a run leaves cycles behind, and keeps the collector off while it lasts
