"""The life of an engine: opened, drained, closed. Public face: `Engine`."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Literal, Self, cast, get_args

from sluicegate.assembly import Assembly
from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.calls import ProjectCalls
from sluicegate.engine.errors import EnqueueOnlyError, SettingError
from sluicegate.engine.events import EVENTS_WAITING, EventName
from sluicegate.engine.message_rules import MessageRules
from sluicegate.engine.ports import Clock, NoTelemetry, Random, Sender, Storage, Telemetry
from sluicegate.engine.ports.export_files import ExportFiles
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.resolver import PooledResolver
from sluicegate.listeners import EventStream, Listener, Subscriber
from sluicegate.outbox.enqueueing import OWNERS_PROJECT, enqueueing_services
from sluicegate.outbox.inbox import Inbox
from sluicegate.outbox.writing import OutboxCalls
from sluicegate.telemetry.exposition import Exposition

__all__ = ["Engine", "Mode", "Readiness", "checked_mode"]

Mode = Literal["deliver", "enqueue"]
"""`deliver`: own the file, and deliver. `enqueue`: only send, for the process that owns it."""


def checked_mode(mode: object) -> Mode:
    """Return `mode`, if it is one.

    Raises:
        SettingError: it is none.
    """
    for known in get_args(Mode):
        if mode == known:
            return cast("Mode", known)
    raise SettingError(f"mode must be deliver or enqueue, not {mode!r}")


class Readiness:
    """Whether requests are taken: the server reads it, a drain takes it away."""

    __slots__ = ("ready",)

    def __init__(self) -> None:
        """Begin not ready."""
        self.ready = False


class Engine(ProjectCalls, OutboxCalls):
    """Accepts, stores, signs and delivers webhooks; pauses and resumes endpoints.

    An asynchronous context manager, used on one event loop:

        async with Engine(Settings(database="webhooks.db")) as engine:
            endpoint = await engine.create_endpoint(url="https://example.com/hook")
            await engine.send(endpoint.id, {"event": "order.created"})

    Leaving the context starts nothing more, gives attempts in flight `drain_s` to end, and closes
    the file; what was not delivered is durable and goes on at the next start. No method blocks
    the loop. Methods speak for the file's first project; `services` speaks for any. An engine is
    entered once: to go on after it was left, make a new one.

    One process owns a file. Others, on the same machine and any number of them, open it with
    `mode="enqueue"`: there `send` and `send_batch` store messages durably in an inbox beside the
    file, whether its owner is up or down, and the owner delivers them. Whether there is such an
    endpoint, and what an idempotency key stands for, is found out only there. Everything else
    raises `EnqueueOnlyError`.

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
        mode: Mode = "deliver",
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
            mode: whether this process owns the file and delivers, or only sends.
            clock: the machine's when not given, as are the other ports.
            random: chance.
            storage: where everything durable lives; it and the next are for `deliver`.
            sender: posts the requests.
            resolver: looks up host names.
            export_files: where the files of exports live.

        Raises:
            SettingError: a setting has a value that is not allowed, or there is no such mode.
        """
        self.settings = settings = settings if settings is not None else Settings()
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.random: Random = random if random is not None else SystemRandom()
        self._message_rules = MessageRules(clock=self.clock, random=self.random, settings=settings)
        self._inbox: Inbox | None = None
        self._assembly: Assembly | None = None
        self.telemetry: Telemetry = NoTelemetry()
        self.exposition: Exposition | None = None
        if checked_mode(mode) == "enqueue":
            self._inbox = Inbox(settings, random=self.random, fatal=self._on_fatal)
            self.services = enqueueing_services(
                self._inbox, clock=self.clock, random=self.random, settings=settings
            )
        else:
            self._assembly = parts = Assembly(
                settings,
                clock=self.clock,
                random=self.random,
                storage=storage,
                sender=sender,
                resolver=resolver,
                export_files=export_files,
            )
            self.services = parts.services
            self.telemetry, self.exposition = parts.telemetry, parts.exposition
        self.readiness = Readiness()
        self.failed = asyncio.Event()
        self.first_key: str | None = None
        self._entered = False
        self._closing: asyncio.Task[None] | None = None

    @property
    def _parts(self) -> Assembly:
        if self._assembly is None:
            raise EnqueueOnlyError
        return self._assembly

    # -- events -----------------------------------------------------------------------------

    def on(
        self, event: EventName | str, listener: Listener, *, room: int = EVENTS_WAITING
    ) -> Callable[[], None]:
        """Call `listener` with every event of a name, from now on.

        Events are told one after another, in order, on the engine's loop, after what they say is
        durable; nothing waits for a listener. One that blocks holds up the loop, as anything does
        there: give a coroutine function, or hand over to a thread, whatever takes long. While
        `room` events wait for it, further ones are left out, and the log says how many
        (`listener.lagged`). What it raises is logged (`listener.failed`), and it is called with
        the next. When the engine closes it has 5 seconds for what it was told of.

        Args:
            event: one of `EventName`, such as `message.failed`.
            listener: a function or coroutine function that takes an `Event`.
            room: how many events may wait for it, 1..100000.

        Returns:
            What ends it when it is called; what waits is still told.

        Raises:
            InvalidRequestError: there is no such event, or `room` is out of range.
        """
        return self._parts.listeners.on(event, listener, room=room)

    def events(self, *names: EventName | str, room: int = EVENTS_WAITING) -> EventStream:
        """Return events as they happen, from now on: `async for event in engine.events():`.

        While `room` of them wait, further ones are left out; an `events.missed` stands in their
        place and says how many. It ends when the engine has closed and everything was taken, when
        it is closed, or with the last reference to it.

        Args:
            *names: of `EventName`; none: all.
            room: how many events may wait, 1..100000.

        Raises:
            InvalidRequestError: there is no such event, or `room` is out of range.
        """
        return self._parts.listeners.stream(*names, room=room)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Tell a subscriber of events from now on; `events` and `on` are made for most."""
        self._parts.listeners.add(subscriber)

    # -- life -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open the database and begin to deliver; or open the inbox, and only send.

        Raises:
            StorageLockedError: another process owns the file, and this one is to deliver.
            StorageVersionError: a file was written by a newer version.
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
            if self._inbox is not None:
                await self._inbox.open()
                self._project_id = OWNERS_PROJECT
                return self
            parts = self._parts
            await parts.storage.open()
            parts.storage.on_accepted(parts.directory.accepted)
            parts.storage.on_accepted(parts.listeners.accepted)
            parts.storage.on_committed(parts.chores.stir)
            if parts.exposition is not None:
                parts.storage.on_committed(parts.loop_lag.stir)
            parts.storage.on_fatal(self._on_fatal)
            created = await self.services.api_keys.bootstrap(self.settings.bootstrap_api_key)
            if created is not None and self.settings.bootstrap_api_key is None:
                self.first_key = created.key
            self._project_id = await parts.storage.default_project()
            parts.listeners.start()
            await parts.directory.start()
            parts.chores.start()
            for relay in parts.relays:
                relay.start(self._project)
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
        if self._inbox is not None:
            return True
        self._parts.chores.stop()
        for relay in self._parts.relays:
            relay.stop()
        return await self._parts.directory.drain(timeout_s)

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
        if self._inbox is not None:
            await self._inbox.close()
            return
        parts = self._parts
        async with AsyncExitStack() as stack:  # the last first
            stack.push_async_callback(parts.listeners.close)
            stack.push_async_callback(parts.storage.close)
            if not self.failed.is_set():
                stack.push_async_callback(parts.services.api_keys.flush)
            stack.push_async_callback(parts.resolver.close)
            if parts.own_sender is not None:
                stack.push_async_callback(parts.own_sender.close)
            stack.push_async_callback(parts.directory.close)
            stack.push_async_callback(parts.export_files.close)
            stack.push_async_callback(parts.chores.close)
            for relay in parts.relays:
                stack.push_async_callback(relay.close)
            if parts.exposition is not None:
                stack.push_async_callback(parts.exposition.close)
            stack.callback(parts.loop_lag.stop)

    def _on_fatal(self, error: BaseException) -> None:
        if self._assembly is not None:
            self._assembly.chores.stop()
            for relay in self._assembly.relays:
                relay.stop()
            # What is sent from now on would be sent again after a restart.
            self._assembly.directory.halt()
            self._assembly.listeners.storage_failed(error)
        self.readiness.ready = False
        self.failed.set()
