"""A pause that was answered is kept, and a resume says how many waited."""

import itertools
import math
from collections.abc import Container, Iterator

from sluicegate.simulation.oracle.facts import EndpointFacts, Facts, MessageFacts
from sluicegate.simulation.oracle.history import Call, Exchange, Operation
from sluicegate.simulation.oracle.resets import failing_stretches, judged_by
from sluicegate.simulation.oracle.statuses import is_final
from sluicegate.simulation.oracle.timing import TICK_S, Span
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES", "may_be_paused", "surely_held", "surely_paused"]

_GONE = 410
_REASONS = ("manual", "gone", "failing")
_PAUSED = ("paused", "delivering", "succeeded", "failed_permanent")


def surely_paused(facts: Facts, endpoint: EndpointFacts) -> list[Span]:
    """Return the stretches in which the endpoint was paused, for certain.

    From the answer to a pause (or `ALREADY_PAUSED`) until a resume was asked for that may have
    been carried out. A resume that may still have come after the pause began ends it likewise,
    from the moment it was asked for: of two that overlap, either may have been the last.
    """
    resumes = endpoint.effective(Operation.RESUME)
    spans: list[Span] = []
    for pause in endpoint.calls.get(Operation.PAUSE, ()):
        if pause.ended_s is None or pause.error not in {None, "ALREADY_PAUSED"}:
            continue
        until_s = min(
            (call.began_s for call in resumes if facts.until_s(call) >= pause.began_s),
            default=math.inf,
        )
        until_s = min(until_s, endpoint.gone().lo)
        if until_s > pause.ended_s:
            spans.append(Span(pause.ended_s, until_s))
    return spans


def may_be_paused(
    facts: Facts,
    endpoint: EndpointFacts,
    from_s: float,
    to_s: float,
    *,
    reasons: Container[str] = _REASONS,
) -> bool:
    """Return whether the endpoint may have been paused at some moment of a stretch.

    By a client, by a receiver's 410, or because it had failed for too long; and not resumed since
    for certain.

    Args:
        facts: what is known.
        endpoint: which.
        from_s: the beginning of the stretch.
        to_s: its end.
        reasons: only for these, as `pause_reason` has them.
    """
    resumes = endpoint.succeeded(Operation.RESUME)
    return any(
        reason in reasons
        and begun.lo <= to_s
        and not any(
            call.began_s >= begun.hi and call.ended_s is not None and call.ended_s < from_s
            for call in resumes
        )
        for reason, begun in facts.kept("pauses", endpoint, lambda: list(_pauses(facts, endpoint)))
    )


def _pauses(facts: Facts, endpoint: EndpointFacts) -> Iterator[tuple[str, Span]]:
    """Yield every pause that may have been, by its reason: between which moments it began."""
    for call in endpoint.effective(Operation.PAUSE):
        yield "manual", Span(call.began_s, facts.until_s(call))
    for exchange in endpoint.exchanges:
        if exchange.answer is not None and exchange.answer.status == _GONE:
            yield "gone", Span(exchange.request.at_s, judged_by(facts, endpoint, exchange))
    after_s = float(facts.history.circuit_pause_after_s)
    if after_s == 0:
        return
    # A start sets the steady clock by the wall clock: what has failed since seems to for longer.
    after_s -= sum(max(0.0, event.jump_s) for event in facts.history.events)
    for stretch in failing_stretches(facts, endpoint):
        if stretch.hi - stretch.lo >= after_s - TICK_S:
            yield "failing", Span(max(stretch.lo, stretch.lo + after_s - TICK_S), stretch.hi)


def pauses_have_a_reason(facts: Facts) -> Iterator[Violation]:
    """At the end an endpoint is paused only for the reason that it names, and if it must be.

    `manual`: a client asked for it; `gone`: a receiver answered 410; `failing`: it had failed for
    `circuit_pause_after_s` without a success that was recorded.
    """
    rule = "pauses_have_a_reason"
    for view in facts.history.endpoints:
        endpoint = facts.endpoint(view.name)
        at_s = facts.ends_s
        held = any(span.lo < at_s < span.hi for span in surely_paused(facts, endpoint))
        text = ""
        if held and not view.paused:
            text = "is not paused, and it was, and nobody resumed it"
        elif view.paused and not may_be_paused(
            facts, endpoint, at_s, at_s, reasons={view.reason or ""}
        ):
            text = f"is paused ({view.reason}), and nothing gave a reason"
        facts.judged[rule] += 1
        if text:
            yield Violation(rule=rule, at_s=at_s, text=f"{endpoint.name} {text}")


