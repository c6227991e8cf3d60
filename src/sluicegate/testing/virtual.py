"""The engine on a virtual clock: a plain test waits for nothing, and a day takes no time."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sluicegate.app import Engine
from sluicegate.engine.model import Accepted, CreatedEndpoint, Message
from sluicegate.simulation import ReceivedRequest, Simulation
from sluicegate.simulation.receivers import Answer
from sluicegate.testing.deliveries import WebhookReceiver
from sluicegate.testing.undelivered import undelivered

__all__ = ["VirtualEngine", "VirtualReceiver"]

_T = TypeVar("_T")


class VirtualReceiver(WebhookReceiver):
    """A `WebhookReceiver` that is a host of a simulation.

    Attributes:
        host: for crashes and faults.
    """

    def __init__(self, simulation: Simulation, name: str = "receiver.example") -> None:
        """Put it into a world.

        Args:
            simulation: the world.
            name: unique in it.
        """
        super().__init__()
        self._wall = simulation.wall
        self.host = simulation.host(name, responses=self._respond)
        self.url = self.host.url

    def _respond(self, request: ReceivedRequest) -> Answer:
        return self.take(request.headers, request.body, now_s=self._wall.now_ms() / 1000)


class VirtualEngine:
    """The real engine in a simulation, for tests that are plain functions.

    Every call lets virtual time pass until it is answered. The file is on the simulated disk,
    which is in memory where the machine has a `/dev/shm`. Retries keep to the schedule that
    deployments have.

    Attributes:
        simulation: the world: its clock, its faults, its other hosts.
    """

    def __init__(self, simulation: Simulation, **settings: object) -> None:
        """Start it.

        Args:
            simulation: a world without an engine.
            settings: see `Simulation.engine`.
        """
        self.simulation = simulation
        self._host = simulation.engine(http=False, **settings)

    def create_endpoint(self, to: "WebhookReceiver | str", **config: object) -> CreatedEndpoint:
        """Create an endpoint; a receiver trusts its secret.

        Args:
            to: the receiver, or the URL of a host of the simulation.
            config: as for `Engine.create_endpoint`.
        """
        url = to if isinstance(to, str) else to.url
        created = self._host.create_endpoint(url, **config)
        if isinstance(to, WebhookReceiver):
            to.trust(created.signing_secret)
        return created

    def send(
        self, endpoint_id: str, payload: object, *, idempotency_key: str | None = None
    ) -> Accepted:
        """Send a payload; return when it is durable."""
        return self._host.send(endpoint_id, payload, idempotency_key=idempotency_key)

    def pause(self, endpoint_id: str) -> None:
        """Pause an endpoint."""
        self._host.pause(endpoint_id)

    def resume(self, endpoint_id: str) -> int:
        """Resume an endpoint; return how many messages were held."""
        return self._host.resume(endpoint_id)

    def replay(self, message_id: str) -> None:
        """Begin a new cycle of attempts for a message that has ended."""
        self._host.replay(message_id)

    def get_message(self, message_id: str) -> Message:
        """Return a message as it stands."""
        return self._host.message(message_id)

    def call(self, work: Callable[[Engine], Awaitable[_T]]) -> _T:
        """Make any other call of `Engine`: `call(lambda engine: engine.list_logs())`."""
        return self.simulation.run(self._host.call(work))

    def advance(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.simulation.advance(seconds)

    def drain(self) -> None:
        """Let virtual time pass until nothing is left to deliver but what a pause holds.

        Ends all faults of the simulation, as `Simulation.settle` does.

        Raises:
            AssertionError: something is left after the longest time that a message's attempts
                can take.
        """
        __tracebackhide__ = True
        settled = self.simulation.settle()
        if not settled.finished:
            raise AssertionError(undelivered(settled.unfinished, settled.took_s))
