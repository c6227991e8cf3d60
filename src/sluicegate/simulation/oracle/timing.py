"""Between which moments an attempt began, sent its first byte, and ended, seen from outside.

A receiver knows when a request had arrived. Before that it travelled; before that its connection
was made; before that its payload was read. Each of these takes a time that the faults in force
bound. Rules use whichever bound is against them, so that no lawful run is ever reported.
"""

import math
from collections.abc import Callable

import msgspec

from sluicegate.simulation.faults import Faults
from sluicegate.simulation.oracle.history import Exchange, History
from sluicegate.simulation.oracle.weather import Weather
from sluicegate.simulation.receivers.exchange import Fate
from sluicegate.simulation.world import EPOCH_MS

__all__ = ["TICK_S", "Span", "Timing"]

TICK_S = 0.003
"""Clocks that count milliseconds cut off, here and there and at a start, as much."""

_LOOK_BACK_S = 30.0
_STALL_S = 10.0
_DNS_S = 5.0
_CONNECT_S = 10.0
_READ_S = 0.5
"""To read payloads, of a window that is full, and of other endpoints at the same time."""
_SLOW_READ_S = 60.0
_RECORD_S = 1.0
"""To record a result: some commits of 4 ms each. A disk that fails has no bound."""


class Span(msgspec.Struct, frozen=True):
    """Two moments between which something was, for certain: at the earliest, at the latest."""

    lo: float
    hi: float


