"""A host that receives: its application, its faults, its crashes, and what it saw."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from sluicegate.simulation.bounds import check_seconds
from sluicegate.simulation.faults import Faults
from sluicegate.simulation.lives import OUTSIDE, Life
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.receivers.application import Application
from sluicegate.simulation.receivers.chance import ReceiverChance
from sluicegate.simulation.receivers.exchange import Answer, Exchange, Fate, ReceivedRequest
from sluicegate.simulation.receivers.mishaps import Mishap, MishapKind, check_number

if TYPE_CHECKING:
    from sluicegate.simulation.network import Network

__all__ = ["RESTART_S", "ReceiverHost"]

RESTART_S = 5.0
"""After a crash a receiver is down for so long, where nothing else is said."""

_MOMENT_S = 0.0001


class ReceiverHost:
    """A host of the simulation that gets webhooks.

    Its process may crash and be started again: memory is lost with it, so its application is made
    anew, if it was given as a function that makes one. What is to survive (a database, the
    books) is an object of the test's own, outside of the application.

    Attributes:
        name: on the network; `url` leads to it.
        exchanges: every request that arrived whole and what became of it, in order, across
            crashes: what to state invariants on.
        requests: the requests alone.
        problems: what the application raised, in order; a request it was raised on got a 500.
        faults: what goes wrong here; `None`: what goes wrong everywhere.
        life: its process; the last one while it is down.
        on_request: called with every request that arrived whole.
        on_answer: called with a request and what the receiver says to it, or meant to.
    """

    def __init__(
        self,
        name: str,
        *,
        loop: SimulationLoop,
        network: "Network",
        seed: int | str,
        make: Callable[["ReceiverHost"], Application],
        serve: "Callable[[ReceiverHost, SimulationLoop], Awaitable[None]] | None",
        faults: Callable[[], Faults],
        wall_ms: Callable[[], int],
        crash_sender: Callable[[], None],
    ) -> None:
        """Stand there, switched off. `Simulation.host` calls this, then `start`.

        Args:
            name: unique in its world.
            loop: the world's.
            network: the world's.
            seed: of the faults.
            make: makes the application, at each start.
            serve: listens, for a receiver that has started; `None` if requests come as values.
            faults: what goes wrong everywhere.
            wall_ms: tells the time on the wall, in milliseconds since the Unix epoch.
            crash_sender: ends the engine's process, which comes back by itself.
        """
        self.name = name
        self.url = f"https://{name}/hook"
        self.exchanges: list[Exchange] = []
        self.requests: list[ReceivedRequest] = []
        self.problems: list[BaseException] = []
        self.faults: Faults | None = None
        self.life = Life(name, 0)
        self.life.dead = True
        self.on_request: list[Callable[[ReceivedRequest], None]] = []
        self.on_answer: list[Callable[[ReceivedRequest, Answer], None]] = []
        self.waiting: dict[asyncio.Future[Answer], None] = {}
        """Direct requests that were not answered yet."""
        self.application: Application
        self._loop = loop
        self._network = network
        self._make = make
        self._serve = serve
        self._crash_sender = crash_sender
        self._plan: dict[int, list[MishapKind]] = {}
        self._chance = ReceiverChance(
            f"{seed}:{name}", lambda: self.faults or faults(), wall_ms=wall_ms
        )
        self._ready: asyncio.Future[None] = loop.create_future()

    @property
    def answers(self) -> list[Answer]:
        """What was answered, in the order of the requests, lost answers included."""
        return [each.answer for each in self.exchanges if each.answer is not None]

    # -- life ---------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether its process lives and takes requests."""
        return not self.life.dead and self._ready.done()

    def start(self) -> None:
        """Start its process, and let time pass until it is up. Up already is fine.

        Raises:
            Exception: what the application's startup raised.
        """
        if self.life.dead:
            self._boot()
        self._loop.run(self._until_ready())

    def stop(self) -> None:
        """End its process in good order; it stays down until `start`. Down already is fine."""
        if not self.life.dead:
            self._loop.run(self.application.stop(), life=self.life)
            self._loop.crash(self.life)

    def crash(self, *, power_loss: bool = False, restart_after_s: float | None = RESTART_S) -> None:
        """End its process at this moment: nothing of it runs any more, not even a `finally`.

        Args:
            power_loss: nobody hears of the end of its connections.
            restart_after_s: when it is started again; `None`: it stays down until `start`.

        Raises:
            ValueError: `restart_after_s` is not from 0 to 100 years.
        """
        if restart_after_s is not None:
            check_seconds("restart_after_s", restart_after_s)
        life = self.life
        life.silent = power_loss
        self._loop.crash(life)
        if restart_after_s is not None:

            def restart() -> None:
                if self.life is life:
                    self._boot()

            self._loop.call_later(restart_after_s, restart, context=OUTSIDE.copy())

    def begin_anew(self) -> None:
        """Begin the next life, after a crash, with nothing running in it yet."""
        assert self.life.dead, self.life
        self.life = Life(self.name, self.life.number + 1)
        self.life.on_crash.append(self._break)

    def _boot(self) -> None:
        """Begin the next life, and start its application."""
        self.begin_anew()
        self._ready = self._loop.create_future()
        self._loop.spawn(self.life, self._run(self._ready))

    async def _run(self, ready: "asyncio.Future[None]") -> None:
        try:
            self.application = self._make(self)
            self.life.belongings.append(self.application)
            await self.application.start()
            if self._serve is not None:
                await self._serve(self, self._loop)
        except Exception as error:  # noqa: BLE001 - whoever started it hears of it
            self.problems.append(error)
            self._loop.trace.note("host.not_started", self.life, type(error).__name__)
            ready.set_exception(error)
            ready.exception()  # nobody may be there to hear it
            self._soon(self._loop.crash)
        else:
            self._loop.trace.note("host.ready", self.life)
            ready.set_result(None)

    async def _until_ready(self) -> None:
        await asyncio.shield(self._ready)

    def _soon(self, act: Callable[[Life], None], delay_s: float = 0) -> None:
        """Do something to the life that now is from outside of it, unless it is over by then."""
        life = self.life
        self._loop.call_later(
            delay_s, lambda: None if life.dead else act(life), context=OUTSIDE.copy()
        )

    def _break(self) -> None:
        """Let those who wait for an answer know that there is none, unless the power is lost."""
        if self.life.silent:
            return
        for answered in self.waiting:
            if not answered.done():
                answered.set_exception(ConnectionResetError())

    # -- planned faults -------------------------------------------------------------------------

    def plan(self, kind: "MishapKind | str", *, nth: int = 1) -> Mishap:
        """Let something befall the `nth` request from now, counted from 1; return the plan.

        Raises:
            ValueError: `nth` is not from 1, or there is no such kind.
        """
        check_number(nth)
        kind, number = MishapKind(kind), len(self.requests) + nth
        self._plan.setdefault(number, []).append(kind)
        return Mishap(host=self.name, request=number, kind=kind)

    def crash_before_answer(self, *, nth: int = 1) -> None:
        """Let the application act on the `nth` request from now, then die before its answer."""
        self.plan(MishapKind.CRASH_BEFORE_ANSWER, nth=nth)

    def crash_after_answer(self, *, nth: int = 1) -> None:
        """Let the process die as soon as it has answered the `nth` request from now."""
        self.plan(MishapKind.CRASH_AFTER_ANSWER, nth=nth)

    def crash_midway(self, *, nth: int = 1) -> None:
        """Let the process die while it works on the `nth` request from now."""
        self.plan(MishapKind.CRASH_MIDWAY, nth=nth)

    def lose_answer(self, *, nth: int = 1) -> None:
        """Let the connection break before the answer to the `nth` request from now."""
        self.plan(MishapKind.ANSWER_LOST, nth=nth)

    def _planned(
        self, exchange: Exchange, kinds: list[MishapKind], *wanted: MishapKind
    ) -> MishapKind | None:
        """Return what of `wanted` befalls a request now."""
        found = next((kind for kind in kinds if kind in wanted), None)
        if found is not None:
            self._loop.trace.note("receiver.mishap", self.name, found)
            exchange.mishap = exchange.mishap or found
        return found

    def _die_midway(self, exchange: Exchange) -> None:
        """Crash, unless the application had nothing to wait for and has answered."""
        if exchange.answer is None:
            kind = MishapKind.CRASH_MIDWAY
            self._planned(exchange, [kind], kind)
            self.crash()

    # -- requests -------------------------------------------------------------------------------

    async def receive(
        self,
        request: ReceivedRequest,
        gone: asyncio.Event | None = None,
        *,
        act: Callable[[], Awaitable[Answer]] | None = None,
    ) -> Answer:
        """Let the application see a request, unless a fault comes before it; return its answer.

        Args:
            request: as it arrived.
            gone: is set when nobody waits for the answer any more.
            act: hands it to the application, where that takes more than its value.
        """
        self.requests.append(request)
        exchange = Exchange(request=request)
        self.exchanges.append(exchange)
        for hear_request in self.on_request:
            hear_request(request)
        mishaps = self._plan.pop(len(self.requests), [])
        self._loop.trace.note(
            "request.received", self.name, request.message_id, request.header("x-webhook-attempt")
        )
        busy = self._planned(exchange, mishaps, MishapKind.BUSY)
        answer = Answer(status=503) if busy else self._chance.refusal()
        if answer is None:
            exchange.acted = True
            if MishapKind.CRASH_MIDWAY in mishaps:
                self._soon(lambda _: self._die_midway(exchange))
            answer = await self._answer(exchange, gone or asyncio.Event(), act)
            answer = self._spoiled(exchange, answer, mishaps)
        exchange.answer, exchange.answered_s = answer, self._loop.time()
        self._loop.trace.note(
            "request.answered", self.name, request.message_id, answer.status, answer.fate
        )
        for hear_answer in self.on_answer:
            hear_answer(request, answer)
        await self._crash(exchange, mishaps)
        return answer

    async def _answer(
        self,
        exchange: Exchange,
        gone: asyncio.Event,
        act: Callable[[], Awaitable[Answer]] | None,
    ) -> Answer:
        try:
            if act is not None:
                return await act()
            return await self.application.respond(exchange.request, gone)
        except Exception as error:  # noqa: BLE001 - as a server would
            exchange.error = error
            self.failed(error)
            return Answer(status=500)

    def failed(self, error: BaseException) -> None:
        """Hear of an exception of the application."""
        self.problems.append(error)
        self._loop.trace.note("receiver.raised", self.name, type(error).__name__)

    async def _crash(self, exchange: Exchange, mishaps: list[MishapKind]) -> None:
        """Let processes die around an answer, if that is planned or drawn."""
        if self._chance.crashes():
            mishaps = [*mishaps, MishapKind.CRASH_BEFORE_ANSWER]
        match self._planned(
            exchange,
            mishaps,
            MishapKind.CRASH_BEFORE_ANSWER,
            MishapKind.CRASH_AFTER_ANSWER,
            MishapKind.SENDER_CRASH,
        ):
            case MishapKind.CRASH_BEFORE_ANSWER:
                self._soon(lambda _: self.crash())
                await self._loop.create_future()
            case MishapKind.SENDER_CRASH:
                self._loop.call_soon(self._crash_sender, context=OUTSIDE.copy())
            case MishapKind.CRASH_AFTER_ANSWER:
                self._soon(lambda _: self.crash(), _MOMENT_S)
            case _:
                pass

    def _spoiled(self, exchange: Exchange, answer: Answer, mishaps: list[MishapKind]) -> Answer:
        """Return what becomes of the application's answer."""
        match self._planned(exchange, mishaps, MishapKind.ANSWER_LOST, MishapKind.ANSWER_NEVER):
            case MishapKind.ANSWER_LOST:
                return msgspec.structs.replace(answer, fate=Fate.LOST)
            case MishapKind.ANSWER_NEVER:
                return msgspec.structs.replace(answer, fate=Fate.NEVER)
            case _:
                return self._chance.spoiled(answer)
