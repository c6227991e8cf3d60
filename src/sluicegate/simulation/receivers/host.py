"""A host that receives: its application, its faults, its crashes, and what it saw."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from sluicegate.simulation.faults import Faults
from sluicegate.simulation.lives import Life
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.receivers.exchange import Answer, Fate, ReceivedRequest

if TYPE_CHECKING:
    from sluicegate.simulation.network import Network

__all__ = ["ReceiverHost", "Script"]

Script = Callable[[ReceivedRequest], "Answer | Awaitable[Answer]"]
"""Decides what is answered to a request."""

_SERVER_ERRORS = (500, 502, 503, 504)
_RETRY_AFTERS = (None, "0", "1", "7", "60")


class ReceiverHost:
    """A host of the simulation that gets webhooks.

    Attributes:
        name: on the network; `url` leads to it.
        requests: every request that arrived whole, in order, across crashes.
        faults: what goes wrong here; `None`: what goes wrong everywhere.
        life: its process.
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
        script: Script,
        faults: Callable[[], Faults],
    ) -> None:
        """Begin its first life. `Simulation.host` calls this."""
        self.name = name
        self.url = f"https://{name}/hook"
        self.requests: list[ReceivedRequest] = []
        self.faults: Faults | None = None
        self.life = Life(name)
        self.life.on_crash.append(self._break)
        self.on_request: list[Callable[[ReceivedRequest], None]] = []
        self.on_answer: list[Callable[[ReceivedRequest, Answer], None]] = []
        self.waiting: dict[asyncio.Future[Answer], None] = {}
        """Direct requests that were not answered yet."""
        self._loop = loop
        self._network = network
        self._script = script
        self._general_faults = faults
        self._random = random.Random(f"{seed}:{name}")

    async def receive(self, request: ReceivedRequest) -> Answer:
        """Let the application see a request, unless a fault comes before it; return its answer."""
        self.requests.append(request)
        for hear_request in self.on_request:
            hear_request(request)
        self._loop.trace.note(
            "request.received", self.name, request.message_id, request.header("x-webhook-attempt")
        )
        refusal = self._refusal()
        if refusal is not None:
            answer = refusal
        else:
            said = self._script(request)
            answer = said if isinstance(said, Answer) else await said
            answer = self._spoiled(answer)
        self._loop.trace.note(
            "request.answered", self.name, request.message_id, answer.status, answer.fate
        )
        for hear_answer in self.on_answer:
            hear_answer(request, answer)
        return answer

    def begin_anew(self) -> None:
        """Begin the next life, after a crash. It does not listen yet."""
        assert self.life.dead, self.life
        self.life = Life(self.name, self.life.number + 1)
        self.life.on_crash.append(self._break)

    def _break(self) -> None:
        """Let those who wait for an answer know that there is none."""
        for answered in self.waiting:
            if not answered.done():
                answered.set_exception(ConnectionResetError())

    def _refusal(self) -> Answer | None:
        """Return an answer that comes before the application, by a fault."""
        faults = self.faults or self._general_faults()
        if self._happens(faults.server_error):
            return Answer(status=self._random.choice(_SERVER_ERRORS))
        if self._happens(faults.too_many):
            after = self._random.choice(_RETRY_AFTERS)
            return Answer(status=429, headers=(("Retry-After", after),) if after else ())
        if self._happens(faults.client_error):
            return Answer(status=400)
        return None

    def _spoiled(self, answer: Answer) -> Answer:
        """Return what becomes of the application's answer."""
        faults = self.faults or self._general_faults()
        for rate, fate in (
            (faults.answer_lost, Fate.LOST),
            (faults.hang, Fate.NEVER),
            (faults.drip, Fate.DRIP),
            (faults.interim_flood, Fate.FLOODED),
        ):
            if self._happens(rate):
                return msgspec.structs.replace(answer, fate=fate)
        if self._happens(faults.slow):
            return msgspec.structs.replace(
                answer, delay_s=answer.delay_s + self._random.uniform(1, 9)
            )
        return answer

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate


def scripted(responses: "Script | Iterable[int | Answer] | int | Answer") -> Script:
    """Return a script: a function as it is; a list in order, its last entry for ever after.

    Raises:
        ValueError: the list is empty.
    """
    if callable(responses):
        return responses
    entries = [responses] if isinstance(responses, int | Answer) else list(responses)
    answers = [Answer(status=each) if isinstance(each, int) else each for each in entries]
    if not answers:
        raise ValueError("responses: at least one status or `Answer` is needed")
    upcoming: Iterator[Answer] = iter(answers)
    return lambda _: next(upcoming, answers[-1])
