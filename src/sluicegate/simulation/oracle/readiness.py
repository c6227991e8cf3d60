"""Since when nothing held an attempt up: everything that an endpoint may wait for, and how long.

What can hold it up is the engine's own host (its disk, its process, a bug on purpose), what the
endpoint is (paused, parked, its circuit open, another message's turn, its rate), and attempts that
are in flight, if they may be so many that a cap is reached. Only then does it matter how receivers
and the network behave: whose, depends on which cap.
"""

import math
from collections.abc import Iterable

from sluicegate.simulation.oracle.duplicates import number_of
from sluicegate.simulation.oracle.facts import EndpointFacts, Facts, MessageFacts
from sluicegate.simulation.oracle.history import Exchange, Operation
from sluicegate.simulation.oracle.resets import closed_since_s
from sluicegate.simulation.oracle.statuses import is_over
from sluicegate.simulation.oracle.timing import Span

__all__ = ["Readiness", "may_be_parked"]

_PATIENCE_S = 10.0
_BLUR_S = 1.5
"""How much later it may be certain that others were over, than it was so."""
_EACH_S = 0.2
"""What every other request may take, where so many are in flight that one waits for another."""
_JOURNEYS = 8
"""Of packets, one after the other, for a look-up, two handshakes, a request and its answer."""
_CONNECTS_S = 15.0
"""What an attempt may take before its time limit counts, and until it is recorded."""
_RESTARTS_S = 20.0
"""Until an actor that crashed is up again: the longest delay before its restart, and a read."""
_REVIVALS = (
    Operation.UPDATE_ENDPOINT,
    Operation.PAUSE,
    Operation.RESUME,
    Operation.ADD_KEY,
    Operation.REPLAY,
    Operation.RETRY_NOW,
    Operation.CANCEL,
    Operation.DELETE_MESSAGE,
)
_COMMANDS = tuple(
    each for each in Operation if each not in {Operation.SEND, Operation.CREATE_ENDPOINT}
)


