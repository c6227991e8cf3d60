"""The port to whoever counts what happens: few, coarse reports."""

from enum import StrEnum
from typing import Protocol

from sluicegate.engine.model import AttemptResult, WaitingMessage

__all__ = [
    "AddressUse",
    "CircuitChange",
    "NoTelemetry",
    "StorageFault",
    "Telemetry",
]


class CircuitChange(StrEnum):
    """What became of an endpoint's circuit."""

    OPENED = "opened"
    """It failed too often in a row: one probe at a time."""
    CLOSED = "closed"
    """A probe succeeded."""
    PAUSED = "paused"
    """It failed for so long that the endpoint was paused as failing."""


class AddressUse(StrEnum):
    """What an address was wanted for when the policy refused it."""

    ENDPOINT = "endpoint"
    """To create an endpoint, or to change its URL."""
    CONNECT = "connect"
    """To connect for an attempt."""


class StorageFault(StrEnum):
    """What kept storage from doing what it was asked."""

    FULL = "full"
    """No room on the disk."""
    BUSY = "busy"
    """Another program held the file."""
    FAULTY_WRITE = "faulty_write"
    """One write broke; its neighbours were committed. A bug of ours."""
    READ = "read"
    """The file could not be read."""
    UNKNOWN = "unknown"
    """A commit's outcome is unknown: the process stops."""


class Telemetry(Protocol):
    """Is told what happened, after it happened.

    Every method is called on the engine's event loop, returns within microseconds and never
    raises.
    """

    def committed(self, *, writes: int, accepted: int, duration_s: float) -> None:
        """Note that `writes` were committed together, `accepted` new messages among them."""
        ...

    def storage_failed(self, fault: StorageFault) -> None:
        """Note that storage could not do what it was asked."""
        ...

    def attempt_finished(self, message: WaitingMessage, result: AttemptResult) -> None:
        """Note an attempt that is recorded; `message` as it was before it."""
        ...

    def attempt_unsent(self) -> None:
        """Note an attempt that was put off: this machine lacks the means, or storage failed."""
        ...

    def circuit_changed(self, change: CircuitChange) -> None:
        """Note what became of an endpoint's circuit."""
        ...

    def address_refused(self, use: AddressUse) -> None:
        """Note an address that the policy refused."""
        ...

    def actor_restarted(self) -> None:
        """Note that an actor's code failed and it starts again from storage."""
        ...

    def endpoint_parked(self) -> None:
        """Note that an endpoint's actor failed too often and is left alone."""
        ...

    def request_finished(
        self, *, method: str, route: str | None, status: int, duration_s: float
    ) -> None:
        """Note an answered API request; `route` is its template, `None` when there is none."""
        ...

    def loop_lagged(self, late_s: float) -> None:
        """Note by how much the event loop was late for a timer."""
        ...


class NoTelemetry:
    """Counts nothing. Implements `Telemetry`."""

    def committed(self, *, writes: int, accepted: int, duration_s: float) -> None:
        """Do nothing."""

    def storage_failed(self, fault: StorageFault) -> None:
        """Do nothing."""

    def attempt_finished(self, message: WaitingMessage, result: AttemptResult) -> None:
        """Do nothing."""

    def attempt_unsent(self) -> None:
        """Do nothing."""

    def circuit_changed(self, change: CircuitChange) -> None:
        """Do nothing."""

    def address_refused(self, use: AddressUse) -> None:
        """Do nothing."""

    def actor_restarted(self) -> None:
        """Do nothing."""

    def endpoint_parked(self) -> None:
        """Do nothing."""

    def request_finished(
        self, *, method: str, route: str | None, status: int, duration_s: float
    ) -> None:
        """Do nothing."""

    def loop_lagged(self, late_s: float) -> None:
        """Do nothing."""