class Timing:
    """Bounds for the moments of exchanges. All are seconds on the virtual clock."""

    def __init__(
        self, history: History, weather: Weather, timeouts_s: Callable[[Exchange], Span]
    ) -> None:
        """Take what happened, and what an exchange's endpoint may have had as `timeout_s`."""
        self._weather = weather
        self._direct = history.direct
        self._timeouts_s = timeouts_s
        self._cache: dict[tuple[str, int], Span] = {}

    def begun(self, exchange: Exchange) -> Span:
        """Return when the engine decided on the attempt: from then on it was in flight.

        The signature's timestamp says it to the second, as long as the wall clock was let alone;
        what contradicts the journey (a wrong timestamp) is not believed.
        """
        return self._cached("begun", exchange, self._begun)

    def sent(self, exchange: Exchange) -> Span:
        """Return when the first byte was sent: the *start* that a pause forbids.

        The latest: the shortest way before the arrival. The earliest: the longest way (a split
        write's second piece travels after the first; a write that is lost once is sent again
        within ten seconds), or the beginning of a partition that has held it back.
        """
        return self._cached("sent", exchange, self._sent)

    def ended(self, exchange: Exchange) -> Span:
        """Return when the engine regarded the attempt as over, if it lived on.

        At the earliest: an answer's first byte could be there, or the connection broke with the
        receiver, or the time limit was reached, which counts from the begin at the earliest. At
        the latest: the time limit, counted from the first byte.
        """
        return self._cached("ended", exchange, self._ended)

    def answer_known(self, exchange: Exchange) -> bool:
        """Return whether the engine for certain got the answer, and what it did with it is its own.

        Not so if the answer went astray or dripped, the connection may have broken, the process
        ended, the time limit may have been reached, or a bug on purpose may have come between.
        """
        answer, answered_s = exchange.answer, exchange.answered_s
        if answer is None or answered_s is None or answer.fate is not Fate.SENT:
            return False
        host, begun = exchange.request.host, self.begun(exchange)
        arrives_s = self.answer_by(exchange)
        faults = self._weather.worst(begun.lo, arrives_s, host)
        astray = faults.bug > 0 or faults.receiver_crash > 0 or exchange.mishap is not None
        astray = astray or faults.reset > 0
        late = arrives_s - begun.lo >= self._timeouts_s(exchange).lo - TICK_S
        return not (
            astray
            or late
            or self._weather.receiver_death(exchange.request.at_s, arrives_s, host) is not None
            or (
                not self._direct
                and self._weather.partition_since(begun.lo, arrives_s, host) is not None
            )
            or self._weather.ends_life(begun.lo, arrives_s)
        )

    def answer_by(self, exchange: Exchange) -> float:
        """Return by when an answer that was sent is there, if nothing breaks."""
        assert exchange.answer is not None
        assert exchange.answered_s is not None
        leaves_s = exchange.answered_s + exchange.answer.delay_s
        return leaves_s + self._journey_s(leaves_s, leaves_s + _STALL_S, exchange.request.host)

    def over_by(self, exchange: Exchange) -> float:
        """Return by when an attempt was over, if its process lived on: see `ended`.

        Earlier than its time limit if the engine got the answer.
        """
        known = self.answer_known(exchange)
        return self.answer_by(exchange) if known else self.ended(exchange).hi

    def recorded_by(self, exchange: Exchange) -> float:
        """Return by when a known answer was recorded; infinity if that cannot be said."""
        by_s = self.answer_by(exchange) + _RECORD_S
        return math.inf if self._weather.disk_fails(exchange.request.at_s, by_s) else by_s

    def journey_begins(self, exchange: Exchange) -> float:
        """Return when the attempt began at the earliest, whatever its timestamp says."""
        return self._begins(exchange, self._first_byte(exchange)).lo

    # -- how ------------------------------------------------------------------------------------

    def _cached(self, name: str, exchange: Exchange, make: Callable[[Exchange], Span]) -> Span:
        key = (name, id(exchange))  # only within one judgement, whose history holds the exchange
        found = self._cache.get(key)
        if found is None:
            found = self._cache[key] = make(exchange)
        return found

    def _journey_s(self, from_s: float, to_s: float, host: str) -> float:
        """Return the longest time that bytes travel, unless a partition holds them."""
        faults = self._weather.worst(from_s, to_s, host)
        if self._direct:
            return faults.latency_s[1] + TICK_S
        pieces = 2 if faults.split else 1
        return pieces * faults.latency_s[1] + (_STALL_S if faults.stall else 0.0) + TICK_S

    def _before_partitions(self, lo: float, at_s: float, host: str, journey_s: float) -> float:
        """Return when a packet was sent at the earliest that partitions may have held back.

        One that is on its way when a partition begins is held, too; and when it goes on, the next
        one may have begun.
        """
        while (since := self._weather.partition_since(lo, at_s, host)) is not None:
            if since - journey_s >= lo:
                break
            lo = since - journey_s
        return lo

    def _first_byte(self, exchange: Exchange) -> Span:
        at_s, host = exchange.request.at_s, exchange.request.host
        journey_s = self._journey_s(at_s - _LOOK_BACK_S, at_s, host)
        lo = at_s - journey_s
        if not self._direct:
            lo = self._before_partitions(lo, at_s, host, journey_s)
        hi = at_s - self._weather.worst(at_s - _LOOK_BACK_S, at_s, host).latency_s[0]
        return Span(lo, hi)

    def _sent(self, exchange: Exchange) -> Span:
        sent, begun = self._first_byte(exchange), self.begun(exchange)
        return Span(max(sent.lo, begun.lo), sent.hi)

    def _begins(self, exchange: Exchange, sent: Span) -> Span:
        host = exchange.request.host
        faults = self._weather.worst(sent.lo - _LOOK_BACK_S, sent.hi, host)
        before_s = _READ_S + (_SLOW_READ_S if faults.slow_disk else 0.0)
        # A look-up, TCP's and TLS's handshakes there and back.
        before_s += 5 * faults.latency_s[1]
        if not self._direct:
            # Once more if one address of a name does not answer.
            before_s += 5 * faults.latency_s[1] + (_DNS_S if faults.dns_hang else 0.0)
            if self._may_connect_slowly(faults, sent, host):
                before_s += _CONNECT_S
        return Span(sent.lo - before_s, sent.hi)

    def _may_connect_slowly(self, faults: Faults, sent: Span, host: str) -> bool:
        from_s = sent.lo - _LOOK_BACK_S
        return (
            faults.black_hole > 0
            or faults.dns_flap > 0
            or faults.receiver_crash > 0
            or self._weather.partition_since(from_s, sent.hi, host) is not None
            or self._weather.receiver_death(from_s, sent.hi, host) is not None
        )

    def _begun(self, exchange: Exchange) -> Span:
        begins = self._begins(exchange, self._first_byte(exchange))
        lo, hi = begins.lo, begins.hi
        dated = self._dated(exchange)
        if dated is not None and dated.lo <= hi + TICK_S and dated.hi >= lo - TICK_S:
            lo, hi = max(lo, dated.lo), min(hi, dated.hi)
        return Span(lo, max(lo, hi))

    def _dated(self, exchange: Exchange) -> Span | None:
        """Return when the attempt began as its timestamp has it; `None` if that says nothing."""
        text = exchange.request.header("webhook-timestamp") or ""
        jumped = bool(self._weather.jumps) and self._weather.jumps[0] <= exchange.request.at_s
        if jumped or not text.isascii() or not text.isdecimal() or len(text) > len("2000000000"):
            return None
        second = int(text) - EPOCH_MS / 1000
        return Span(second - TICK_S, second + 1 + TICK_S)

    def _ended(self, exchange: Exchange) -> Span:
        request, answer = exchange.request, exchange.answer
        begun, sent = self.begun(exchange), self.sent(exchange)
        timeouts_s = self._timeouts_s(exchange)
        hi = sent.hi + timeouts_s.hi + TICK_S
        lo = begun.lo + timeouts_s.lo - TICK_S
        if answer is not None and exchange.answered_s is not None and answer.fate is not Fate.NEVER:
            least_s = self._weather.worst(request.at_s, exchange.answered_s, request.host)
            lo = min(lo, exchange.answered_s + answer.delay_s + least_s.latency_s[0])
        faults = self._weather.worst(sent.lo, request.at_s + timeouts_s.hi, request.host)
        if exchange.mishap is not None or faults.receiver_crash > 0:
            lo = min(lo, request.at_s)
        died_s = self._weather.receiver_death(sent.lo, hi, request.host)
        if died_s is not None:
            lo = min(lo, max(died_s, begun.lo))
        return Span(lo, max(lo, hi))
