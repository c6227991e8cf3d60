"""What is measured: something that takes messages over HTTP and posts them to the sink."""

import contextlib
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from ledger import Ledger
from ours import API_KEY, Server
from wire import PAYLOAD_BYTES, Job
from workers import BenchmarkError, Cpu, Worker

__all__ = ["CONNECTIONS", "Embedded", "Floor", "Ours", "Relay", "Subject"]

CONNECTIONS = 64
"""Sends in progress at once, where nothing else is said."""
_ENDPOINTS = 4
"""With 16 attempts in flight each: as many at once as there are sends in progress."""
_RECORDED_EVERY_S = 0.005


class Subject(ABC):
    """What is measured.

    Attributes:
        name: stands in the report's tables; another for each subject of a part.
        cpu: of everything that belongs to it.
        payload_bytes: how long each payload is.
        senders: how many requests are in progress when it gets as many as it takes.
        signs: whether each delivery has a signature.
        load: what sends to it, if not the run's load generator.
    """

    signs = False
    load: Worker | None = None

    def __init__(
        self,
        cpu: Cpu,
        *,
        name: str,
        payload_bytes: int = PAYLOAD_BYTES,
        senders: int = CONNECTIONS,
    ) -> None:
        self.name = name
        self.cpu = cpu
        self.payload_bytes = payload_bytes
        self.senders = senders

    @abstractmethod
    def target(self) -> Job:
        """Return where and how the load generator posts to it.

        `openings` and `closing` stand around the payload in a request's body; one opening for
        each endpoint, which have their turns. With a `batch` greater than 1, the body is that of
        `send-batch`, of so many.
        """

    @abstractmethod
    def accept(self, count: int) -> None:
        """Hear that it answered for `count` more messages that it will deliver them."""

    @abstractmethod
    def settle(self, *, timeout_s: float) -> None:
        """Return when everything that arrived at the sink is recorded."""


class Relay(Subject):
    """The baseline."""

    def __init__(self, worker: Worker, *, name: str, payload_bytes: int = PAYLOAD_BYTES) -> None:
        super().__init__(worker.cpu, name=name, payload_bytes=payload_bytes)
        self._worker = worker

    def like(self, *, name: str, payload_bytes: int) -> "Relay":
        """Return the same process as another subject, with other payloads."""
        return Relay(self._worker, name=name, payload_bytes=payload_bytes)

    def target(self) -> Job:
        """See `Subject.target`: the body is the payload."""
        return {
            "port": self._worker.ready["port"],
            "path": "/relay",
            "headers": [],
            "openings": [""],
            "closing": "",
        }

    def accept(self, count: int) -> None:
        """Keep nothing: the rounds alone check it."""

    def settle(self, *, timeout_s: float) -> None:
        """Wait for nothing: nothing is recorded."""


class Floor(Subject):
    """What the promise alone costs: see `floor.py`."""

    signs = True

    def __init__(self, worker: Worker, database: Path, *, name: str) -> None:
        super().__init__(worker.cpu, name=name)
        self._port = worker.ready["port"]
        self._database = database

    @classmethod
    @contextlib.contextmanager
    def run(cls, database: Path, sink_url: str, *, name: str, core: int | None) -> Iterator[Self]:
        """Run it while the context lasts."""
        with Worker.run("floor", str(database), f"{sink_url}/floor", core=core) as worker:
            yield cls(worker, database, name=name)
            worker.finish()

    def target(self) -> Job:
        """See `Subject.target`: the body is the payload."""
        return {
            "port": self._port,
            "path": "/",
            "headers": [],
            "openings": [""],
            "closing": "",
        }

    def accept(self, count: int) -> None:
        """Keep nothing: the rounds alone check it."""

    def settle(self, *, timeout_s: float) -> None:
        """Wait until as many results are stored as messages."""
        deadline_s = time.monotonic() + timeout_s
        with contextlib.closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as db:
            while True:
                row = db.execute("SELECT (SELECT max(seq) FROM messages), max(no) FROM attempts")
                stored, ended = row.fetchone()
                if stored == ended:
                    return
                if time.monotonic() > deadline_s:
                    raise BenchmarkError(f"{self.name}: {stored} stored, {ended} delivered")
                time.sleep(_RECORDED_EVERY_S)


