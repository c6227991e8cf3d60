"""The engine on a virtual clock: a plain test waits for nothing, and a day takes no time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sluicegate.app import Engine
from sluicegate.embedding import CallTimeoutError
from sluicegate.embedding.blocking import BlockingCalls
from sluicegate.engine.calls import ProjectCalls
from sluicegate.engine.events import EventName
from sluicegate.engine.model import CreatedEndpoint
from sluicegate.listeners import Listener
from sluicegate.simulation import ReceivedRequest, Simulation
from sluicegate.simulation.receivers import Answer
from sluicegate.testing.deliveries import WebhookReceiver
from sluicegate.testing.draining import undelivered
from sluicegate.testing.sent import Sent, sent_to

__all__ = ["VirtualEngine", "VirtualReceiver"]

_T = TypeVar("_T")

_TIMEOUT_S = 30.0
"""How long a call waits when it does not say, as with `SyncEngine`."""


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
        return self.take(
            request.headers,
            request.body,
            path=urlsplit(request.path).path,
            now_s=self._wall.now_ms() / 1000,
        )


class VirtualEngine(BlockingCalls):
    """The real engine in a simulation, for tests that are plain functions.

    It has the calls of `SyncEngine`, so that a program under test can take it for one. Each lets
    virtual time pass until it is answered, and so does nothing else but `advance` and `drain`.
    The file is on the simulated disk, which is in memory where the machine has a `/dev/shm`.
    Retries keep to the schedule that deployments have.

    Attributes:
        simulation: the world: its clock, its faults, its other hosts.
        host: the one it runs on, for `simulation.crash(engine.host)` and its like.
    """

    def __init__(self, simulation: Simulation, **settings: object) -> None:
        """Start it.

        Args:
            simulation: a world without an engine.
            settings: see `Simulation.engine`.
        """
        self.simulation = simulation
        self.host = simulation.engine(http=False, **settings)

    def create_endpoint(self, url: "WebhookReceiver | str", **config: object) -> CreatedEndpoint:
        """Create an endpoint; a receiver trusts its secret.

        Args:
            url: the receiver, or the URL of a host of the simulation.
            config: as for `Engine.create_endpoint`.
        """
        if isinstance(url, str):
            return super().create_endpoint(url, **config)
        own_url = url.next_url()
        created = super().create_endpoint(own_url, **config)
        url.trust(created.signing_secret, url=own_url)
        url.ask_sent = self.sent_to
        return created

    def on(self, event: EventName | str, listener: Listener) -> None:
        """Call `listener` with every event of a name, from now on, until the engine crashes.

        It is called while virtual time passes, and cannot itself call this engine.

        Raises:
            InvalidRequestError: there is no such event.
        """

        async def listen(engine: Engine) -> None:
            engine.on(event, listener)

        self.call(listen)

    def call(self, work: Callable[[Engine], Awaitable[_T]]) -> _T:
        """Do anything else with the `Engine`, in its own process and on its loop."""
        _refuse_loop()
        return self.simulation.run(self.host.call(work))

    def sent_to(self, url: str) -> list[Sent]:
        """Return the messages sent to a URL and to longer ones."""
        return self.call(lambda engine: sent_to(engine, url))

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

    def _call(
        self, call: Callable[[ProjectCalls], Coroutine[Any, Any, _T]], timeout_s: float | None
    ) -> _T:
        _refuse_loop()

        async def within() -> _T:
            limit = asyncio.timeout(_TIMEOUT_S if timeout_s is None else timeout_s)
            try:
                async with limit:
                    return await self.host.call(call)
            except TimeoutError:
                if limit.expired():
                    raise CallTimeoutError from None
                raise

        return self.simulation.run(within())


def _refuse_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "a VirtualEngine was called while virtual time passes, by a listener, a receiver or a"
        " coroutine: call it from the test itself"
    )
