"""A resume takes effect at once: not after a polling interval."""

import math
from collections.abc import Iterator

from sluicegate.simulation.oracle.facts import EndpointFacts, Facts
from sluicegate.simulation.oracle.history import Call, Operation
from sluicegate.simulation.oracle.pausing import surely_held, surely_paused
from sluicegate.simulation.oracle.readiness import may_be_parked
from sluicegate.simulation.oracle.timing import TICK_S
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES"]

_AT_ONCE_S = 0.1
"""From the answer to a resume to the first attempt: some reads of what is held, no interval."""
_JOURNEYS = 6
"""Of packets until a request has arrived: for a look-up, two handshakes, and the request."""
_RESTS_S = 15.0
"""Behind its time limit nothing is left of an attempt."""
_CHANGES = (
    Operation.PAUSE,
    Operation.CANCEL,
    Operation.DELETE_MESSAGE,
    Operation.DELETE_ENDPOINT,
    Operation.UPDATE_ENDPOINT,
)


def resumes_take_effect_at_once(facts: Facts) -> Iterator[Violation]:
    """A tenth of a second after a resume was answered the first held message has been sent.

    Judged where something was held for certain and the endpoint was free to send: nothing of it was
    in flight or used up its rate, no cap of the engine was near, and nothing was wrong.
    """
    rule = "resumes_take_effect_at_once"
    for endpoint in facts.endpoints.values():
        paused = surely_paused(facts, endpoint)
        for resume in endpoint.succeeded(Operation.RESUME):
            since_s = max((s.lo for s in paused if s.lo < resume.began_s <= s.hi), default=math.inf)
            held = surely_held(facts, endpoint, resume)
            if not held or not _is_free(facts, endpoint, resume, since_s):
                continue
            facts.judged[rule] += 1
            by_s = _arrives_by(facts, endpoint, resume)
            if not any(resume.began_s <= e.request.at_s <= by_s for e in endpoint.exchanges):
                yield Violation(
                    rule=rule,
                    at_s=by_s,
                    text=f"{endpoint.name} was resumed at {resume.ended_s:.3f} s, held {held}, and"
                    f" nothing had come of it by {by_s:.3f} s",
                    calls=(resume,),
                )


def _arrives_by(facts: Facts, endpoint: EndpointFacts, resume: Call) -> float:
    """Return by when the first request had arrived, if it was sent at once."""
    ended_s = resume.ended_s or 0.0
    hosts = {each.request.host for each in endpoint.exchanges} or {""}
    latency_s = max(
        facts.weather.worst(resume.began_s, ended_s + 1, host).latency_s[1] for host in hosts
    )
    return ended_s + _AT_ONCE_S + _JOURNEYS * latency_s + TICK_S


def _is_free(facts: Facts, endpoint: EndpointFacts, resume: Call, since_s: float) -> bool:
    """Return whether nothing stood between a resume of what was paused since then and a start."""
    began_s, by_s = resume.began_s, _arrives_by(facts, endpoint, resume)
    timeout_s = max(endpoint.numbers("timeout_s", 30, -math.inf, by_s))
    rates = endpoint.numbers("rate_limit_rps", 0, -math.inf, by_s)
    rests_s = max(timeout_s + _RESTS_S, *(1 / rate + 1 for rate in rates if rate), 0.0)
    if since_s > began_s - rests_s or may_be_parked(facts, endpoint, by_s):
        return False
    if facts.weather.host_troubled_until(by_s, bugs_last_s=rests_s) > began_s - 1:
        return False
    if facts.weather.troubled_until(by_s) > began_s - rests_s:
        return False
    hosts = {each.request.host for each in endpoint.exchanges}
    if any(facts.weather.may_be_down(began_s, by_s, host) for host in hosts):
        return False
    others = [call for call in endpoint.effective(Operation.RESUME) if call is not resume]
    changes = [call for operation in _CHANGES for call in endpoint.calls.get(operation, ())]
    if any(c.began_s <= by_s and facts.until_s(c) >= began_s - 1 for c in (*others, *changes)):
        return False
    flying = sum(
        each.request.at_s <= by_s and facts.timing.over_by(each) >= began_s - 1
        for each in facts.history.exchanges
        if each.request.at_s < began_s or each not in endpoint.exchanges
    )
    return flying < facts.history.crowd


RULES: tuple[Rule, ...] = (resumes_take_effect_at_once,)
