"""What the engine's host runs: the engine's own parts, on the ports of a simulation."""

import ssl
from typing import Protocol

import msgspec
from aiohttp import web

from sluicegate.app import Engine
from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.ports import Sender
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.lean_sender import LeanSender
from sluicegate.http.outbound.resolver import PooledResolver
from sluicegate.http.server import create_app, create_runner
from sluicegate.simulation.bugs import BuggySender
from sluicegate.simulation.disk import Disk
from sluicegate.simulation.lives import Life
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.network import Network
from sluicegate.simulation.threads import VirtualThreads
from sluicegate.simulation.world import SeededRandom, VirtualClock, WallClock
from sluicegate.storage import LocalExportFiles, SecretBox, SqliteStorage
from sluicegate.turns.pacer import Pacer

__all__ = ["API_PORT", "EngineProcess", "World"]

API_PORT = 8400
_RESERVE_BYTES = 524_288
"""Less than the real one, for it is written at each start; some twenty commits fit in."""


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


class EngineProcess:
    """One process of `sluicegate serve`, as far as it is simulated.

    Attributes:
        engine: put together as `Engine` does by itself, but on the world's ports.
    """

    def __init__(self, world: World, life: Life, settings: Settings) -> None:
        """Put the parts together; nothing is opened.

        Raises:
            SluicegateError: what is on the disk cannot be used.
        """
        self._name = life.name
        self._runner: web.AppRunner | None = None
        clock = VirtualClock(world.loop, world.wall)
        chance = SeededRandom(f"{world.seed}:engine:{life.number}", world.wall)
        settings = msgspec.structs.replace(settings, database=world.disk.database)
        pacer = Pacer()
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
            free_bytes=world.disk.free_bytes,
            pacer=pacer,
        )
        resolver = PooledResolver(
            settings,
            clock=clock,
            getaddrinfo=world.network.look_up,
            threads=VirtualThreads(world.loop, world.network.look_up_s),
        )
        sender: Sender | None = world.direct_sender(life)
        if sender is None:
            sender = LeanSender(
                settings,
                policy=AddressPolicy(
                    allow_internal=settings.dev, allowed_networks=settings.allowed_networks
                ),
                resolver=resolver,
                clock=clock,
                socket_factory=world.network.open_socket,  # type: ignore[arg-type] # as far as it is used
                # Only a flag here: reading the system's authorities takes longer than a start.
                tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            )
        self._sender = BuggySender(
            sender, f"{world.seed}:{life.number}", faults=lambda: world.network.faults
        )
        life.belongings += [sender, resolver, storage]
        life.on_burial.append(self._sender.close)
        self.engine = Engine(
            settings,
            clock=clock,
            random=chance,
            storage=storage,
            sender=self._sender,
            resolver=resolver,
            export_files=LocalExportFiles(
                settings.database,
                free_bytes_min=settings.exports_free_bytes_min,
                free_bytes=world.disk.free_bytes,
            ),
            pacer=pacer,
        )

    async def open(self, *, http: bool) -> None:
        """Open the engine, and its API at `API_PORT` of its host if `http`.

        Raises:
            SluicegateError: it cannot start.
        """
        await self.engine.__aenter__()
        if http:
            await self._serve()
        self.engine.readiness.ready = True

    async def close(self) -> None:
        """Close everything at once, in the order of `sluicegate serve`."""
        await self.engine.abort()
        await self._sender.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self) -> None:
        app = create_app(
            self.engine.services,
            settings=self.engine.settings,
            clock=self.engine.clock,
            random=self.engine.random,
            readiness=self.engine.readiness,
            telemetry=self.engine.telemetry,
            exposition=self.engine.exposition,
        )
        runner = self._runner = create_runner(
            app,
            random=self.engine.random,
            pacer=self.engine.pacer,
            connections_max=self.engine.settings.connections_max,
        )
        await runner.setup()
        await web.TCPSite(runner, self._name, API_PORT).start()
