"""One round of one subject: so many messages, sent, delivered and recorded, and what it took.

All subjects get the same payloads from the same load generator over as many connections, and post
them to the same sink. A round ends when the last message has arrived and, where the subject keeps
a record, when the last result is recorded.
"""

import os
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from subjects import Subject
from wire import Job
from workers import BenchmarkError, Cpu, Worker

__all__ = ["Delivered", "Rounds", "Shares", "Took", "closed", "paced"]

_TIMEOUT_S = 60.0
_CONNECTIONS_PACED = 256
_BOOK = "round"
_WARM_UP = 200
_WARM_UP_S = 0.5


class Shares(NamedTuple):
    """How much of a core each used in a round."""

    subject: float
    load: float
    sink: float
    others: float
    """What programs that are no part of the run took, of the core where they took more."""


class Delivered(NamedTuple):
    """One round of as many messages as can be had."""

    messages: int
    took_s: float
    """From the first send to the last result recorded."""
    cpu_s: float
    """CPU time of what was measured."""
    shares: Shares

    @property
    def per_s(self) -> float:
        """Messages a second."""
        return self.messages / self.took_s

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU a message."""
        return self.cpu_s / self.messages * 1e6


class Took(NamedTuple):
    """One round at a fixed rate: how long from the send to the arrival at the sink."""

    ms: dict[str, float]
    late_ms: dict[str, float]
    """How late the load generator was."""
    shares: Shares


class Rounds:
    """Makes rounds, and keeps the books: what was accepted must arrive once, and only once."""

    def __init__(self, load: Worker, sink: Worker) -> None:
        self._load = load
        self._sink = sink
        self._director = Cpu(os.getpid(), core=None)
        self._next = 1
        self.accepted: Counter[str] = Counter()
        """Messages, by the subject's name."""
        self.faults: list[str] = []
        """What was refused, repeated or not signed."""

    def warm_up(self, subject: Subject, *, round_s: float) -> int:
        """Return how many messages make a round of about `round_s` seconds at full speed."""
        per_s = self.throughput(subject, _WARM_UP).per_s
        per_s = self.throughput(subject, max(_WARM_UP, round(per_s * _WARM_UP_S))).per_s
        return max(_WARM_UP, round(per_s * round_s))

    def throughput(self, subject: Subject, count: int) -> Delivered:
        """Send `count` messages as fast as they are taken; return when all are delivered."""
        self._start(subject)
        sent, _, ended_ns = self._round(subject, count, closed(subject))
        return Delivered(
            messages=count,
            took_s=(ended_ns - sent["started_ns"]) / 1e9,
            cpu_s=subject.cpu.used_s(),
            shares=self._shares(subject),
        )

    def latency(self, subject: Subject, *, rate: float, seconds: float) -> Took:
        """Send at `rate` messages a second; return how long each took to arrive."""
        self._start(subject)
        sent, came, _ = self._round(subject, int(rate * seconds), paced(rate))
        return Took(ms=came["ms"], late_ms=sent["late_ms"], shares=self._shares(subject))

    def beside(self, subject: Subject, job: Job, count: int, during: Callable[[], None]) -> None:
        """Call `during` while messages are sent as `job` says, `count` of them at the most.

        Raises:
            BenchmarkError: all were sent before `during` had ended.
        """
        ended_ns = 0

        def timed() -> None:
            nonlocal ended_ns
            during()
            ended_ns = time.monotonic_ns()
            self._load.stop_sending()

        sent, _, _ = self._round(subject, count, job, during=timed)
        if sent["ended_ns"] < ended_ns:
            raise BenchmarkError(f"{subject.name}: the load ended before what it was for")

    def _start(self, subject: Subject) -> None:
        for cpu in (subject.cpu, self._load.cpu, self._sink.cpu, self._director):
            cpu.start()

    def _shares(self, subject: Subject) -> Shares:
        load, sink, ours = self._load.cpu.share(), self._sink.cpu.share(), subject.cpu.share()
        others = max(
            subject.cpu.core_share() - ours,
            self._load.cpu.core_share() - load - sink - self._director.share(),
        )
        return Shares(subject=ours, load=load, sink=sink, others=max(0.0, others))

    def _round(
        self,
        subject: Subject,
        count: int,
        job: Job,
        *,
        during: Callable[[], None] | None = None,
    ) -> tuple[Job, Job, int]:
        """Send, wait for all to arrive and be recorded, and check that nothing was lost."""
        first, self._next = self._next, self._next + count
        numbers = {"first": first, "count": count, "payload_bytes": subject.payload_bytes}
        self._sink.do({"do": "open", "book": _BOOK, **numbers}, timeout_s=5)
        load = subject.load or self._load
        load.give({**job, **subject.target(), **numbers})
        if during is not None:
            during()
        sent = load.answer(timeout_s=_TIMEOUT_S)
        self._report(awaited=sent["accepted"], timeout_s=_TIMEOUT_S)
        subject.settle(timeout_s=_TIMEOUT_S)
        ended_ns = time.monotonic_ns()
        # What came again while the last was recorded counts too.
        came = self._report(awaited=sent["accepted"], timeout_s=0)
        self._check(subject, sent, came)
        return sent, came, ended_ns

    def _report(self, *, awaited: int, timeout_s: float) -> Job:
        job = {"do": "report", "book": _BOOK, "awaited": awaited, "timeout_s": timeout_s}
        return self._sink.do(job, timeout_s=timeout_s + 5)

    def _check(self, subject: Subject, sent: Job, came: Job) -> None:
        name, accepted, wanted = subject.name, sent["accepted"], sent["wanted"]
        self.accepted[name] += accepted
        subject.accept(accepted)
        if accepted != wanted:
            refused = f"{wanted - accepted} of {wanted} sends were refused: {sent['example']!r}"
            self.faults.append(f"{name}: {refused}")
        if came["received"] != accepted:
            raise BenchmarkError(f"{name}: {accepted} accepted, {came['received']} delivered")
        if came["duplicates"]:
            self.faults.append(f"{name}: {came['duplicates']} delivered twice")
        if came["signed"] != (came["received"] if subject.signs else 0):
            self.faults.append(f"{name}: {came['signed']} of {came['received']} were signed")


def closed(subject: Subject) -> Job:
    """Return the load generator's job to send as fast as sends are taken."""
    return {"do": "closed", "connections": subject.senders}


def paced(rate: float) -> Job:
    """Return the load generator's job to send `rate` messages a second."""
    return {"do": "open", "rate": rate, "connections": _CONNECTIONS_PACED}
