"""The life of an engine: opened, drained, closed. Public face: `Engine`."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Self

from sluicegate.assembly import Assembly
from sluicegate.engine.calls import ProjectCalls
from sluicegate.engine.events import EVENTS_WAITING, EventName
from sluicegate.engine.ports import Clock, Random, Sender, Storage
from sluicegate.engine.ports.export_files import ExportFiles
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.resolver import PooledResolver
from sluicegate.listeners import EventStream, Listener, Subscriber

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
        self.settings = settings if settings is not None else Settings()
        self._parts = parts = Assembly(
            self.settings,
            clock=clock,
            random=random,
            storage=storage,
            sender=sender,
            resolver=resolver,
            export_files=export_files,
        )
        self.clock, self.random = parts.clock, parts.random
        self.services = parts.services
        self.telemetry, self.exposition = parts.telemetry, parts.exposition
        self.readiness = Readiness()
        self.failed = asyncio.Event()
        self.first_key: str | None = None
        self._entered = False
        self._closing: asyncio.Task[None] | None = None

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
        self._entered, parts = True, self._parts
        try:
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
        self._parts.chores.stop()
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
            if parts.exposition is not None:
                stack.push_async_callback(parts.exposition.close)
            stack.callback(parts.loop_lag.stop)

    def _on_fatal(self, error: BaseException) -> None:
        self._parts.chores.stop()
        # What is sent from now on would be sent again after a restart.
        self._parts.directory.halt()
        self.readiness.ready = False
        self.failed.set()
        self._parts.listeners.storage_failed(error)
