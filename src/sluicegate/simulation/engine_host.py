"""The host that runs Sluicegate: the real engine and its HTTP API, restarted when it dies."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import msgspec
from aiohttp import web

from sluicegate.app import Engine
from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.ports import Sender
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.resolver import PooledResolver
from sluicegate.http.outbound.sender import AiohttpSender
from sluicegate.http.server import create_app, create_runner
from sluicegate.simulation.bugs import BuggySender
from sluicegate.simulation.disk import Disk
from sluicegate.simulation.lives import OUTSIDE, Life
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.network import Network
from sluicegate.simulation.threads import VirtualThreads
from sluicegate.simulation.world import SeededRandom, VirtualClock, WallClock
from sluicegate.storage import SecretBox, SqliteStorage

__all__ = ["API_KEY", "API_PORT", "EngineHost"]

API_KEY = "simulated_key_that_opens_nothing"
API_PORT = 8400
_RESTART_S = 1.0
_LOOK_EVERY_S = 0.1
_PATIENCE_S = 3600.0
_RESERVE_BYTES = 65_536

_T = TypeVar("_T")


class World(Protocol):
    """What a simulation gives to its hosts."""

    seed: int
    loop: SimulationLoop
    network: Network
    disk: Disk
    wall: WallClock

    def direct_sender(self, life: Life) -> Sender | None:
        """Return the sender that takes the place of HTTP; `None` for the real one."""
        ...


class EngineHost:
    """A host with the real engine, its database and its HTTP API, at `http://sluicegate:8400`.

    When its process dies it is started again a second later, as a supervisor would.

    Attributes:
        name: on the network.
        settings: what it is started with next.
        life: its process; the last one while it is down.
    """

    name = "sluicegate"

    def __init__(self, world: World, settings: Settings, *, http: bool) -> None:
        """Take the world; `start` starts it. `Simulation.engine` calls this.

        Args:
            world: the simulation.
            settings: the engine's; `database` is the simulated disk's.
            http: whether the HTTP API listens.
        """
        self._world = world
        self._http = http
        self._lives = 0
        self._engine: Engine | None = None
        self._runner: web.AppRunner | None = None
        self._wanted = False
        self._ready: asyncio.Future[None] = world.loop.create_future()
        self.settings = settings
        self.life = Life(self.name, 0)
        self.life.dead = True
        self.url = f"http://{self.name}:{API_PORT}"
        world.network.address(self.name)

    @property
    def engine(self) -> Engine:
        """The running engine.

        Raises:
            RuntimeError: it is down.
        """
        if self._engine is None or self.life.dead:
            raise RuntimeError(f"{self.name} is down")
        return self._engine

    @property
    def is_up(self) -> bool:
        """Whether the engine is open and its process lives."""
        return self._engine is not None and not self.life.dead

    # -- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, and let time pass until it is up. Up already is fine."""
        self._wanted = True
        if not self.is_up:
            if self.life.dead:
                self._boot()
            self._world.loop.run(self._until_up())

    def crash(self, *, power_loss: bool = False) -> None:
        """End the process at this moment; it is started again a second later."""
        if self.life.dead:
            return
        self.life.silent = power_loss
        self._engine = None
        self._world.loop.crash(self.life)
        self._world.disk.crash(power_loss=power_loss)
        if self._wanted:
            self._world.loop.call_later(_RESTART_S, self._boot, context=OUTSIDE.copy())

    def stop(self) -> None:
        """Drain and close it in good order; it stays down until `start`.

        If it dies meanwhile, that is its end.
        """
        self._wanted = False
        if self.is_up:
            life = self.life
            closing = self._world.loop.spawn(life, self._close())
            self._world.loop.run(_until_over(closing, life))
            if not life.dead:
                self._world.loop.crash(life)
            self._engine = None

    def destroy(self) -> None:
        """End the process, for good."""
        self._wanted = False
        self.crash()

    async def call(self, work: Callable[[Engine], Awaitable[_T]]) -> _T:
        """Run `work(engine)` in the engine's process, as an embedding program would.

        It dies with the process: then this never returns.
        """
        return await work(self.engine)

    async def _until_up(self) -> None:
        """Wait until it is up.

        Raises:
            TimeoutError: it does not come up in an hour.
        """
        async with asyncio.timeout(_PATIENCE_S):
            while not self.is_up:
                await asyncio.shield(self._ready)

    def _boot(self) -> None:
        """Begin the next life."""
        if not self.life.dead or not self._wanted:
            return
        self._lives += 1
        self.life = Life(self.name, self._lives)
        self._world.loop.spawn(self.life, self._run(self.life))

    async def _run(self, life: Life) -> None:
        """Be the process, from its start to its end."""
        loop = self._world.loop
        loop.trace.note("host.started", life)
        try:
            engine = await self._make_engine(life).__aenter__()
        except SluicegateError as error:
            loop.trace.note("host.not_started", life, type(error).__name__)
            self._exit(life)
            return
        if self._http:
            await self._serve(engine)
        engine.readiness.ready = True
        self._engine = engine
        loop.trace.note("host.ready", life)
        ready, self._ready = self._ready, loop.create_future()
        ready.set_result(None)
        await engine.failed.wait()
        loop.trace.note("host.failed", life)
        self._exit(life)

    def _exit(self, life: Life) -> None:
        """End the process soon, from outside."""

        def end() -> None:
            if self.life is life:
                self.crash()

        self._world.loop.call_soon(end, context=OUTSIDE.copy())

    async def _serve(self, engine: Engine) -> None:
        app = create_app(
            engine.services,
            settings=engine.settings,
            clock=engine.clock,
            random=engine.random,
            readiness=engine.readiness,
            telemetry=engine.telemetry,
            exposition=engine.exposition,
        )
        self._runner = create_runner(app, random=engine.random)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.name, API_PORT).start()

    async def _close(self) -> None:
        engine = self.engine
        engine.readiness.ready = False
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await engine.aclose()
        self._world.loop.trace.note("host.stopped", self.life)

    def _make_engine(self, life: Life) -> Engine:
        world = self._world
        clock = VirtualClock(world.loop, world.wall)
        chance = SeededRandom(f"{world.seed}:engine:{life.number}", world.wall)
        settings = msgspec.structs.replace(self.settings, database=world.disk.database)
        storage = SqliteStorage(
            settings.database,
            secret_box=SecretBox.for_database(
                settings.database, secret_key=settings.secret_key, random=chance
            ),
            clock=clock,
            pending_bytes_max=settings.pending_bytes_max,
            window_payload_bytes_max=settings.window_payload_bytes_max,
            reserve_bytes=_RESERVE_BYTES,
            connect=world.disk.connect,
        )
        resolver = PooledResolver(
            settings,
            clock=clock,
            getaddrinfo=world.network.look_up,
            threads=VirtualThreads(world.loop, world.network.look_up_s),
        )
        sender: Sender | None = world.direct_sender(life)
        if sender is None:
            sender = AiohttpSender(
                settings,
                policy=AddressPolicy(
                    allow_internal=settings.dev, allowed_networks=settings.allowed_networks
                ),
                resolver=resolver,
                clock=clock,
                socket_factory=world.network.open_socket,  # type: ignore[arg-type] # as far as it is used
            )
        return Engine(
            settings,
            clock=clock,
            random=chance,
            storage=storage,
            sender=BuggySender(
                sender, f"{world.seed}:{life.number}", faults=lambda: world.network.faults
            ),
            resolver=resolver,
        )


async def _until_over(closing: "asyncio.Task[None]", life: Life) -> None:
    """Wait until a process has closed what it had open, or died. Raises what the closing raised."""
    while not closing.done() and not life.dead:
        await asyncio.wait([closing], timeout=_LOOK_EVERY_S)
    if closing.done():
        closing.result()
