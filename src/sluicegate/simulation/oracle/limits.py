"""How many at once, and how many in any stretch of time."""

import heapq
from collections.abc import Iterable, Iterator

from sluicegate.simulation.oracle.facts import EndpointFacts, Facts
from sluicegate.simulation.oracle.history import Exchange, Operation
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES"]

_LIMITS = ("rate_limit_rps", "burst")


def a_message_is_sent_once_at_a_time(facts: Facts) -> Iterator[Violation]:
    """No attempt of a message begins while another one is in flight, unless the process ended."""
    for message in facts.messages.values():
        for together in _in_flight_together(facts, message.exchanges):
            facts.judged["a_message_is_sent_once_at_a_time"] += 1
            if len(together) > 1:
                yield Violation(
                    rule="a_message_is_sent_once_at_a_time",
                    at_s=together[-1].request.at_s,
                    text=f"{message.id} was in flight {len(together)} times at once",
                    exchanges=tuple(together),
                )
                break


def in_flight_stays_below_its_cap(facts: Facts) -> Iterator[Violation]:
    """An endpoint has at most `max_in_flight` attempts in flight; an ordered one has one.

    Counted are attempts that for certain had begun and not ended. A cap that was lowered lets
    those finish that had begun: what counts is the highest in force since the first of them.
    """
    for endpoint in facts.endpoints.values():
        for together in _in_flight_together(facts, endpoint.exchanges):
            if len(together) < 2:  # noqa: PLR2004 - one alone is never too many
                continue
            newest = together[-1]
            first_s = min(facts.timing.begun(each).lo for each in together)
            cap = facts.in_flight_max(endpoint, first_s, facts.timing.begun(newest).hi)
            facts.judged["in_flight_stays_below_its_cap"] += len(together) >= cap
            if len(together) > cap:
                yield Violation(
                    rule="in_flight_stays_below_its_cap",
                    at_s=newest.request.at_s,
                    text=f"{endpoint.name} had {len(together)} attempts in flight, at most {cap}"
                    " are allowed",
                    exchanges=tuple(together),
                )
                break


def rate_is_never_exceeded(facts: Facts) -> Iterator[Violation]:
    """In any stretch of time at most `burst + rate_limit_rps * stretch` attempts begin.

    Of a stretch it is known only that it is not longer than from the earliest begin of the first
    to the latest of the last, and this is what it is taken for. A bucket is full again after a
    start of the process, and after a crash of the endpoint's actor; a change of the rate is not
    judged across.
    """
    for endpoint in facts.endpoints.values():
        for group in _under_one_rate(facts, endpoint):
            facts.judged["rate_is_never_exceeded"] += len(group) > 1
            yield from _too_fast(facts, endpoint, group)


def _too_fast(facts: Facts, endpoint: EndpointFacts, group: list[Exchange]) -> Iterator[Violation]:
    at_s = group[0].request.at_s
    rate = max(endpoint.numbers("rate_limit_rps", 0, at_s, at_s))
    burst = max(endpoint.numbers("burst", 0, at_s, at_s)) or rate
    spans = sorted((facts.timing.begun(each) for each in group), key=lambda span: span.hi)
    # For each end, the stretch that begins at one of the begins before and holds all between.
    begins = sorted(span.lo for span in spans)
    for first_s in begins:
        count = 0
        for span in spans:
            if span.lo < first_s:
                continue
            count += 1
            stretch_s = max(0.0, span.hi - first_s)
            if count > burst + rate * stretch_s + 1e-6:
                yield Violation(
                    rule="rate_is_never_exceeded",
                    at_s=span.hi,
                    text=f"{endpoint.name} had {count} attempts in {stretch_s:.3f} s, with a rate"
                    f" of {rate}/s and a burst of {burst}",
                    exchanges=tuple(group),
                )
                return


def _under_one_rate(facts: Facts, endpoint: EndpointFacts) -> Iterator[list[Exchange]]:
    """Yield runs of attempts that one bucket, with one rate and burst, has let through."""
    group: list[Exchange] = []
    for exchange in endpoint.exchanges:
        begun = facts.timing.begun(exchange)
        limits = [endpoint.numbers(name, 0, begun.lo, begun.hi) for name in _LIMITS]
        sure = all(len(set(values)) == 1 for values in limits) and limits[0][0] > 0
        if group and not (sure and _is_one_bucket(facts, endpoint, group[-1], exchange)):
            yield group
            group = []
        if sure:
            group.append(exchange)
    if group:
        yield group


def _is_one_bucket(facts: Facts, endpoint: EndpointFacts, one: Exchange, two: Exchange) -> bool:
    from_s = min(facts.timing.begun(one).lo, facts.timing.begun(two).lo)
    to_s = max(facts.timing.begun(one).hi, facts.timing.begun(two).hi)
    return not (
        facts.weather.ends_life(from_s, to_s)
        or facts.weather.worst(from_s, to_s, "").bug > 0
        or any(
            call.began_s <= to_s and facts.until_s(call) >= from_s
            for call in endpoint.effective(Operation.UPDATE_ENDPOINT)
            if not call.config.keys().isdisjoint(_LIMITS)
        )
    )


def _in_flight_together(facts: Facts, exchanges: Iterable[Exchange]) -> Iterator[list[Exchange]]:
    """Yield, for each attempt, those that were for certain in flight when it had begun, it last."""
    flights: list[tuple[float, float, Exchange]] = []
    for exchange in exchanges:
        begun, ended = facts.timing.begun(exchange), facts.timing.ended(exchange)
        over_s = min(ended.lo, facts.weather.death_after(begun.lo))
        if over_s > begun.hi:
            flights.append((begun.hi, over_s, exchange))
    flights.sort(key=lambda flight: flight[0])
    in_flight: list[tuple[float, int, Exchange]] = []
    for number, (begun_s, over_s, exchange) in enumerate(flights):
        while in_flight and in_flight[0][0] <= begun_s:
            heapq.heappop(in_flight)
        heapq.heappush(in_flight, (over_s, number, exchange))
        others = [each for _, _, each in in_flight if each is not exchange]
        yield [*others, exchange]


RULES: tuple[Rule, ...] = (
    a_message_is_sent_once_at_a_time,
    in_flight_stays_below_its_cap,
    rate_is_never_exceeded,
)
