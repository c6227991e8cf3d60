"""At least once, and twice only where a fault explains it or somebody asked for it."""

from collections.abc import Iterator

from sluicegate.simulation.oracle.facts import Facts, MessageFacts
from sluicegate.simulation.oracle.history import Exchange, Operation
from sluicegate.simulation.oracle.statuses import is_final, is_success
from sluicegate.simulation.oracle.violation import Rule, Violation
from sluicegate.simulation.receivers.exchange import Fate

__all__ = ["RULES", "number_of"]


def number_of(exchange: Exchange) -> int | None:
    """Return the attempt's number as the request has it; `None` if there is none."""
    text = exchange.request.header("x-webhook-attempt") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004 - no sane number is longer


def final_answers_end_a_cycle(facts: Facts) -> Iterator[Violation]:
    """After an answer that ends a cycle nothing is sent, unless a replay was asked for.

    That answer must have been known to the engine for certain (see `Timing.answer_known`), and
    the process have lived until it was recorded. What only *arrives* later, because a partition
    held it, began before.
    """
    for message in facts.messages.values():
        for one in message.exchanges:
            if one.answer is None or not is_final(one.answer.status):
                continue
            if not facts.timing.answer_known(one):
                continue
            facts.judged["final_answers_end_a_cycle"] += 1
            again = next(
                (two for two in message.exchanges if _repeats(facts, message, one, two)), None
            )
            if again is not None:
                yield Violation(
                    rule="final_answers_end_a_cycle",
                    at_s=again.request.at_s,
                    text=f"{message.id} was answered {one.answer.status} at"
                    f" {one.answered_s:.3f} s, and came again",
                    exchanges=(one, again),
                )


def recorded_successes_are_the_last(facts: Facts) -> Iterator[Violation]:
    """Behind a recorded 2xx, or what is permanent, no attempt is listed without a replay.

    Whatever went wrong: a result and what follows from it are one commit.
    """
    for message in facts.messages.values():
        if message.view is None or message.may_be_replayed:
            continue
        facts.judged["recorded_successes_are_the_last"] += len(message.view.outcomes)
        for number, outcome in enumerate(message.view.outcomes[:-1], start=1):
            if outcome.isdecimal() and is_final(int(outcome)):
                yield Violation(
                    rule="recorded_successes_are_the_last",
                    at_s=facts.ends_s,
                    text=f"attempt {number} of {message.id} came to {outcome}, and"
                    f" {len(message.view.outcomes)} are listed",
                    exchanges=tuple(message.exchanges),
                )
                break


def successes_were_received(facts: Facts) -> Iterator[Violation]:
    """A message that reads `succeeded` was received, and answered with 2xx: at least once.

    An answer that was lost, or never came, is none that anybody can have known.
    """
    for message in facts.messages.values():
        if message.view is None or message.view.status != "succeeded":
            continue
        facts.judged["successes_were_received"] += 1
        received = any(
            exchange.answer is not None
            and is_success(exchange.answer.status)
            and exchange.answer.fate not in {Fate.LOST, Fate.NEVER}
            for exchange in message.exchanges
        )
        if not received:
            yield Violation(
                rule="successes_were_received",
                at_s=facts.ends_s,
                text=f"{message.id} reads succeeded, and no receiver took it",
                calls=tuple(message.sends),
                exchanges=tuple(message.exchanges),
            )


def _repeats(facts: Facts, message: MessageFacts, one: Exchange, two: Exchange) -> bool:
    """Return whether `two` repeats `one` unlawfully."""
    if one is two or two.request.at_s < one.request.at_s:
        return False
    begun, again = facts.timing.begun(one), facts.timing.begun(two)
    numbers = (number_of(one) or 0, number_of(two) or 0)
    if not (again.lo > begun.hi or numbers[1] > numbers[0]):
        return False
    if message.may_happen(Operation.REPLAY, begun.lo, two.request.at_s):
        return False
    by_s = min(facts.timing.recorded_by(one), again.hi)
    return not facts.weather.ends_life(begun.lo, by_s)


RULES: tuple[Rule, ...] = (
    final_answers_end_a_cycle,
    recorded_successes_are_the_last,
    successes_were_received,
)
