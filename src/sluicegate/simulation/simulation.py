"""One world under one seed: the public face of the kit."""

import contextlib
import os
import weakref
from collections.abc import Coroutine, Iterable
from typing import Any, Protocol, Self, TypeVar

from sluicegate.engine.ports import Sender
from sluicegate.engine.settings import Settings
from sluicegate.simulation.bounds import check_count, check_seconds
from sluicegate.simulation.disk import Disk
from sluicegate.simulation.engine_host import API_KEY, EngineHost
from sluicegate.simulation.engine_settings import changed_settings
from sluicegate.simulation.faults import CALM, Faults
from sluicegate.simulation.lives import Life
from sluicegate.simulation.loop import STANDSTILL_STEPS, SimulationLoop
from sluicegate.simulation.network import OUTSIDE_NAME, Network, check_host_name
from sluicegate.simulation.one_world import abandon, changed_process, check_alone, own_folder
from sluicegate.simulation.receivers import Answer, Mishap, ReceiverHost
from sluicegate.simulation.receivers.anyio_threads import inline_anyio_threads, is_anyio_here
from sluicegate.simulation.receivers.application import Script
from sluicegate.simulation.receivers.direct import DirectSender, listen_directly
from sluicegate.simulation.receivers.http import serve_receiver
from sluicegate.simulation.receivers.mounting import mounted
from sluicegate.simulation.settling import Settled, longest_cycle_s, settle
from sluicegate.simulation.trace import Trace
from sluicegate.simulation.world import WallClock

__all__ = ["Simulation"]

_T = TypeVar("_T")


class Named(Protocol):
    """A host."""

    name: str


class Crashable(Protocol):
    """A host whose process can end."""

    def crash(self, *, power_loss: bool) -> None:
        """End its process."""
        ...


