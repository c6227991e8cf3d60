"""The world of one run: Sluicegate, its clients, its receivers, and who knows of what."""

import random
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from sluicegate.engine.settings import Settings
from sluicegate.simulation.engine_host import EngineHost
from sluicegate.simulation.faults import CALM
from sluicegate.simulation.lives import OUTSIDE, Life
from sluicegate.simulation.oracle.history import EventKind, History
from sluicegate.simulation.receivers.exchange import Answer, ReceivedRequest
from sluicegate.simulation.receivers.host import ReceiverHost
from sluicegate.simulation.runs.client import Client, Draft, Key
from sluicegate.simulation.runs.embedded_client import EmbeddedClient
from sluicegate.simulation.runs.http_client import HttpClient
from sluicegate.simulation.runs.recorder import Recorder
from sluicegate.simulation.runs.setup import Setup
from sluicegate.simulation.simulation import Simulation

__all__ = ["KnownEndpoint", "Scene"]

_LOOK_AGAIN_S = 0.25
_LOOKS_MAX = 20
_CHANCE_S_MAX = 0.05


class KnownEndpoint(msgspec.Struct, kw_only=True):
    """An endpoint that the clients know the id of."""

    name: str
    """The path of its URL."""
    id: str
    number: int
    keys: list[Key]
    receiver: int
    deleted: bool = False


