"""Delivery without bytes: the `Sender` port, straight to a receiver. An order faster than HTTP."""

import asyncio
import random
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Request
from sluicegate.simulation.faults import Faults
from sluicegate.simulation.lives import OUTSIDE
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.receivers.exchange import Answer, Fate, ReceivedRequest
from sluicegate.simulation.receivers.host import ReceiverHost

__all__ = ["DirectSender"]

_KERNEL_GIVES_UP_S = 127.0


class DirectSender:
    """Hands requests to receivers as values. Implements `sluicegate.engine.ports.Sender`.

    What a receiver got, it got, even if the sending process dies meanwhile: a request on its way
    belongs to nobody.
    """

    def __init__(
        self,
        loop: SimulationLoop,
        seed: str,
        *,
        receiver: Callable[[str], ReceiverHost | None],
        faults: Callable[[], Faults],
    ) -> None:
        """Take the world.

        Args:
            loop: the simulation's.
            seed: of latencies and faults.
            receiver: finds the host with a name.
            faults: what goes wrong on the network.
        """
        self._loop = loop
        self._random = random.Random(f"{seed}:direct")
        self._receiver = receiver
        self._faults = faults

    async def post(self, request: Request) -> Outcome:
        """Post `request` once and return what it came to."""
        faults = self._faults()
        parts = urlsplit(request.url)
        name = parts.hostname or ""
        try:
            async with asyncio.timeout(request.timeout_s):
                failure = await self._connect(name, faults)
                if failure is not None:
                    return failure
                if request.may_start is not None and not request.may_start():
                    return Outcome(kind=OutcomeKind.RECALLED)
                answer = await self._exchange(name, f"{parts.path or '/'}", request, faults)
        except TimeoutError:
            text = f"no response within {request.timeout_s:g} s"
            return Outcome(kind=OutcomeKind.TIMEOUT, error=text)
        except ConnectionResetError:
            return Outcome(kind=OutcomeKind.CONNECTION_ERROR, error="connection reset")
        return _outcome(answer)

    async def _connect(self, name: str, faults: Faults) -> Outcome | None:
        """Return what an attempt came to that got no connection."""
        await asyncio.sleep(self._latency_s(faults))
        if self._happens(faults.dns_failure):
            return Outcome(kind=OutcomeKind.DNS_ERROR, error="name not resolved")
        receiver = self._receiver(name)
        if self._happens(faults.black_hole):
            await asyncio.sleep(_KERNEL_GIVES_UP_S)
        if receiver is None or receiver.life.dead or self._happens(faults.refuse):
            return Outcome(kind=OutcomeKind.CONNECTION_ERROR, error="connection refused")
        return None

    async def _exchange(self, name: str, path: str, request: Request, faults: Faults) -> Answer:
        receiver = self._receiver(name)
        assert receiver is not None
        if self._happens(faults.reset):
            raise ConnectionResetError
        answered: asyncio.Future[Answer] = self._loop.create_future()
        self._loop.call_later(
            self._latency_s(faults),
            self._arrive,
            receiver,
            path,
            request,
            answered,
            context=receiver.life.context.copy(),
        )
        receiver.waiting[answered] = None
        try:
            return await answered
        finally:
            receiver.waiting.pop(answered, None)

    def _arrive(
        self,
        receiver: ReceiverHost,
        path: str,
        request: Request,
        answered: "asyncio.Future[Answer]",
    ) -> None:
        received = ReceivedRequest(
            at_s=self._loop.time(),
            host=receiver.name,
            path=path,
            headers=request.headers,
            body=request.body,
        )

        gone = asyncio.Event()
        answered.add_done_callback(lambda _: gone.set(), context=receiver.life.context.copy())

        async def answer() -> None:
            said = await receiver.receive(received, gone)
            if said.fate is Fate.NEVER or said.fate is Fate.DRIP:
                return
            await asyncio.sleep(said.delay_s)
            receiver.waiting.pop(answered, None)  # on its way: no crash takes it back
            delay_s = self._latency_s(self._faults())
            self._loop.call_later(delay_s, _settle, answered, said, context=OUTSIDE.copy())

        self._loop.create_task(answer())

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate

    def _latency_s(self, faults: Faults) -> float:
        return self._random.uniform(*faults.latency_s)


def _settle(answered: "asyncio.Future[Answer]", answer: Answer) -> None:
    if answered.done():
        return
    if answer.fate is Fate.LOST:
        answered.set_exception(ConnectionResetError())
    else:
        answered.set_result(answer)


def _outcome(answer: Answer) -> Outcome:
    if answer.fate is Fate.FLOODED:
        text = "too many interim responses"
        return Outcome(kind=OutcomeKind.CONNECTION_ERROR, error=text)
    retry_after = next((v for k, v in answer.headers if k.lower() == "retry-after"), None)
    succeeded = answer.status // 100 == 2  # noqa: PLR2004 - RFC 9110 §15.3
    return Outcome(
        kind=OutcomeKind.ANSWERED,
        status=answer.status,
        error=None if succeeded else f"receiver answered {HTTPStatus(answer.status).phrase}",
        headers=answer.headers,
        retry_after=retry_after,
        body=answer.body[:4096],
    )
