"""The receivers of a scenario: up or down by its outages; they count what reaches them."""

import asyncio
from collections.abc import Callable

from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Request
from sluicegate.simulation.what_if.sample import Sample
from sluicegate.simulation.what_if.scenario import Outage, OutageKind, Scenario

__all__ = ["Receivers"]

_OK = Outcome(kind=OutcomeKind.ANSWERED, status=200)
_UNAVAILABLE = Outcome(kind=OutcomeKind.ANSWERED, status=503, error="Service Unavailable")
_REFUSED = Outcome(kind=OutcomeKind.CONNECTION_ERROR, error="connection refused")
_REFUSAL_S = 0.001


class Receivers:
    """Take every attempt, on behalf of all hosts, as values. Implements the port `Sender`.

    A payload is a number: for how many messages this one stands.

    Attributes:
        urls: where to deliver, for each endpoint that is played.
        attempts: for each minute, how many attempts reached a host or were refused by it, times
            what they stand for.
        simulated: the same in all, as they were.
        per_second_max: the most attempts a second after the last outage, as the mean of
            `tick_s` seconds. Messages that stand for several are spread, and not counted here.
    """

    def __init__(self, scenario: Scenario, sample: Sample, *, now_s: Callable[[], float]) -> None:
        """Be ready for attempts.

        Args:
            scenario: what is played.
            sample: which part of it.
            now_s: seconds since the scenario began; negative before.
        """
        count = len(sample.stands_for)
        self.urls = [f"https://receiver-{number}.example/hook" for number in range(count)]
        self.attempts = [0.0] * (int(scenario.duration_s / 60) + 1)
        self.simulated = 0
        self.per_second_max = 0.0
        self._now_s = now_s
        self._answer_s = scenario.answer_s
        self._stands_for = dict(zip(self.urls, sample.stands_for, strict=True))
        self._outages = {
            url: [each for each in scenario.outages if sample.is_hit(number, each)]
            for number, url in enumerate(self.urls)
        }
        self._last_end_s = scenario.last_end_s
        self._tick_s = sample.tick_s
        self._tick = -1
        self._in_tick = 0.0

    async def post(self, request: Request) -> Outcome:
        """Answer one attempt."""
        if request.may_start is not None and not request.may_start():
            return Outcome(kind=OutcomeKind.RECALLED)
        now_s = self._now_s()
        self._count(int(request.body), self._stands_for[request.url], now_s)
        outage = self._outage(request.url, now_s)
        kind = None if outage is None else outage.kind
        takes_s, outcome = self._answer_s, _OK
        if kind is OutageKind.REFUSED:
            takes_s, outcome = _REFUSAL_S, _REFUSED
        elif kind is OutageKind.ERROR:
            outcome = _UNAVAILABLE
        if kind is OutageKind.HANG or takes_s >= request.timeout_s:
            takes_s = request.timeout_s
            text = f"no response within {request.timeout_s:g} s"
            outcome = Outcome(kind=OutcomeKind.TIMEOUT, error=text)
        await asyncio.sleep(takes_s)
        return outcome

    def _outage(self, url: str, now_s: float) -> Outage | None:
        return next((o for o in self._outages[url] if o.from_s <= now_s < o.until_s), None)

    def _count(self, messages: int, stands_for: float, now_s: float) -> None:
        self.simulated += 1
        minute = int(now_s // 60)
        if 0 <= minute < len(self.attempts):
            self.attempts[minute] += messages * stands_for
        if self._last_end_s is None or now_s < self._last_end_s or messages > 1:
            return
        tick = int(now_s // self._tick_s)
        if tick != self._tick:
            self._tick, self._in_tick = tick, 0.0
        self._in_tick += stands_for
        self.per_second_max = max(self.per_second_max, self._in_tick / self._tick_s)