class _Manners:
    """What a receiver's application answers: 200, or for some requests something else."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: tuple[tuple[str, str], ...] = ()
        self.left = 0

    def __call__(self, _: ReceivedRequest) -> Answer:
        if self.left <= 0:
            return Answer()
        self.left -= 1
        return Answer(status=self.status, headers=self.headers)


class Scene:
    """All that the steps of a plan are done to.

    Attributes:
        simulation: the world.
        engine: Sluicegate's host.
        client: asks it for things.
        recorder: writes down what is seen.
        receivers: in the order of their numbers.
        endpoints: every one that clients know of, deleted ones too, in the order of creation.
        keyed: what was sent with idempotency keys, in order.
        logged: the engine's errors and alarms, as lines of the trace.
        jumped_s: by how much the wall clock was set in all.
        disk_harmed: whether the disk was anything but well at a time.
        buggy: whether our own code had bugs at a time.
    """

    def __init__(
        self, simulation: Simulation, setup: Setup, history: History, *, http: bool
    ) -> None:
        """Put hosts into a world; its endpoints are created by the steps."""
        self.simulation = simulation
        self.setup = setup
        self.http = http
        self.loop = simulation.loop
        self.recorder = Recorder(self.loop, history)
        self.endpoints: list[KnownEndpoint] = []
        self.names = 0
        self.payloads = 0
        self.batches = 0
        self.keyed: list[tuple[KnownEndpoint, Draft]] = []
        self.logged: list[str] = []
        self.jumped_s = 0.0
        self.disk_harmed = False
        self.buggy = False
        self._chance = random.Random(f"{simulation.seed}:clients")
        self._ended_well = False
        self.receivers: list[ReceiverHost] = []
        self.manners: list[_Manners] = []
        for number in range(setup.receivers):
            manners = _Manners()
            receiver = simulation.host(f"r{number}.example", responses=manners)
            self.recorder.watch(receiver)
            self.receivers.append(receiver)
            self.manners.append(manners)
        self.loop.trace.listen(self._on_line)
        self.engine = simulation.engine(http=http, **setup.settings)
        self._note_schedule(self.engine.settings)
        self.client: Client
        if http:
            self.client = HttpClient(self.engine, loop=self.loop, network=simulation.network)
        else:
            self.client = EmbeddedClient(self.engine, self.loop)

    def _note_schedule(self, settings: Settings) -> None:
        history = self.recorder.history
        history.retry_slow_s = settings.retry_slow_s
        history.retry_fast_s = settings.retry_fast_s
        history.retry_jitter = settings.retry_jitter
        history.attempts_max = settings.attempts_max
        history.retry_after_max_s = settings.retry_after_max_s
        history.circuit_failures = settings.circuit_failures
        slots = min(settings.in_flight_max, settings.in_flight_late_max)
        history.crowd = max(1, slots // 2)
        history.circuit_pause_after_s = settings.circuit_pause_after_s
        history.history_days = settings.history_days
        history.direct = not self.http

    # -- who is who -----------------------------------------------------------------------------

    def endpoint(self, number: int) -> KnownEndpoint | None:
        """Return the endpoint that a number stands for; `None` if there is none."""
        alive = [each for each in self.endpoints if not each.deleted]
        return alive[number % len(alive)] if alive else None

    def receiver(self, number: int) -> ReceiverHost:
        """Return the receiver that a number stands for."""
        return self.receivers[number % len(self.receivers)]

    def url(self, receiver: int, name: str) -> str:
        """Return the URL of an endpoint."""
        return f"https://{self.receiver(receiver).name}{name}"

    def payload(self, padding: int) -> bytes:
        """Return a payload that no other message has, written in one of many ways."""
        self.payloads += 1
        number = self.payloads
        forms = ('{"n":%d,"pad":"%s"}', '{ "n" : %d, "é\\u00e9": [1.0, 1e2], "pad": "%s" }')
        return (forms[number % len(forms)] % (number, "x" * padding)).encode()

    # -- doing ----------------------------------------------------------------------------------

    def begin(
        self, work: Callable[[], Coroutine[Any, Any, None]], *, patience_s: float | None = None
    ) -> None:
        """Let a client begin to do something; soon, if it is down, or never if it stays down."""
        self._begin(work, patience_s, _LOOKS_MAX)

    def _begin(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        patience_s: float | None,
        looks: int,
    ) -> None:
        if not self.client.is_up:
            if looks:
                self.later(_LOOK_AGAIN_S, lambda: self._begin(work, patience_s, looks - 1))
            return
        task = self.client.spawn(work())
        cancel = self.simulation.network.faults.cancel
        if patience_s is None and cancel and self._chance.random() < cancel:
            patience_s = self._chance.uniform(0, _CHANCE_S_MAX)
        if patience_s is not None:
            self.later(patience_s, task.cancel)

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something to the world after a while, whoever has died meanwhile."""
        self.loop.call_later(seconds, act, context=OUTSIDE.copy())

    def finish(self, work: Callable[[], Coroutine[Any, Any, None]], *, within_s: float) -> bool:
        """Let a client do something to its end; return whether it ended in time.

        A program in the engine's process dies with it, and hears nothing: its next one begins
        anew, as soon as it is up.
        """
        done: list[bool] = []

        async def finishing() -> None:
            await work()
            done.append(True)

        deadline_s = self.loop.time() + within_s
        asked: Life | None = None
        while not done and self.loop.time() < deadline_s:
            died = asked is not self.engine.life and not self.http
            if self.client.is_up and (asked is None or died):
                asked = self.engine.life
                self.begin(finishing)
            self.simulation.advance(_LOOK_AGAIN_S)
        return bool(done)

    def crash_receiver(self, number: int, *, down_s: float) -> None:
        """End a receiver's process, and start it again after a while."""
        receiver = self.receiver(number)
        if not receiver.life.dead:
            receiver.crash(restart_after_s=down_s)

    def heal(self) -> None:
        """End every fault."""
        self.simulation.heal()
        for receiver, manners in zip(self.receivers, self.manners, strict=True):
            receiver.faults = None
            manners.left = 0
        self.recorder.event(EventKind.HEALED)
        self.recorder.event(EventKind.FAULTS, faults=CALM)

    def close(self) -> None:
        """Stop Sluicegate in good order, for good."""
        if isinstance(self.client, HttpClient):
            self.simulation.run(self.client.close())
        self.engine.stop()

    # -- seeing ---------------------------------------------------------------------------------

    def _on_line(self, line: str) -> None:
        """Notice what the trace tells of Sluicegate's process, and of its errors."""
        _, event, facts = f"{line} ".split(" ", 2)
        if event in {"log.error", "log.critical"}:
            self.logged.append(line)
        elif event == "disk.filled":
            self.disk_harmed = True
            self.recorder.event(EventKind.DISK_FULL)
        elif event == "disk.has_room":
            self.recorder.event(EventKind.DISK_HAS_ROOM)
        elif event == "host.crashed" and not facts.startswith(f"{EngineHost.name}#"):
            self.recorder.event(EventKind.RECEIVER_CRASHED, facts.split("#")[0])
        elif event in {"disk.sync_failed", "disk.write_failed"}:
            self.recorder.event(EventKind.DISK_FAILED)
        elif event.startswith("host.") and facts.startswith(f"{EngineHost.name}#"):
            if event == "host.started":
                self.recorder.event(EventKind.STARTED)
            elif event == "host.stopped":
                self._ended_well = True
                self.recorder.event(EventKind.STOPPED)
            elif event == "host.crashed":
                self._on_end()

    def _on_end(self) -> None:
        if self._ended_well:  # what is left of a process that stopped
            self._ended_well = False
            return
        silent = self.engine.life.silent
        self.recorder.event(EventKind.LOST_POWER if silent else EventKind.CRASHED)