def nothing_starts_while_paused(facts: Facts) -> Iterator[Violation]:
    """No attempt starts after a pause was answered until a resume was asked for.

    What was already sent may still arrive: the first byte must have left, at the earliest that
    the journey allows, after the answer was heard, and at the latest before any resume.
    """
    for endpoint in facts.endpoints.values():
        paused = surely_paused(facts, endpoint)
        facts.judged["nothing_starts_while_paused"] += len(paused)
        for exchange in endpoint.exchanges if paused else ():
            sent = facts.timing.sent(exchange)
            for span in paused:
                if span.lo < sent.lo and sent.hi < span.hi:
                    yield Violation(
                        rule="nothing_starts_while_paused",
                        at_s=exchange.request.at_s,
                        text=f"{exchange.request.message_id} was sent to {endpoint.name} after"
                        f" {sent.lo:.3f} s, which was paused from {span.lo:.3f} s on",
                        exchanges=(exchange,),
                    )
                    break


def pauses_answer_truly(facts: Facts) -> Iterator[Violation]:
    """A second pause is refused, and a resume of what is not paused: exactly those.

    Of several at the same moment one succeeds. Judged only where the state was certain for as
    long as the call lasted.
    """
    for endpoint in facts.endpoints.values():
        paused = surely_paused(facts, endpoint)
        pauses, resumes = (
            [call for call in endpoint.calls.get(operation, ()) if call.ended_s is not None]
            for operation in (Operation.PAUSE, Operation.RESUME)
        )
        for call in (*pauses, *resumes):
            facts.judged["pauses_answer_truly"] += _within(call, paused) or not may_be_paused(
                facts, endpoint, call.began_s, call.ended_s or math.inf
            )
        for call in pauses:
            if call.succeeded and _within(call, paused):
                yield _answered(call, "paused what was paused already")
            if call.error == "ALREADY_PAUSED" and not may_be_paused(
                facts, endpoint, call.began_s, call.ended_s or math.inf
            ):
                yield _answered(call, "is told of a pause that nobody asked for")
        for call in resumes:
            if call.error == "NOT_PAUSED" and _within(call, paused):
                yield _answered(call, "is told that the endpoint is not paused, and it is")
            if call.succeeded and not may_be_paused(
                facts, endpoint, call.began_s, call.ended_s or math.inf
            ):
                yield _answered(call, "resumed what nobody had paused")
        yield from _one_of_each(facts, endpoint, pauses)


def _one_of_each(facts: Facts, endpoint: EndpointFacts, pauses: list[Call]) -> Iterator[Violation]:
    """Between two pauses that succeeded, a resume may have been carried out."""
    succeeded = [call for call in pauses if call.succeeded]
    resumes = endpoint.effective(Operation.RESUME)
    for one, two in itertools.pairwise(succeeded):
        from_s, to_s = min(one.began_s, two.began_s), max(one.ended_s or 0, two.ended_s or 0)
        if not any(r.began_s <= to_s and facts.until_s(r) >= from_s for r in resumes):
            yield _answered(two, f"succeeded as call {one.number} did, with no resume between")


def resumes_count_what_is_held(facts: Facts) -> Iterator[Violation]:
    """`messages_requeued` is the number of messages that were held.

    At least those that for certain waited: accepted while the endpoint was paused, and not deleted
    since (what is held is not attempted, so it cannot have ended otherwise), or attempted again
    after the resume without a replay, and not in flight at it. At most those that may have waited:
    all that may have been accepted, but for those that had ended. Of a resume during which
    another one may have been carried out, only the latter is judged.
    """
    for endpoint in facts.endpoints.values():
        paused = surely_paused(facts, endpoint)
        for resume in endpoint.succeeded(Operation.RESUME):
            if resume.requeued is None or resume.ended_s is None:
                continue
            messages = [m for m, owner in facts.deliveries() if owner is endpoint]
            sure = not _overlaps_another(facts, endpoint, resume)
            facts.judged["resumes_count_what_is_held"] += sure
            least = sum(sure and _waits(facts, message, resume, paused) for message in messages)
            seen = {call.number for message in messages for call in message.sends}
            unseen = sum(
                call.number not in seen and call.began_s <= resume.ended_s
                for call in endpoint.effective(Operation.SEND)
            )
            most = unseen + sum(_may_wait(facts, message, resume) for message in messages)
            if not least <= resume.requeued <= most:
                yield _answered(
                    resume,
                    f"says that {resume.requeued} were held, and it was {least} to {most}",
                    rule="resumes_count_what_is_held",
                )


def surely_held(facts: Facts, endpoint: EndpointFacts, resume: Call) -> int:
    """Return how many messages were held at a resume, for certain."""
    if _overlaps_another(facts, endpoint, resume):
        return 0
    paused = surely_paused(facts, endpoint)
    messages = (m for m, owner in facts.deliveries() if owner is endpoint)
    return sum(_waits(facts, message, resume, paused) for message in messages)


