"""What an engine is made of, put together from its settings and the ports that it is given."""

import math

from sluicegate.actors.directory import Directory
from sluicegate.actors.parts import Parts
from sluicegate.actors.payload_room import PayloadRoom
from sluicegate.actors.slots import Slots
from sluicegate.chores import Chore, Chores
from sluicegate.engine.activity import Activity
from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.api_keys import ApiKeys
from sluicegate.engine.billing import Billing
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
from sluicegate.listeners import Listeners
from sluicegate.outbox.foreign import foreign_sources
from sluicegate.outbox.inbox_source import InboxSource
from sluicegate.outbox.relay import Relay
from sluicegate.outbox.source import Source
from sluicegate.storage import LocalExportFiles, SecretBox, SqliteStorage
from sluicegate.storage.database_file import real_path
from sluicegate.telemetry.counting import Counting
from sluicegate.telemetry.exposition import Exposition
from sluicegate.telemetry.gauges import Live, SlotsRead
from sluicegate.telemetry.loop_lag import LoopLag
from sluicegate.turns.pacer import Pacer

__all__ = ["Assembly"]


class Assembly:
    """Every part of one engine, and who knows whom; nothing is opened or started.

    Attributes:
        settings: as given.
        clock: as given.
        random: chance.
        pacer: where what comes in floods waits in line.
        telemetry: is told what happens.
        exposition: tells it to Prometheus; `None` when the setting `metrics` is off.
        listeners: those who are told of events.
        loop_lag: watches the event loop.
        resolver: looks up host names.
        own_sender: posts the requests, if none was given: whoever opens the parts closes it.
        storage: where everything durable lives.
        directory: the endpoints' actors.
        export_files: where the files of exports live.
        services: the use cases, by project.
        chores: periodic work.
        relays: move messages in from elsewhere.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        random: Random,
        storage: Storage | None,
        sender: Sender | None,
        resolver: PooledResolver | None,
        export_files: ExportFiles | None,
        pacer: Pacer | None,
    ) -> None:
        """Put the parts together: see `Engine`."""
        self.settings = settings
        self.clock = clock
        self.random = random
        self.pacer = Pacer() if pacer is None else pacer
        self.exposition: Exposition | None = None
        counting = Counting() if settings.metrics else None
        self.telemetry: Telemetry = counting if counting is not None else NoTelemetry()
        self.listeners = Listeners(self.clock)
        self.loop_lag = LoopLag(self.clock, self.telemetry)
        policy = AddressPolicy(
            allow_internal=settings.dev, allowed_networks=settings.allowed_networks
        )
        self.resolver = resolver or PooledResolver(settings, clock=self.clock)
        self.own_sender = None
        if sender is None:
            sender = self.own_sender = LeanSender(
                settings,
                policy=policy,
                resolver=self.resolver,
                clock=self.clock,
                telemetry=self.telemetry,
            )
        self.storage = storage if storage is not None else self._open_file(settings)
        self.storage.report_to(self.telemetry)
        self._slots = slots = Slots(settings, self.clock)
        self.directory = Directory(
            Parts(
                storage=self.storage,
                sender=sender,
                clock=self.clock,
                random=self.random,
                slots=slots,
                payloads=PayloadRoom(settings.waiting_payloads_bytes_max),
                schedule=RetrySchedule.from_settings(settings),
                settings=settings,
                user_agent=f"Sluicegate/{__version__}",
                telemetry=self.telemetry,
                pacer=self.pacer,
                events=self.listeners,
            )
        )
        self.export_files: ExportFiles = export_files or LocalExportFiles(
            settings.database, free_bytes_min=settings.exports_free_bytes_min
        )
        if counting is not None:
            self.exposition = self._expose(counting)
        self.services = Services(
            endpoints=Endpoints(
                storage=self.storage,
                owners=self.directory,
                resolver=self.resolver,
                policy=policy,
                clock=self.clock,
                random=self.random,
                settings=settings,
                telemetry=self.telemetry,
            ),
            messages=Messages(
                storage=self.storage,
                owners=self.directory,
                clock=self.clock,
                random=self.random,
                settings=settings,
            ),
            operations=MessageOperations(storage=self.storage, owners=self.directory),
            exports=Exports(
                storage=self.storage,
                files=self.export_files,
                clock=self.clock,
                random=self.random,
                settings=settings,
                on_created=lambda: self.chores.hasten("exports"),
            ),
            api_keys=ApiKeys(storage=self.storage, clock=self.clock, random=self.random),
            activity=Activity(storage=self.storage, clock=self.clock, settings=settings),
            billing=Billing(storage=self.storage, clock=self.clock, settings=settings),
        )
        retention = Retention(self.storage, self.clock, settings)
        self.chores = Chores(
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

        sources: list[Source] = []
        if storage is None:  # who gives a storage has no files beside it, nor real databases
            database = real_path(settings.database)
            sources.append(InboxSource(database, clock=clock, random=random))
            sources += foreign_sources(settings, clock=clock)
        self.relays = tuple(
            Relay(source, messages=self.services.messages, storage=self.storage)
            for source in sources
        )

    def _export_chores(self) -> tuple[Chore, ...]:
        job = ExportJob(
            storage=self.storage,
            files=self.export_files,
            clock=self.clock,
            settings=self.settings,
            in_flight=self.directory.in_flight,
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
            pacer=self.pacer,
        )

    def _expose(self, counting: Counting) -> Exposition:
        directory = self.directory
        return Exposition(
            counting,
            storage=self.storage,
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


async def _until_written() -> float:
    """Say of a chore that nothing will be due until something is written."""
    return math.inf