class Simulation:
    """A world with a clock of its own, a network, a disk, and whatever hosts are put in it.

    A context manager. Used from one thread, outside of any event loop. A process has one at a
    time, for it changes aiohttp's clock, the logger `sluicegate` and the garbage collector until
    it is closed. One that is dropped instead is cleaned up when it is collected, at the latest
    when the process ends, with a `ResourceWarning`.

        with Simulation(seed=7) as simulation:
            shop = simulation.host("shop", responses=[500, 200])
            sluicegate = simulation.engine()
            ...

    Attributes:
        seed: what everything is drawn from.
        loop: the event loop, whose time is the virtual time.
        network: names, connections, partitions.
        disk: the engine's.
        wall: the clock on the wall, which may jump.
        trace: what happened.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        faults: Faults = CALM,
        direct: bool = False,
        mishaps: Iterable[Mishap] = (),
        standstill_steps: int = STANDSTILL_STEPS,
    ) -> None:
        """Make an empty world.

        Args:
            seed: the same seed, with the same calls, gives the same trace, byte for byte.
            faults: what goes wrong, everywhere and from the beginning, until `heal`.
            direct: deliver requests as values instead of through HTTP: an order faster, and
                without what only bytes can do. An aiohttp application cannot do without.
            mishaps: what befalls single requests, beside `faults`.
            standstill_steps: so many callbacks may be scheduled while time stands still; then
                the world fails with `StandstillError`, which says what runs on and on.

        Raises:
            ValueError: `standstill_steps` is not from 1.
            RuntimeError: another world is open in this process.
            TypeError: `faults` or a mishap is something else.
        """
        self._mishaps = _checked(faults, mishaps)
        check_count("standstill_steps", standstill_steps)
        check_alone()
        self.seed = seed
        self._direct = direct
        self._engine: EngineHost | None = None
        self._receivers: dict[str, ReceiverHost] = {}
        with contextlib.ExitStack() as inside:
            folder = inside.enter_context(own_folder())
            self.loop = SimulationLoop(seed)
            self.loop.standstill_steps = standstill_steps
            self.network = Network(self.loop, seed)
            self.wall = WallClock(self.loop)
            self.trace: Trace = self.loop.trace
            self.disk = Disk(self.loop, seed, folder)
            inside.callback(self.disk.remove)
            inside.callback(self.loop.close)
            inside.enter_context(changed_process(seed, self.loop, self.wall))
            self._inside = inside.pop_all()
        self._dropped = weakref.finalize(self, abandon, self._inside, seed, os.getpid())
        self._anyio_kept = False
        self.set_faults(faults)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """End the world.

        Raises:
            UnhandledError: nobody handled an exception in it, and none is on its way already.
            ValueError: mishaps were planned for a host that was never there.
        """
        self.close()
        if kind is None:
            self.loop.check()
            self._check_mishaps()

    def _check_mishaps(self) -> None:
        missing = dict.fromkeys(
            each.host for each in self._mishaps if each.host not in self._receivers
        )
        if missing:
            raise ValueError(
                f"mishaps: there was never a host {', '.join(map(repr, missing))}"
                f" (there was {', '.join(map(repr, self._receivers)) or 'none'})"
            )

    def close(self) -> None:
        """End the world and remove its files. Twice is fine."""
        if self.loop.is_closed():
            return
        try:
            if self._engine is not None:
                self._engine.destroy()
            for receiver in self._receivers.values():
                self.loop.crash(receiver.life)
            self.loop.close()  # what the dead have left to say, before their files are closed
            self.disk.remove()
        finally:
            self._dropped.detach()
            self._inside.close()

    # -- hosts --------------------------------------------------------------------------------

    def engine(self, *, http: bool = False, **settings: object) -> EngineHost:
        """Return the host that runs Sluicegate, started.

        Args:
            http: whether its HTTP API listens, at `http://sluicegate:8400`.
            settings: see `sluicegate.engine.settings.Settings`; metrics are off, and `database`
                is the simulated disk's.

        Raises:
            SettingError: there is no such setting, or a value is not allowed.
            RuntimeError: there is one already.
        """
        if self._engine is not None:
            raise RuntimeError("a simulation has one engine")
        by_default = Settings(bootstrap_api_key=API_KEY, metrics=False, docs=False)
        self._engine = EngineHost(self, changed_settings(by_default, settings), http=http)
        self._engine.start()
        return self._engine

    def host(
        self,
        name: str,
        *,
        responses: "Script | Iterable[int | Answer] | int | Answer | None" = None,
        asgi: object = None,
        wsgi: object = None,
        aiohttp_app: object = None,
    ) -> ReceiverHost:
        """Return a host that receives webhooks at `https://<name>/`, started.

        It answers what `responses` says, or has an application, given as it is or as a function
        without arguments that makes one. The function is called at each start of the host: a
        crash loses what an application had in memory. Without any it answers 200.

        Everything runs on the simulation's loop. Functions that a framework would run in threads
        run inline; one that blocks (`time.sleep`, a real socket) blocks the whole world.

        Args:
            name: a host name in lower case, unique in this world.
            responses: a status, an `Answer`, a list of them (the last one goes on for ever), or
                a function of the request that returns an `Answer`, or awaits one.
            asgi: an ASGI 3 application (FastAPI, Starlette, Django, …).
            wsgi: a WSGI application (Flask, Django, …).
            aiohttp_app: an `aiohttp.web.Application`; not with `direct`.

        Raises:
            TypeError: something is neither an application of its kind nor makes one.
            ValueError: the name is no host name, or taken, more than one is given, there is no
                response in the list, or an aiohttp application is to do without HTTP.
            Exception: what the application's startup raised.
        """
        check_host_name(name)
        if name in self._receivers or name == EngineHost.name:
            raise ValueError(f"host {name!r} exists already")
        if aiohttp_app is not None and self._direct:
            raise ValueError("aiohttp_app: it needs HTTP, which `direct` leaves out")
        receiver = ReceiverHost(
            name,
            loop=self.loop,
            network=self.network,
            seed=self.seed,
            make=mounted(
                responses=responses,
                asgi=asgi,
                wsgi=wsgi,
                aiohttp_app=aiohttp_app,
                prepare=self._keep_anyio,
            ),
            serve=listen_directly if self._direct else serve_receiver,
            faults=lambda: self.network.faults,
            wall_ms=self.wall.now_ms,
            crash_sender=self._crash_engine,
        )
        self.network.address(name)
        self._receivers[name] = receiver
        for mishap in self._mishaps:
            if mishap.host == name:
                receiver.plan(mishap.kind, nth=mishap.request)
        receiver.start()
        return receiver

    @property
    def hosts(self) -> tuple[ReceiverHost, ...]:
        """Those that receive, in the order in which they came."""
        return tuple(self._receivers.values())

    def _keep_anyio(self) -> None:
        """Let no thread of anyio escape, once it is there."""
        if not self._anyio_kept and is_anyio_here():
            self._inside.enter_context(inline_anyio_threads())
            self._anyio_kept = True

    def _crash_engine(self) -> None:
        if self._engine is not None:
            self._engine.crash()

    def direct_sender(self, life: Life) -> Sender | None:
        """Return the sender of a life of the engine; `None` for the real one."""
        if not self._direct or self._engine is None:
            return None
        return DirectSender(
            self.network,
            f"{self.seed}:{life.number}",
            receiver=self._receivers.get,
            settings=self._engine.settings,
        )

    # -- time ---------------------------------------------------------------------------------

    def run(self, coro: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in the world outside, let time pass until it ends; return its result."""
        return self.loop.run(coro)

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: `seconds` is not from 0 to 100 years.
        """
        self.loop.advance(seconds)

    # -- faults -------------------------------------------------------------------------------

    def set_faults(self, faults: Faults) -> None:
        """Let other things go wrong from now on, everywhere."""
        self.network.faults = self.disk.faults = faults

    def crash(self, host: Crashable, *, power_loss: bool = False) -> None:
        """End a host's process at this moment: nothing of it runs any more, not even a `finally`.

        Args:
            host: the engine's or a receiver's.
            power_loss: the machine loses power: what its disk had not synced may be gone, and
                nobody hears of the end of its connections.
        """
        host.crash(power_loss=power_loss)

    def crash_at_write(self, count: int, *, power_loss: bool = False) -> None:
        """Crash the engine at its `count`-th commit from now: before, within or right after it.

        Args:
            count: from 1; commits of a start count too, also of the first one.
            power_loss: as for `crash`.

        Raises:
            ValueError: `count` is not from 1.
        """
        check_count("count", count)
        self.disk.crash_at_write(count, power_loss=power_loss, died=self._die)

    def partition(self, one: Named | str, other: Named | str) -> None:
        """Let nothing pass between two hosts, until `heal`.

        Args:
            one: a host, or its name.
            other: the same.

        Raises:
            ValueError: there is no such host.
        """
        self.network.partition(self._known(one), self._known(other))

    def _known(self, host: Named | str) -> str:
        name = host if isinstance(host, str) else host.name
        known = {EngineHost.name: None, OUTSIDE_NAME: None} | dict.fromkeys(self.network.host_names)
        if name not in known:
            raise ValueError(f"there is no host {name!r}, but {', '.join(map(repr, known))}")
        return name

    def heal(self) -> None:
        """End every fault and partition; what is down comes up by itself."""
        self.network.heal()
        self.disk.heal()

    def settle(self, limit_s: float | None = None) -> Settled:
        """Heal, then let time pass until the engine has nothing left to deliver.

        Args:
            limit_s: virtual seconds after which it is given up. By default as long as one
                message's attempts can take: see `longest_cycle_s`.

        Returns:
            How long it took, what is still unfinished, and which receivers' applications raised.

        Raises:
            HostDownError: the engine is down at the end of that time.
            RuntimeError: there is no engine.
            ValueError: `limit_s` is not from 0 to 100 years.
        """
        host = self._the_engine()
        if limit_s is not None:
            check_seconds("limit_s", limit_s)
        self.heal()
        return settle(
            self.loop,
            host,
            longest_cycle_s(host.settings) if limit_s is None else limit_s,
            receivers=self.hosts,
        )

    def _die(self, power_loss: bool) -> None:  # noqa: FBT001 - what the disk calls
        self._the_engine().crash(power_loss=power_loss)

    def _the_engine(self) -> EngineHost:
        if self._engine is None:
            raise RuntimeError("there is no engine: call `engine` first")
        return self._engine

    def digest(self) -> str:
        """Return 32 hexadecimal digits that stand for everything that happened."""
        return self.trace.digest()


def _checked(faults: object, mishaps: Iterable[Mishap]) -> tuple[Mishap, ...]:
    """Return the mishaps; see that they are some, and that faults are."""
    if not isinstance(faults, Faults):
        raise TypeError(f"faults: {faults!r} is no `Faults`")
    planned = tuple(mishaps)
    for mishap in planned:
        if not isinstance(mishap, Mishap):
            raise TypeError(f"mishaps: {mishap!r} is no `Mishap`")
    return planned
