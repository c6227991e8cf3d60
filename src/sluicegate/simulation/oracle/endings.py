"""What was cancelled or deleted is not sent."""

import math
from collections.abc import Iterator

from sluicegate.simulation.oracle.facts import Facts
from sluicegate.simulation.oracle.history import Operation
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES"]


def cancelled_messages_are_not_sent(facts: Facts) -> Iterator[Violation]:
    """After the answer to a cancellation nothing is sent of the message, unless it is replayed.

    Only what waits can be cancelled, so nothing was in flight.
    """
    for message, endpoint in facts.deliveries():
        for call in endpoint.succeeded(Operation.CANCEL):
            if call.message_id != message.id or call.ended_s is None:
                continue
            facts.judged["cancelled_messages_are_not_sent"] += 1
            for exchange in message.exchanges:
                late = facts.timing.begun(exchange).lo > call.ended_s
                replayed = message.may_happen(Operation.REPLAY, call.began_s, exchange.request.at_s)
                if late and not replayed:
                    yield Violation(
                        rule="cancelled_messages_are_not_sent",
                        at_s=exchange.request.at_s,
                        text=f"{message.id} was cancelled at {call.ended_s:.3f} s, and sent",
                        calls=(call,),
                        exchanges=(exchange,),
                    )
                    break


def deleted_messages_are_not_sent(facts: Facts) -> Iterator[Violation]:
    """After the answer to a deletion no attempt of the message begins; a replay is refused.

    One that was in flight may finish, even if it was still connecting.
    """
    for message, endpoint in facts.deliveries():
        for call in endpoint.succeeded(Operation.DELETE_MESSAGE):
            if call.message_id != message.id or call.ended_s is None:
                continue
            facts.judged["deleted_messages_are_not_sent"] += 1
            for exchange in message.exchanges:
                if facts.timing.begun(exchange).lo > call.ended_s:
                    yield Violation(
                        rule="deleted_messages_are_not_sent",
                        at_s=exchange.request.at_s,
                        text=f"{message.id} was deleted at {call.ended_s:.3f} s, and sent",
                        calls=(call,),
                        exchanges=(exchange,),
                    )
                    break


def deleted_endpoints_get_nothing(facts: Facts) -> Iterator[Violation]:
    """After the answer to the deletion of an endpoint nothing is sent to it.

    What had been sent may still arrive.
    """
    for endpoint in facts.endpoints.values():
        gone_s = endpoint.gone().hi
        facts.judged["deleted_endpoints_get_nothing"] += gone_s < math.inf
        for exchange in endpoint.exchanges:
            if facts.timing.sent(exchange).lo > gone_s:
                yield Violation(
                    rule="deleted_endpoints_get_nothing",
                    at_s=exchange.request.at_s,
                    text=f"{exchange.request.message_id} was sent to {endpoint.name}, which was"
                    f" deleted at {gone_s:.3f} s",
                    exchanges=(exchange,),
                )
                break


RULES: tuple[Rule, ...] = (
    cancelled_messages_are_not_sent,
    deleted_messages_are_not_sent,
    deleted_endpoints_get_nothing,
)
