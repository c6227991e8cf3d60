"""The public face of an engine: `Engine`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Self, cast, get_args

from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.calls import ProjectCalls
from sluicegate.engine.errors import SettingError
from sluicegate.engine.events import EVENTS_WAITING, EventName
from sluicegate.engine.settings import Settings
from sluicegate.forks import LOADING
from sluicegate.outbox.calls import OutboxCalls

if TYPE_CHECKING:  # for annotations: the rest is loaded when an engine is made
    from sluicegate.assembly import Assembly
    from sluicegate.engine.ports import Clock, Random, Sender, Storage
    from sluicegate.engine.ports.export_files import ExportFiles
    from sluicegate.http.outbound.resolver import PooledResolver
    from sluicegate.listeners import EventStream, Listener, Subscriber
    from sluicegate.modes.life import Life
    from sluicegate.turns.pacer import Pacer

__all__ = ["Engine", "Mode", "checked_mode", "checked_settings"]

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


def checked_settings(settings: object) -> Settings:
    """Return `settings`, or the defaults for `None`.

    Raises:
        SettingError: they are something else, such as the path of a database.
    """
    if settings is None:
        return Settings()
    if not isinstance(settings, Settings):
        raise SettingError(
            f'settings must be Settings(...), such as Settings(database="webhooks.db"), and not '
            f"a {type(settings).__name__}"
        )
    return settings


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
        clock: "Clock | None" = None,
        random: "Random | None" = None,
        storage: "Storage | None" = None,
        sender: "Sender | None" = None,
        resolver: "PooledResolver | None" = None,
        export_files: "ExportFiles | None" = None,
        pacer: "Pacer | None" = None,
    ) -> None:
        """Put the parts together; nothing is opened or started.

        The first of a process loads what it is made of, which takes it longer than those after it.

        Args:
            settings: the defaults when not given.
            mode: whether this process owns the file and delivers, or only sends.
            clock: the machine's when not given, as are the other ports.
            random: chance.
            storage: where everything durable lives; it and the next are for `deliver`.
            sender: posts the requests.
            resolver: looks up host names.
            export_files: where the files of exports live.
            pacer: where what comes in floods waits in line, shared with `storage` if one is given.

        Raises:
            SettingError: a setting has a value that is not allowed, there is no such mode, or
                `settings` are no `Settings`.
        """
        self.settings = settings = checked_settings(settings)
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.random: Random = random if random is not None else SystemRandom()
        with LOADING:
            from sluicegate.engine.message_rules import MessageRules  # noqa: PLC0415 - see `LOADING`

        self._message_rules = MessageRules(clock=self.clock, random=self.random, settings=settings)
        self._life: Life
        if checked_mode(mode) == "enqueue":
            with LOADING:
                from sluicegate.modes.enqueueing import Enqueueing  # noqa: PLC0415 - see `LOADING`

            self._life = Enqueueing(settings, clock=self.clock, random=self.random)
        else:
            with LOADING:
                from sluicegate.assembly import Assembly  # noqa: PLC0415 - see `LOADING`
                from sluicegate.modes.delivering import Delivering  # noqa: PLC0415 - see `LOADING`

            parts = Assembly(
                settings,
                clock=self.clock,
                random=self.random,
                storage=storage,
                sender=sender,
                resolver=resolver,
                export_files=export_files,
                pacer=pacer,
            )
            self._life = Delivering(parts)
        self.services = self._life.services
        self.telemetry, self.exposition = self._life.telemetry, self._life.exposition
        self.readiness, self.failed = self._life.readiness, self._life.failed
        self.first_key: str | None = None

    @property
    def _parts(self) -> "Assembly":
        return self._life.parts

    @property
    def pacer(self) -> "Pacer":
        """Where what comes in floods waits in line; for who serves sends."""
        return self._parts.pacer

    # -- events -----------------------------------------------------------------------------

    def on(
        self, event: EventName | str, listener: "Listener", *, room: int = EVENTS_WAITING
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

    def events(self, *names: EventName | str, room: int = EVENTS_WAITING) -> "EventStream":
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

    def subscribe(self, subscriber: "Subscriber") -> None:
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
        await self._life.open()
        self._project_id, self.first_key = self._life.project_id, self._life.first_key
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drain, then close everything."""
        await self.aclose()

    async def drain(self, timeout_s: float) -> bool:
        """Start no more attempts and no more chores, and wait for the attempts in flight.

        Returns:
            Whether all of them ended within `timeout_s` seconds.
        """
        return await self._life.drain(timeout_s)

    async def aclose(self) -> None:
        """Drain for at most `drain_s`, then close everything. Twice is fine.

        If the caller is cancelled meanwhile, the drain ends there, as does everything in flight.
        """
        await self._life.aclose(drain_s=self.settings.drain_s)

    async def abort(self) -> None:
        """Close everything at once: attempts in flight are cut, their messages stay waiting.

        If the caller is cancelled this is finished first; a second cancellation ends the
        waiting, not the closing. One part's failure to close keeps no other open.
        """
        await self._life.abort()