class Readiness:
    """Says whether attempts began late. Made once for a judgement."""

    def __init__(self, facts: Facts) -> None:
        """Look at every message: between which moments it may be in flight."""
        self._facts = facts
        self._busy: dict[str, Span] = {}
        self._of: dict[str, list[MessageFacts]] = {}
        self._unseen: dict[str, int] = {}
        for message, endpoint in facts.deliveries():
            self._busy[message.id] = Span(message.accepted().lo, _over_s(facts, message))
            self._of.setdefault(endpoint.name, []).append(message)
            numbers = {number_of(each) for each in message.exchanges}
            listed = message.view.attempts if message.view is not None else 0
            unseen = sum(number not in numbers for number in range(1, listed + 1))
            self._unseen[endpoint.name] = self._unseen.get(endpoint.name, 0) + unseen
        self._timeouts_s = {
            name: max(facts.endpoints[name].numbers("timeout_s", 30, -math.inf, math.inf))
            for name in self._of
        }
        self._longest_s = max(self._timeouts_s.values(), default=30.0)

    def is_late(
        self,
        rule: str,
        message: MessageFacts,
        endpoint: EndpointFacts,
        exchange: Exchange,
        due_s: float,
    ) -> bool:
        """Return whether an attempt began later than patience allows, with nothing to hold it up.

        Args:
            rule: who asks; what nothing would have excused counts as judged by it.
            message: whose attempt it is.
            endpoint: where it was sent.
            exchange: the attempt.
            due_s: by when it was due at the latest.
        """
        facts = self._facts
        begun = facts.timing.begun(exchange)
        free_s = max(
            due_s,
            self._sound_since_s(endpoint, begun.hi),
            closed_since_s(facts, endpoint, begun.hi),
        )
        if free_s <= begun.hi + _BLUR_S:
            free_s = max(free_s, self._let_go_s(endpoint, min(free_s, begun.lo) - 1, begun))
        if free_s <= begun.hi + _BLUR_S:
            from_s = min(free_s, begun.lo)
            free_s = max(free_s, self._turn_s(message, endpoint, from_s, begun.hi))
        if free_s > begun.hi + _BLUR_S:
            return False
        span = Span(min(free_s, begun.hi), begun.hi)
        free_s, patience_s = self._crowd(message, endpoint, span)
        patience_s += self._rate_s(endpoint, Span(min(free_s, begun.hi), begun.hi))
        facts.judged[rule] += free_s <= begun.hi
        return begun.lo > free_s + patience_s

    def _let_go_s(self, endpoint: EndpointFacts, from_s: float, begun: Span) -> float:
        """Return since when the endpoint was neither paused nor parked; infinity: only just now.

        It was neither when the attempt began: so somebody must have resumed, or revived it.
        """
        facts = self._facts
        resumes = [
            call
            for call in endpoint.effective(Operation.RESUME)
            if call.began_s <= begun.hi and facts.until_s(call) >= from_s
        ]
        if not all(call.succeeded for call in resumes):
            return math.inf
        if any(may_be_parked(facts, endpoint, at_s) for at_s in (from_s, begun.lo)):
            # Whatever was asked for revives it, even if it was refused.
            resumes += [
                call
                for operation in _COMMANDS
                for call in endpoint.calls.get(operation, ())
                if call.began_s <= begun.hi and (call.ended_s is None or call.ended_s >= from_s)
            ]
        return max((call.ended_s or math.inf for call in resumes), default=from_s)

    def _sound_since_s(self, endpoint: EndpointFacts, to_s: float) -> float:
        """Return since when the engine's own host was well, with all that follows from it."""
        weather = self._facts.weather
        timeout_s = self._timeouts_s.get(endpoint.name, self._longest_s)
        return weather.host_troubled_until(to_s, bugs_last_s=timeout_s + _RESTARTS_S)

    def _turn_s(
        self, message: MessageFacts, endpoint: EndpointFacts, from_s: float, to_s: float
    ) -> float:
        """Return since when it was its turn: on an ordered endpoint all before it had ended."""
        if not endpoint.may_be_ordered(from_s - 1, to_s):
            return from_s
        by_s = message.accepted().hi
        return max(
            (
                self._busy[other.id].hi
                for other in self._of[endpoint.name]
                if other is not message and self._busy[other.id].lo <= by_s
            ),
            default=from_s,
        )

    def _crowd(
        self, message: MessageFacts, endpoint: EndpointFacts, span: Span
    ) -> tuple[float, float]:
        """Return since when no cap was reached in trouble, and how long a turn may take."""
        facts = self._facts
        # One at a time is all that an endpoint gets until a receiver has shown that it answers.
        here = self._count(self._of[endpoint.name], message, span) > 0
        everyone = [each for some in self._of.values() for each in some]
        anywhere = self._count(everyone, message, span) >= facts.history.crowd
        if not here and not anywhere:
            return span.lo, _PATIENCE_S
        hosts = {each.request.host for each in endpoint.exchanges}
        host = None if anywhere else next(iter(hosts)) if len(hosts) == 1 else None
        longest_s = self._longest_s if anywhere else self._timeouts_s[endpoint.name]
        troubled_s = facts.weather.hidden_until(span.hi, host)
        free_s = max(span.lo, troubled_s + longest_s + _CONNECTS_S if troubled_s else 0.0)
        meanwhile = [
            each
            for each in (facts.history.exchanges if anywhere else endpoint.exchanges)
            if free_s - longest_s - _CONNECTS_S <= each.request.at_s <= span.hi
        ]
        each_s = _EACH_S + _JOURNEYS * facts.weather.worst(free_s - longest_s, span.hi).latency_s[1]
        took_s = sum(longest_s if e.answer is None else e.answer.delay_s for e in meanwhile)
        return free_s, _PATIENCE_S + len(meanwhile) * each_s + took_s

    def _count(self, messages: Iterable[MessageFacts], but: MessageFacts, span: Span) -> int:
        """Return how many other messages may have been in flight at some moment of a stretch."""
        return sum(
            each is not but
            and self._busy[each.id].lo <= span.hi
            and self._busy[each.id].hi >= span.lo
            for each in messages
        )

    def _rate_s(self, endpoint: EndpointFacts, span: Span) -> float:
        """Return how long an attempt may wait for its rate: for all tokens that others took."""
        rates = endpoint.numbers("rate_limit_rps", 0, span.lo - 1, span.hi)
        least = min((rate for rate in rates if rate), default=0)
        if not least or span.lo > span.hi:
            return 0.0
        others = sum(
            self._facts.timing.begun(each).hi >= span.lo
            and self._facts.timing.begun(each).lo <= span.hi
            for each in endpoint.exchanges
        )
        return (1 + others + self._unseen[endpoint.name]) / least


def may_be_parked(facts: Facts, endpoint: EndpointFacts, at_s: float) -> bool:
    """Return whether bugs on purpose may have parked an endpoint, some time before `at_s`.

    That is, since the last start, or since the last command, which takes it up again.
    """
    revivals_s = [
        call.ended_s
        for operation in _REVIVALS
        for call in endpoint.succeeded(operation)
        if call.ended_s is not None and call.ended_s <= at_s - _PATIENCE_S
    ]
    start_s = facts.weather.last_start_before(at_s - _PATIENCE_S)
    return facts.weather.worst(max([start_s, *revivals_s]), at_s, "").bug > 0


def _over_s(facts: Facts, message: MessageFacts) -> float:
    """Return by when a message had come to its end; infinity if that cannot be said."""
    view = message.view
    if view is None or not is_over(view.status):
        return math.inf
    last = max((number_of(each) or 0 for each in message.exchanges), default=0)
    if last == 0 or last != view.attempts:
        return math.inf  # there are attempts that nobody saw
    withdrawn = [
        facts.until_s(call)
        for operation in (Operation.CANCEL, Operation.DELETE_MESSAGE)
        for call in message.effective(operation)
    ]
    return max([facts.timing.over_by(each) for each in message.exchanges] + withdrawn) + 1
