"""What is measured: something that takes messages over HTTP and posts them to the sink."""

import time
from typing import Protocol

from ours import API_KEY, Server
from wire import PAYLOAD_BYTES, Job
from workers import BenchmarkError, Cpu, Worker

__all__ = ["CONNECTIONS", "Ours", "Relay", "Subject"]

CONNECTIONS = 64
"""Sends in progress at once."""
_ENDPOINTS = 4
"""With 16 attempts in flight each: as many at once as there are sends in progress."""
_RECORDED_EVERY_S = 0.005


class Subject(Protocol):
    """What is measured."""

    name: str
    """Stands in the report's tables; another for each subject of a run's part."""
    cpu: Cpu
    signs: bool
    payload_bytes: int

    def target(self) -> Job:
        """Return where and how the load generator posts to it.

        `openings` and `closing` stand around the payload in a request's body; one opening for
        each endpoint, which have their turns.
        """
        ...

    def accept(self, count: int) -> None:
        """Hear that it answered for `count` more messages that it will deliver them."""
        ...

    def settle(self, *, timeout_s: float) -> None:
        """Return when everything that arrived at the sink is recorded."""
        ...


class Relay:
    """The baseline."""

    signs = False

    def __init__(
        self, worker: Worker, *, name: str = "aiohttp relay", payload_bytes: int = PAYLOAD_BYTES
    ) -> None:
        self.name = name
        self.cpu = worker.cpu
        self.payload_bytes = payload_bytes
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

    def accept(self, count: int) -> None:
        """It keeps nothing: the rounds alone check it."""

    def settle(self, *, timeout_s: float) -> None:
        """It records nothing."""


class Ours:
    """Sluicegate, with endpoints whose configuration is the default."""

    signs = True

    def __init__(
        self,
        server: Server,
        sink_url: str,
        *,
        name: str = "Sluicegate",
        endpoints: int = _ENDPOINTS,
        payload_bytes: int = PAYLOAD_BYTES,
    ) -> None:
        self.name = name
        self.cpu = server.cpu
        self.server = server
        self.payload_bytes = payload_bytes
        self.endpoint_ids = [
            server.create_endpoint(f"{sink_url}/{number}") for number in range(endpoints)
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

    def accept(self, count: int) -> None:
        """Keep it for the check of the database's file at the end."""
        self.server.accepted += count

    def settle(self, *, timeout_s: float) -> None:
        """Wait until no message is queued, in flight or waiting on a retry."""
        deadline_s = time.monotonic() + timeout_s
        while (left := self.server.unfinished(self.endpoint_ids)) > 0:
            if time.monotonic() > deadline_s:
                raise BenchmarkError(f"{left} messages were not recorded as delivered")
            time.sleep(_RECORDED_EVERY_S)