class _Recording(Subject):
    """Sluicegate, with endpoints whose configuration is the default, and its database."""

    signs = True

    def __init__(
        self,
        cpu: Cpu,
        ledger: Ledger,
        endpoint_ids: Sequence[str],
        *,
        name: str,
        payload_bytes: int = PAYLOAD_BYTES,
        senders: int = CONNECTIONS,
    ) -> None:
        super().__init__(cpu, name=name, payload_bytes=payload_bytes, senders=senders)
        self.ledger = ledger
        self.endpoint_ids = endpoint_ids
        self._numbers = ledger.numbers(endpoint_ids)

    def accept(self, count: int) -> None:
        """Keep it for the check of the database at the end."""
        self.ledger.accepted += count

    def settle(self, *, timeout_s: float) -> None:
        """Wait until no message is queued, in flight or waiting on a retry."""
        deadline_s = time.monotonic() + timeout_s
        while (left := self.ledger.waiting(self._numbers)) > 0:
            if time.monotonic() > deadline_s:
                raise BenchmarkError(f"{left} messages were not recorded as delivered")
            time.sleep(_RECORDED_EVERY_S)


class Ours(_Recording):
    """A server of Sluicegate."""

    def __init__(
        self,
        server: Server,
        sink_url: str,
        *,
        name: str = "Sluicegate",
        endpoint_ids: Sequence[str] = (),
        payload_bytes: int = PAYLOAD_BYTES,
        senders: int = CONNECTIONS,
        batch: int = 1,
    ) -> None:
        """Use the endpoints given, or create some for `sink_url`."""
        super().__init__(
            server.cpu,
            server.ledger,
            endpoint_ids
            or [
                server.create_endpoint(f"{sink_url}/{name}/{number}".replace(" ", "-"))
                for number in range(_ENDPOINTS)
            ],
            name=name,
            payload_bytes=payload_bytes,
            senders=senders,
        )
        self._port = server.port
        self._batch = batch

    def target(self) -> Job:
        """See `Subject.target`: the payload stands in a send request."""
        return {
            "port": self._port,
            "path": "/v1/webhooks/send" if self._batch == 1 else "/v1/webhooks/send-batch",
            "headers": [f"Authorization: Bearer {API_KEY}"],
            "openings": [
                f'{{"endpoint_id":"{endpoint_id}","payload":' for endpoint_id in self.endpoint_ids
            ],
            "closing": "}",
            "batch": self._batch,
        }


class Embedded(_Recording):
    """Sluicegate in the process that sends."""

    def __init__(
        self, worker: Worker, ledger: Ledger, *, name: str, senders: int = CONNECTIONS
    ) -> None:
        super().__init__(
            worker.cpu, ledger, worker.ready["endpoint_ids"], name=name, senders=senders
        )
        self.load = worker

    @classmethod
    @contextlib.contextmanager
    def run(
        cls,
        database: Path,
        sink_url: str,
        *,
        name: str,
        core: int | None,
        program: str = "embedded",
        senders: int = CONNECTIONS,
    ) -> Iterator[Self]:
        """Run it; when the context ends, its database is nobody's.

        `program` is `embedded`, or `embedded_blocking` for an engine whose calls block.
        """
        arguments = (str(database), sink_url, str(_ENDPOINTS))
        with Worker.run(program, *arguments, core=core) as worker:
            yield cls(worker, Ledger(database), name=name, senders=senders)
            worker.finish()

    def target(self) -> Job:
        """See `Subject.target`: it knows its endpoints."""
        return {}
