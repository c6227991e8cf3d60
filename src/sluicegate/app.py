"""The composition root: the only place that knows every part. Public face: `Engine`."""

import asyncio
import math
from contextlib import AsyncExitStack
from typing import Self

from sluicegate.actors.directory import Directory
from sluicegate.actors.parts import Parts
from sluicegate.actors.slots import Slots
from sluicegate.chores import Chore, Chores
from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.activity import Activity
from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.api_keys import ApiKeys
from sluicegate.engine.billing import Billing
from sluicegate.engine.calls import ProjectCalls
from sluicegate.engine.endpoints import Endpoints
from sluicegate.engine.export_job import ExportJob
from sluicegate.engine.exports import Exports
from sluicegate.engine.message_operations import MessageOperations
from sluicegate.engine.messages import Messages
from sluicegate.engine.ports import Clock, NoTelemetry, Random, Sender, Storage, Telemetry
from sluicegate.engine.ports.export_files import ExportFiles
from sluicegate.engine.retention import Retention
from sluicegate.engine.schedule import RetrySchedule
from sluicegate.engine.services import Services
from sluicegate.engine.settings import Settings
from sluicegate.engine.version import __version__
from sluicegate.http.outbound.lean_sender import LeanSender
from sluicegate.http.outbound.resolver import PooledResolver
from sluicegate.storage import LocalExportFiles, SecretBox, SqliteStorage
from sluicegate.telemetry.counting import Counting
from sluicegate.telemetry.exposition import Exposition
from sluicegate.telemetry.gauges import Live, SlotsRead
from sluicegate.telemetry.loop_lag import LoopLag

__all__ = ["Engine", "Readiness"]


class Readiness:
    """Whether requests are taken: the server reads it, a drain takes it away."""

    __slots__ = ("ready",)

    def __init__(self) -> None:
        """Begin not ready."""
        self.ready = False


