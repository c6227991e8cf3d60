"""The host that runs Sluicegate: the real engine and its HTTP API, restarted when it dies."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sluicegate.app import Engine
from sluicegate.engine.errors import SettingError, SluicegateError, StorageVersionError
from sluicegate.engine.settings import Settings
from sluicegate.simulation.bounds import check_seconds
from sluicegate.simulation.engine_process import API_PORT, EngineProcess, World
from sluicegate.simulation.engine_settings import changed_settings
from sluicegate.simulation.errors import LifeEndedError
from sluicegate.simulation.lives import OUTSIDE, HostDownError, Life
from sluicegate.simulation.producer import Producer

__all__ = ["API_KEY", "API_PORT", "EngineHost", "HostDownError"]

API_KEY = "simulated_key_that_opens_nothing"
_RESTART_S = 1.0
_PATIENCE_S = 3600.0

_T = TypeVar("_T")


class EngineHost(Producer):
    """A host with the real engine, its database and its HTTP API, at `http://sluicegate:8400`.

    A supervisor watches its process: however it ends, but for `stop`, the next one is started
    `restart_s` later. A start that fails, on a disk that fails, is an end like any other.

    `start`, `stop` and `restart` let time pass and are called from outside the loop; `crash`
    takes no time and is called from anywhere.

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
        super().__init__(world.loop)
        self._world = world
        self._http = http
        self._lives = 0
        self._process: EngineProcess | None = None
        self._wanted = False
        self._restart: asyncio.TimerHandle | None = None
        self._failure: Exception | None = None
        self._news: asyncio.Future[None] = world.loop.create_future()
        self.settings = settings
        self._restart_s: float | None = _RESTART_S
        self.life = Life(self.name, 0)
        self.life.dead = True
        self.url = f"http://{self.name}:{API_PORT}"
        world.network.address(self.name)

    @property
    def engine(self) -> Engine:
        """The running engine.

        Raises:
            HostDownError: it is down.
        """
        if self._process is None or self.life.dead:
            raise HostDownError(f"{self.name} is down")
        return self._process.engine

    @property
    def restart_s(self) -> float | None:
        """Seconds from an end to the next start; `None`: it stays down until `start`.

        Raises:
            ValueError: set to anything but `None` or 0 to 100 years.
        """
        return self._restart_s

    @restart_s.setter
    def restart_s(self, seconds: float | None) -> None:
        self._restart_s = None if seconds is None else check_seconds("restart_s", seconds)

    @property
    def is_up(self) -> bool:
        """Whether the engine is open and its process lives."""
        return self._process is not None and not self.life.dead

    # -- life ---------------------------------------------------------------------------------

    def start(self, *, within_s: float = _PATIENCE_S) -> None:
        """Start, and let time pass until it is up. Up already, or on its way, is fine.

        Args:
            within_s: virtual seconds, in which it may fail to start any number of times.

        Raises:
            SettingError, StorageVersionError: it can never start like this; it stays down, as it
                does after an error that is a bug, which is raised as it is.
            HostDownError: it did not come up in time; the supervisor goes on trying.
            ValueError: `within_s` is not from 0 to 100 years.
        """
        check_seconds("within_s", within_s)
        self._wanted = True
        self._boot()
        self._world.loop.run(self._until_up(within_s))

    def crash(self, *, power_loss: bool = False) -> None:
        """End the process at this moment, wherever it is; the supervisor starts the next one.

        While it is down already a loss of power still does its harm to the disk.
        """
        if self.life.dead:
            if power_loss:
                self._world.disk.crash(power_loss=True)
            return
        self.life.silent = power_loss
        self._process = None
        self._world.loop.crash(self.life)
        self._world.disk.crash(power_loss=power_loss)
        if self._wanted and self.restart_s is not None:
            self._restart = self._world.loop.call_later(
                self.restart_s, self._boot, context=OUTSIDE.copy()
            )

    def stop(self) -> None:
        """Drain and close it in good order; it stays down until `start`.

        While it starts it is ended like by a crash. If it dies on the way, that was its end.
        """
        self._wanted = False
        life = self.life
        if self.is_up:
            with contextlib.suppress(LifeEndedError):
                self._world.loop.run(self._close(), life=life)
        if not life.dead:
            self.crash()

    def restart(self, **settings: object) -> None:
        """Stop it in good order and start it again, with some settings changed.

        Raises:
            SettingError: there is no such setting, or a value is not allowed; nothing was stopped.
        """
        changed = changed_settings(self.settings, settings)
        self.stop()
        self.settings = changed
        self.start()

    def destroy(self) -> None:
        """End the process, for good."""
        self._wanted = False
        self.crash()

    async def call(self, work: Callable[[Engine], Awaitable[_T]]) -> _T:
        """Run `work(engine)` in the engine's process, as an embedding program would.

        If the caller is cancelled, so is the work.

        Raises:
            HostDownError: it is down, or died before the work was done: whether it was carried
                out is not known.
        """
        engine = self.engine

        async def within() -> _T:
            return await work(engine)

        try:
            return await self._world.loop.within(self.life, within())
        except LifeEndedError as error:
            raise HostDownError(str(error)) from None

    async def _until_up(self, within_s: float) -> None:
        deadline_s = self._world.loop.time() + within_s
        while not self.is_up:
            try:
                async with asyncio.timeout_at(deadline_s):
                    await asyncio.shield(self._news)
            except TimeoutError:
                raise HostDownError(f"{self.name} did not start: {self._failure}") from None
            if self._failure is not None and not _passes(self._failure):
                self._wanted = False
                raise self._failure

    def _boot(self) -> None:
        """Begin the next life, unless one goes on."""
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        if not self.life.dead or not self._wanted:
            return
        self._lives += 1
        self.life = Life(self.name, self._lives)
        self._world.loop.spawn(self.life, self._run(self.life))

    async def _run(self, life: Life) -> None:
        """Be the process, from its start to its end."""
        loop = self._world.loop
        loop.trace.note("host.started", life)
        self._failure = None
        try:
            process = EngineProcess(self._world, life, self.settings)
            life.belongings.append(process)
            await process.open(http=self._http)
        except Exception as error:  # noqa: BLE001 - a bug of ours is told, as any program's would be
            if not isinstance(error, SluicegateError):
                loop.call_exception_handler({"message": f"{life} crashed", "exception": error})
            loop.trace.note("host.not_started", life, type(error).__name__)
            self._failure = error
            self._exit(life)
            self._tell()
            return
        self._process = process
        loop.trace.note("host.ready", life)
        self._tell()
        await process.engine.failed.wait()
        # As `sluicegate serve` ends after a commit of which nobody knows what came of it.
        loop.trace.note("host.failed", life)
        await process.close()
        self._exit(life)

    def _tell(self) -> None:
        """Wake who waits for a start to succeed or fail."""
        news, self._news = self._news, self._world.loop.create_future()
        news.set_result(None)

    def _exit(self, life: Life) -> None:
        """End the process soon, from outside."""

        def end() -> None:
            if self.life is life:
                self.crash()

        self._world.loop.call_soon(end, context=OUTSIDE.copy())

    async def _close(self) -> None:
        assert self._process is not None
        await self._process.engine.drain(self._process.engine.settings.drain_s)
        await self._process.close()
        self._world.loop.trace.note("host.stopped", self.life)


def _passes(error: Exception) -> bool:
    """Return whether a start that failed like this may succeed when it is tried again."""
    return isinstance(error, SluicegateError) and not isinstance(
        error, SettingError | StorageVersionError
    )
