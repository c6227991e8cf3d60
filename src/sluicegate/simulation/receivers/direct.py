"""Delivery without bytes: the `Sender` port, straight to a receiver. Faster than HTTP."""

import asyncio
import random
import ssl
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sluicegate.engine.outcome import Outcome, OutcomeKind, Timings
from sluicegate.engine.ports import Request
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.responses import complaint
from sluicegate.simulation.faults import Faults
from sluicegate.simulation.lives import LIFE, OUTSIDE, Life
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.network.traffic import STALL_S, name_of
from sluicegate.simulation.receivers.exchange import Answer, Fate, ReceivedRequest
from sluicegate.simulation.receivers.host import ReceiverHost
from sluicegate.simulation.receivers.http import HTTP_PORT, TLS_PORT, slow_head

if TYPE_CHECKING:
    from sluicegate.simulation.network import Network

__all__ = ["DirectSender", "listen_directly"]


async def listen_directly(receiver: ReceiverHost, loop: SimulationLoop) -> None:
    """Let the network know that a receiver is there. Nothing is ever written to it."""
    for port in (TLS_PORT, HTTP_PORT):
        loop.network.listen(asyncio.Protocol, receiver.name, port)


class DirectSender:
    """Hands requests to receivers as values. Implements `sluicegate.engine.ports.Sender`.

    Names, handshakes, partitions and crashes are the network's, and outcomes are those that the
    real sender comes to. It differs in this: each attempt looks the name up and connects anew,
    and no stream is ever cut in an odd place.

    What a receiver got, it got, even if the sending process dies meanwhile: a request on its way
    belongs to nobody.
    """

    def __init__(
        self,
        network: "Network",
        seed: str,
        *,
        receiver: Callable[[str], ReceiverHost | None],
        settings: Settings,
    ) -> None:
        """Take the world.

        Args:
            network: what is between.
            seed: of latencies and of what befalls requests and answers.
            receiver: finds the host with a name.
            settings: the engine's: its time limits, and how much of an answer it keeps.
        """
        self._network = network
        self._loop = network.loop
        self._random = random.Random(f"{seed}:direct")
        self._receiver = receiver
        self._settings = settings

    async def post(self, request: Request) -> Outcome:
        """Post `request` once and return what it came to."""
        began_s = self._loop.time()
        address, answer = None, None
        answered_s = began_s
        try:
            async with asyncio.timeout(request.timeout_s):
                address, receiver, failure = await self._connect(request.url)
                if failure is not None or receiver is None:
                    return self._failed(failure or OutcomeKind.CONNECTION_ERROR, address, began_s)
                if request.may_start is not None and not request.may_start():
                    return Outcome(kind=OutcomeKind.RECALLED)
                answer = await self._exchange(receiver, request)
                answered_s = self._loop.time()
                if answer.fate is Fate.DRIP:
                    await asyncio.sleep(len(answer.body))
        except TimeoutError:
            if answer is None:
                return self._failed(OutcomeKind.TIMEOUT, address, began_s)
        except ConnectionResetError:
            return self._failed(OutcomeKind.CONNECTION_ERROR, address, began_s)
        if answer.fate is Fate.FLOODED:
            return self._failed(OutcomeKind.CONNECTION_ERROR, address, began_s)
        read = len(answer.body)
        if answer.fate is Fate.DRIP:
            read = min(read, int(self._loop.time() - answered_s))
        return self._answered(answer, read, address, began_s)

    # -- the way there --------------------------------------------------------------------------

    async def _connect(
        self, url: str
    ) -> tuple[str | None, ReceiverHost | None, OutcomeKind | None]:
        """Return the address, who is there, and what an attempt came to that got no connection."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        port = parts.port or (TLS_PORT if secure else HTTP_PORT)
        try:
            async with asyncio.timeout(self._settings.dns_timeout_s):
                await asyncio.sleep(self._network.look_up_s())
            address = str(self._network.look_up(parts.hostname or "")[0][4][0])
        except OSError:  # `TimeoutError` is one
            return None, None, OutcomeKind.DNS_ERROR
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await self._network.reach((address, port))
                if secure:
                    await self._network.trust(address)
        except TimeoutError:
            return address, None, OutcomeKind.TIMEOUT
        except ssl.SSLError:
            return address, None, OutcomeKind.TLS_ERROR
        except OSError:
            return address, None, OutcomeKind.CONNECTION_ERROR
        return address, self._receiver(self._network.name(address)), None

    async def _exchange(self, receiver: ReceiverHost, request: Request) -> Answer:
        """Return what comes back, whenever that is.

        Raises:
            ConnectionResetError: the connection broke.
        """
        here = name_of(LIFE.get())
        faults = self._network.faults_between(here, receiver.name)
        if self._happens(faults.reset) or receiver.life.dead:
            raise ConnectionResetError
        answered: asyncio.Future[Answer] = self._loop.create_future()
        arrive = partial(self._arrive, here, receiver, receiver.life, request, answered)
        self._carry(here, receiver.name, arrive)
        receiver.waiting[answered] = None
        try:
            return await answered
        finally:
            receiver.waiting.pop(answered, None)

    def _carry(self, one: str, other: str, arrive: Callable[[], None]) -> None:
        """Call `arrive` when a packet has come from one host to another."""

        def come() -> None:
            if not self._network.when_joined(one, other, come):
                arrive()

        faults = self._network.faults_between(one, other)
        delay_s = self._latency_s(faults)
        if self._happens(faults.stall):
            delay_s += self._random.uniform(*STALL_S)
        self._loop.call_later(delay_s, come, context=OUTSIDE.copy())

    def _arrive(
        self,
        here: str,
        receiver: ReceiverHost,
        life: Life,
        request: Request,
        answered: "asyncio.Future[Answer]",
    ) -> None:
        """Let the process act that was connected to; one that came after it knows of nothing."""
        if not life.dead:
            self._loop.spawn(life, self._answer(here, receiver, request, answered))

    async def _answer(
        self,
        here: str,
        receiver: ReceiverHost,
        request: Request,
        answered: "asyncio.Future[Answer]",
    ) -> None:
        """Let the receiver act, and send its answer. Runs in the receiver's life."""
        parts = urlsplit(request.url)
        received = ReceivedRequest(
            at_s=self._loop.time(),
            host=receiver.name,
            path=f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}",
            headers=request.headers,
            body=request.body,
        )
        gone = asyncio.Event()
        answered.add_done_callback(lambda _: gone.set(), context=receiver.life.context.copy())
        said = await receiver.receive(received, gone)
        await asyncio.sleep(said.delay_s)
        if said.fate is Fate.NEVER:
            return
        if said.fate is Fate.DRIP:
            await asyncio.sleep(len(slow_head(said)) - 1)
        receiver.waiting.pop(answered, None)  # on its way: no crash takes it back
        if self._happens(self._network.faults_between(receiver.name, here).reset):
            said = Answer(fate=Fate.LOST)
        self._carry(receiver.name, here, partial(_settle, answered, said))

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate

    def _latency_s(self, faults: Faults) -> float:
        return self._random.uniform(*faults.latency_s)

    # -- what it came to ------------------------------------------------------------------------

    def _timings(self, began_s: float) -> Timings:
        return Timings(total_ms=(self._loop.time() - began_s) * 1000)

    def _failed(self, kind: OutcomeKind, address: str | None, began_s: float) -> Outcome:
        return Outcome(
            kind=kind,
            error=kind.value.replace("_", " "),
            resolved_ip=address,
            timings=self._timings(began_s),
        )

    def _answered(self, answer: Answer, read: int, address: str | None, began_s: float) -> Outcome:
        keep = self._settings.response_keep_bytes_max
        complete = read == len(answer.body) <= self._settings.response_read_bytes_max
        return Outcome(
            kind=OutcomeKind.ANSWERED,
            status=answer.status,
            error=complaint(answer.status),
            headers=answer.headers,
            retry_after=next((v for k, v in answer.headers if k.lower() == "retry-after"), None),
            body=answer.body[: min(read, keep)],
            body_truncated=read > keep or not complete,
            resolved_ip=address,
            timings=self._timings(began_s),
        )


def _settle(answered: "asyncio.Future[Answer]", answer: Answer) -> None:
    if answered.done():
        return
    if answer.fate is Fate.LOST:
        answered.set_exception(ConnectionResetError())
    else:
        answered.set_result(answer)