class Engine(ProjectCalls):
    """Accepts, stores, signs and delivers webhooks; pauses and resumes endpoints.

    An asynchronous context manager, used on one event loop:

        async with Engine(Settings(database="webhooks.db")) as engine:
            endpoint = await engine.create_endpoint(url="https://example.com/hook")
            await engine.send(endpoint.id, {"event": "order.created"})

    Leaving the context starts nothing more, gives attempts in flight `drain_s` to end, and closes
    the file; what was not delivered is durable and goes on at the next start. No method blocks
    the loop. Methods speak for the file's first project; `services` speaks for any. An engine is
    entered once: to go on after it was left, make a new one.

    Every method raises the errors of `sluicegate.engine.errors` that HTTP answers with codes,
    and `UnavailableError` when the disk is full, too much waits, or the engine is closing.

    Attributes:
        settings: as given.
        services: the use cases, by project: what the HTTP server speaks to.
        readiness: whether the server takes requests.
        telemetry: is told what happens.
        exposition: tells it to Prometheus; `None` when the setting `metrics` is off.
        failed: set when storage can no longer be trusted (a commit's outcome is unknown): stop
            the process and start anew.
        first_key: the API key that this start made, if it made one; told only here.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        storage: Storage | None = None,
        sender: Sender | None = None,
        resolver: PooledResolver | None = None,
        export_files: ExportFiles | None = None,
    ) -> None:
        """Put the parts together; nothing is opened or started.

        Args:
            settings: the defaults when not given.
            clock: the machine's when not given, as are the other ports.
            random: chance.
            storage: where everything durable lives.
            sender: posts the requests.
            resolver: looks up host names.
            export_files: where the files of exports live.

        Raises:
            SettingError: a setting has a value that is not allowed.
        """
        self.settings = settings = settings if settings is not None else Settings()
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.random: Random = random if random is not None else SystemRandom()
        self.readiness = Readiness()
        self.failed = asyncio.Event()
        self.first_key: str | None = None
        self.exposition: Exposition | None = None
        counting = Counting() if settings.metrics else None
        self.telemetry: Telemetry = counting if counting is not None else NoTelemetry()
        self._loop_lag = LoopLag(self.clock, self.telemetry)
        self._entered = False
        self._closing: asyncio.Task[None] | None = None
        policy = AddressPolicy(
            allow_internal=settings.dev, allowed_networks=settings.allowed_networks
        )
        self._resolver = resolver or PooledResolver(settings, clock=self.clock)
        self._own_sender = None
        if sender is None:
            sender = self._own_sender = LeanSender(
                settings,
                policy=policy,
                resolver=self._resolver,
                clock=self.clock,
                telemetry=self.telemetry,
            )
        self._storage = storage if storage is not None else self._open_file(settings)
        self._storage.report_to(self.telemetry)
        self._slots = slots = Slots(settings, self.clock)
        self._directory = Directory(
            Parts(
                storage=self._storage,
                sender=sender,
                clock=self.clock,
                random=self.random,
                slots=slots,
                schedule=RetrySchedule.from_settings(settings),
                settings=settings,
                user_agent=f"Sluicegate/{__version__}",
                telemetry=self.telemetry,
            )
        )
        self._export_files: ExportFiles = export_files or LocalExportFiles(
            settings.database, free_bytes_min=settings.exports_free_bytes_min
        )
        if counting is not None:
            self.exposition = self._expose(counting)
        self.services = Services(
            endpoints=Endpoints(
                storage=self._storage,
                owners=self._directory,
                resolver=self._resolver,
                policy=policy,
                clock=self.clock,
                random=self.random,
                settings=settings,
                telemetry=self.telemetry,
            ),
            messages=Messages(
                storage=self._storage,
                owners=self._directory,
                clock=self.clock,
                random=self.random,
                settings=settings,
            ),
            operations=MessageOperations(storage=self._storage, owners=self._directory),
            exports=Exports(
                storage=self._storage,
                files=self._export_files,
                clock=self.clock,
                random=self.random,
                settings=settings,
                on_created=lambda: self._chores.hasten("exports"),
            ),
            api_keys=ApiKeys(storage=self._storage, clock=self.clock, random=self.random),
            activity=Activity(storage=self._storage, clock=self.clock, settings=settings),
            billing=Billing(storage=self._storage, clock=self.clock, settings=settings),
        )
        retention = Retention(self._storage, self.clock, settings)
        self._chores = Chores(
            (
                Chore(
                    name="pack_activity",
                    period_s=60,
                    piece=self.services.activity.pack,
                    due_in_s=_until_written,  # time alone makes only fewer rows: it can wait
                ),
                Chore(
                    name="retention",
                    period_s=60,
                    piece=retention.sweep,
                    due_in_s=retention.due_in_s,
                ),
                *self._export_chores(),
            )
        )

    def _export_chores(self) -> tuple[Chore, ...]:
        job = ExportJob(
            storage=self._storage,
            files=self._export_files,
            clock=self.clock,
            settings=self.settings,
            in_flight=self._directory.in_flight,
        )
        return (
            Chore(name="exports", period_s=60, piece=job.piece, due_in_s=_until_written),
            Chore(name="exports_expiry", period_s=60, piece=job.expire, due_in_s=job.expires_in_s),
        )

    def _open_file(self, settings: Settings) -> SqliteStorage:
        return SqliteStorage(
            settings.database,
            secret_box=SecretBox.for_database(
                settings.database, secret_key=settings.secret_key, random=self.random
            ),
            clock=self.clock,
            pending_bytes_max=settings.pending_bytes_max,
            window_payload_bytes_max=settings.window_payload_bytes_max,
        )

    def _expose(self, counting: Counting) -> Exposition:
        directory = self._directory
        return Exposition(
            counting,
            storage=self._storage,
            clock=self.clock,
            circuit_failures=self.settings.circuit_failures,
            live=Live(
                in_flight=lambda: len(directory.in_flight()),
                slots=self._read_slots,
                actors=lambda: directory.active,
                version=__version__,
            ),
        )

    def _read_slots(self) -> list[SlotsRead]:
        pools = {"prompt": self._slots.prompt, "late": self._slots.late}
        return [
            SlotsRead(pool=name, size=each.size, held=each.held, waiting=each.waiting)
            for name, each in pools.items()
        ]

    # -- life -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open the database and begin to deliver.

        Raises:
            StorageLockedError: another process owns the file.
            StorageVersionError: the file was written by a newer version.
            SettingError: the secret key is not the one that the file was made with.
            RuntimeError: it was entered before, or closed.
        """
        if self._closing is not None:
            msg = "the engine was closed: make a new `Engine`, it is entered once"
            raise RuntimeError(msg)
        if self._entered:
            msg = "the engine is open already: it is entered once"
            raise RuntimeError(msg)
        self._entered = True
        try:
            await self._storage.open()
            self._storage.on_accepted(self._directory.accepted)
            self._storage.on_committed(self._chores.stir)
            if self.exposition is not None:
                self._storage.on_committed(self._loop_lag.stir)
            self._storage.on_fatal(self._on_fatal)
            created = await self.services.api_keys.bootstrap(self.settings.bootstrap_api_key)
            if created is not None and self.settings.bootstrap_api_key is None:
                self.first_key = created.key
            self._project_id = await self._storage.default_project()
            await self._directory.start()
            self._chores.start()
        except BaseException:
            await self.abort()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drain, then close everything."""
        await self.aclose()

    async def drain(self, timeout_s: float) -> bool:
        """Start no more attempts and no more chores, and wait for the attempts in flight.

        Returns:
            Whether all of them ended within `timeout_s` seconds.
        """
        self.readiness.ready = False
        self._chores.stop()
        return await self._directory.drain(timeout_s)

    async def aclose(self) -> None:
        """Drain for at most `drain_s`, then close everything. Twice is fine.

        If the caller is cancelled meanwhile, the drain ends there, as does everything in flight.
        """
        try:
            if not self.failed.is_set():
                await self.drain(self.settings.drain_s)
        finally:
            await self.abort()

    async def abort(self) -> None:
        """Close everything at once: attempts in flight are cut, their messages stay waiting.

        If the caller is cancelled this is finished first; a second cancellation ends the
        waiting, not the closing. One part's failure to close keeps no other open.
        """
        self.readiness.ready = False
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="sluicegate-close")
        try:
            await asyncio.shield(self._closing)
        except asyncio.CancelledError:
            await asyncio.wait([self._closing])
            raise

    async def _close(self) -> None:
        async with AsyncExitStack() as stack:  # the last first
            stack.push_async_callback(self._storage.close)
            if not self.failed.is_set():
                stack.push_async_callback(self.services.api_keys.flush)
            stack.push_async_callback(self._resolver.close)
            if self._own_sender is not None:
                stack.push_async_callback(self._own_sender.close)
            stack.push_async_callback(self._directory.close)
            stack.push_async_callback(self._export_files.close)
            stack.push_async_callback(self._chores.close)
            if self.exposition is not None:
                stack.push_async_callback(self.exposition.close)
            stack.callback(self._loop_lag.stop)

    def _on_fatal(self, _error: BaseException) -> None:
        self._chores.stop()
        self._directory.halt()  # what is sent from now on would be sent again after a restart
        self.readiness.ready = False
        self.failed.set()


async def _until_written() -> float:
    """Say of a chore that nothing will be due until something is written."""
    return math.inf
