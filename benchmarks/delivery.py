"""Messages delivered end to end, and how long one takes: Sluicegate and the relay in turn.

Both get the same payloads from the same load generator over as many connections, and post them to
the same sink. A round of ours ends when the last result is recorded, not when it has arrived.
"""

import os
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from ours import API_KEY, Server
from wire import Job
from workers import BenchmarkError, Cpu, Worker

__all__ = [
    "CONNECTIONS",
    "Bench",
    "Delivered",
    "Ours",
    "Relay",
    "Subject",
    "Took",
    "closed",
    "paced",
]

CONNECTIONS = 64
"""Sends in progress at once, and attempts in flight at once: 4 endpoints, each with 16."""
_ENDPOINTS = 4
_ROUND_TIMEOUT_S = 60.0
_CONNECTIONS_PACED = 256
_RECORDED_EVERY_S = 0.01


class Subject(Protocol):
    """What is measured."""

    name: str
    cpu: Cpu
    signs: bool

    def target(self) -> Job:
        """Return where and how the load generator posts to it."""
        ...

    def settle(self, *, timeout_s: float) -> None:
        """Return when everything that arrived at the sink is recorded."""
        ...


class Relay:
    """The baseline."""

    name = "relay"
    signs = False

    def __init__(self, worker: Worker) -> None:
        self.cpu = worker.cpu
        self._port = worker.ready["port"]

    def target(self) -> Job:
        """See `Subject.target`: the body is the payload."""
        return {
            "port": self._port,
            "path": "/relay",
            "headers": [],
            "openings": [""],
            "closing": "",
        }

    def settle(self, *, timeout_s: float) -> None:
        """It records nothing."""


class Ours:
    """Sluicegate, with endpoints whose configuration is the default."""

    name = "Sluicegate"
    signs = True

    def __init__(self, server: Server, sink_port: int) -> None:
        self.cpu = server.cpu
        self.server = server
        self.endpoint_ids = [
            server.create_endpoint(f"http://127.0.0.1:{sink_port}/hook/{number}")
            for number in range(_ENDPOINTS)
        ]

    def target(self) -> Job:
        """See `Subject.target`: the payload stands in a send request."""
        return {
            "port": self.server.port,
            "path": "/v1/webhooks/send",
            "headers": [f"Authorization: Bearer {API_KEY}"],
            "openings": [
                f'{{"endpoint_id":"{endpoint_id}","payload":' for endpoint_id in self.endpoint_ids
            ],
            "closing": "}",
        }

    def settle(self, *, timeout_s: float) -> None:
        """Wait until no message is queued, in flight or waiting on a retry."""
        deadline_s = time.monotonic() + timeout_s
        while (left := self.server.unfinished(self.endpoint_ids)) > 0:
            if time.monotonic() > deadline_s:
                raise BenchmarkError(f"{left} messages were not recorded as delivered")
            time.sleep(_RECORDED_EVERY_S)


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


class Bench:
    """Runs rounds, and keeps the books: what was accepted must arrive once, and only once."""

    def __init__(self, load: Worker, sink: Worker) -> None:
        self._load = load
        self._sink = sink
        self._director = Cpu(os.getpid(), core=None)
        self._next = 1
        self.accepted: dict[str, int] = {}
        self.faults: list[str] = []
        """What was refused, repeated or not signed."""

    def throughput(self, subject: Subject, count: int) -> Delivered:
        """Send `count` messages as fast as they are taken; return when all are delivered."""
        self._start(subject)
        sent, _, ended_ns = self._round(subject, count, closed())
        return Delivered(
            messages=count,
            took_s=(ended_ns - sent["started_ns"]) / 1e9,
            cpu_s=subject.cpu.used_s(),
            shares=self._shares(subject),
        )

    def latency(self, subject: Subject, *, rate: float, seconds: float) -> Took:
        """Send `rate` messages a second; return how long they took."""
        self._start(subject)
        sent, came, _ = self._round(subject, int(rate * seconds), paced(rate))
        return Took(ms=came["ms"], late_ms=sent["late_ms"], shares=self._shares(subject))

    def _start(self, subject: Subject) -> None:
        for cpu in (subject.cpu, self._load.cpu, self._sink.cpu, self._director):
            cpu.start()

    def _shares(self, subject: Subject) -> Shares:
        load, sink = self._load.cpu.share(), self._sink.cpu.share()
        ours = subject.cpu.share()
        others = max(
            subject.cpu.core_share() - ours,
            self._load.cpu.core_share() - load - sink - self._director.share(),
        )
        return Shares(subject=ours, load=load, sink=sink, others=max(0.0, others))

    def beside(self, subject: Subject, job: Job, count: int, during: Callable[[], None]) -> None:
        """Call `during` while `count` messages are sent as `job` says."""
        self._round(subject, count, job, during=during)

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
        self._sink.do({"do": "open", "first": first, "count": count}, timeout_s=5)
        self._load.give({**job, **subject.target(), "first": first, "count": count})
        if during is not None:
            during()
        sent = self._load.answer(timeout_s=_ROUND_TIMEOUT_S)
        wait_s = _ROUND_TIMEOUT_S if sent["accepted"] == count else 2.0
        came = self._sink.do({"do": "report", "timeout_s": wait_s}, timeout_s=wait_s + 5)
        subject.settle(timeout_s=_ROUND_TIMEOUT_S)
        ended_ns = time.monotonic_ns() if subject.signs else came["last_ns"]
        self._check(subject, count, sent, came)
        return sent, came, ended_ns

    def _check(self, subject: Subject, count: int, sent: Job, came: Job) -> None:
        name, accepted = subject.name, sent["accepted"]
        self.accepted[name] = self.accepted.get(name, 0) + accepted
        if accepted != count:
            refused = f"{count - accepted} of {count} sends were refused: {sent['example']!r}"
            self.faults.append(f"{name}: {refused}")
        if came["received"] != accepted:
            raise BenchmarkError(f"{name}: {accepted} accepted, {came['received']} delivered")
        if came["duplicates"]:
            self.faults.append(f"{name}: {came['duplicates']} delivered twice")
        if came["signed"] != (came["received"] if subject.signs else 0):
            self.faults.append(f"{name}: {came['signed']} of {came['received']} were signed")


def closed() -> Job:
    """Return the load generator's job to send as fast as sends are taken."""
    return {"do": "closed", "connections": CONNECTIONS}


def paced(rate: float) -> Job:
    """Return the load generator's job to send `rate` messages a second."""
    return {"do": "open", "rate": rate, "connections": _CONNECTIONS_PACED}