def _overlaps_another(facts: Facts, endpoint: EndpointFacts, resume: Call) -> bool:
    ended_s = resume.ended_s or math.inf
    return any(
        other is not resume and other.began_s <= ended_s and facts.until_s(other) >= resume.began_s
        for other in endpoint.effective(Operation.RESUME)
    )


def _waits(facts: Facts, message: MessageFacts, resume: Call, paused: list[Span]) -> bool:
    """Return whether a message was held at a resume, for certain."""
    accepted, ended_s = message.accepted(), resume.ended_s or math.inf
    if not message.was_accepted or accepted.hi >= resume.began_s:
        return False
    if message.may_happen(Operation.DELETE_MESSAGE, -math.inf, ended_s):
        return False
    if any(span.lo < accepted.lo and resume.began_s <= span.hi for span in paused):
        return True  # accepted while paused, and this is the first resume since
    if message.may_happen(Operation.REPLAY, -math.inf, math.inf):
        return False
    if message.may_happen(Operation.CANCEL, -math.inf, ended_s):
        return False
    later = any(facts.timing.begun(each).lo > ended_s for each in message.exchanges)
    return later and _rests(facts, message, resume, paused)


def _rests(facts: Facts, message: MessageFacts, resume: Call, paused: list[Span]) -> bool:
    """Return whether no attempt of a message was in flight or unrecorded at a resume, for certain.

    The pause must have lasted longer than an attempt, and nothing have kept its result from being
    recorded.
    """
    endpoint = message.endpoint
    if endpoint is None:
        return False
    longest_s = 15.0 + max(endpoint.numbers("timeout_s", 30, -math.inf, resume.began_s))
    calm = not facts.weather.disk_fails(resume.began_s - longest_s, resume.began_s)
    return calm and any(
        span.lo <= resume.began_s - longest_s and resume.began_s <= span.hi for span in paused
    )


def _may_wait(facts: Facts, message: MessageFacts, resume: Call) -> bool:
    """Return whether a message may have been held at a resume."""
    if message.accepted().lo > (resume.ended_s or math.inf):
        return False
    if message.may_happen(Operation.REPLAY, -math.inf, math.inf):
        return True
    if any(_is_in_flight(facts, exchange, resume) for exchange in message.exchanges):
        return False
    for exchange in message.exchanges:
        said = exchange.answer
        if said is not None and is_final(said.status) and facts.timing.answer_known(exchange):
            return facts.timing.recorded_by(exchange) >= resume.began_s
    withdrawn = message.effective(Operation.CANCEL) + message.effective(Operation.DELETE_MESSAGE)
    return not any(
        call.succeeded and call.ended_s is not None and call.ended_s < resume.began_s
        for call in withdrawn
    )


def _is_in_flight(facts: Facts, exchange: Exchange, resume: Call) -> bool:
    """Return whether an attempt was under way all through a resume, for certain."""
    begun, over_s = facts.timing.begun(exchange), facts.timing.ended(exchange).lo
    ended_s = resume.ended_s or math.inf
    through = begun.hi < resume.began_s and ended_s < over_s
    return through and not facts.weather.ends_life(begun.lo, ended_s)


def what_is_held_reads_paused(facts: Facts) -> Iterator[Violation]:
    """On a paused endpoint everything that waits reads `paused`, on no other anything does.

    At the end, and whenever it was read before. An attempt that has begun may read `delivering`
    until its end.
    """
    for message, endpoint in facts.deliveries():
        paused: list[Span] | None = None
        for sighting in facts.readings_of(message):
            if paused is None:
                paused = surely_paused(facts, endpoint)
            began_s, ended_s, status = sighting.began_s, sighting.ended_s, sighting.status
            held = any(span.lo < began_s and ended_s < span.hi for span in paused)
            facts.judged["what_is_held_reads_paused"] += held or status == "paused"
            wrong = held and status not in _PAUSED
            if status == "paused":
                wrong = not may_be_paused(facts, endpoint, began_s, ended_s)
            if wrong:
                yield Violation(
                    rule="what_is_held_reads_paused",
                    at_s=ended_s,
                    text=f"{message.id} reads {status}, and {endpoint.name} is"
                    f" {'paused' if held else 'not paused'}",
                )
                break


def _within(call: Call, spans: list[Span]) -> bool:
    return any(
        span.lo < call.began_s and call.ended_s is not None and call.ended_s < span.hi
        for span in spans
    )


def _answered(call: Call, text: str, *, rule: str = "pauses_answer_truly") -> Violation:
    return Violation(
        rule=rule,
        at_s=call.ended_s or call.began_s,
        text=f"call {call.number} ({call.operation} of {call.endpoint}) {text}",
        calls=(call,),
    )


RULES: tuple[Rule, ...] = (
    pauses_have_a_reason,
    nothing_starts_while_paused,
    pauses_answer_truly,
    resumes_count_what_is_held,
    what_is_held_reads_paused,
)
