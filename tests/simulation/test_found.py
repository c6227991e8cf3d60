"""Bugs of the engine that seeds have found: each, told plainly, once and for all."""

from collections import Counter
from itertools import pairwise

import pytest

from sluicegate.simulation import Faults, Simulation

_JOURNEY_S = 0.1
"""How much later one request may arrive than another, counted from when it began."""


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "http"])
def test_a_replayed_message_is_sent_once_though_a_new_one_comes_before_its_turn(
    direct: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Seed 2135 found it sent twice, its actor crashed by that, and it in the dead letter queue.

    An actor that had read nothing took the replayed message into its window, where it waited for
    the rate limit; the hint of a new message made it read on from the very beginning.
    """
    with Simulation(2135, direct=direct) as simulation:
        shop = simulation.host("shop.example")
        sluicegate = simulation.engine(actor_idle_s=1)
        endpoint = sluicegate.create_endpoint(url=shop.url, rate_limit_rps=1, burst=1)
        first, second = (sluicegate.send(endpoint.id, {"n": n}).message_id for n in (1, 2))
        simulation.advance(60)
        assert len(shop.requests) == 2
        sluicegate.replay(first)
        sluicegate.replay(second)
        third = sluicegate.send(endpoint.id, {"n": 3}).message_id
        simulation.advance(60)
        seen = Counter(request.message_id for request in shop.requests)
        assert seen == {first: 2, second: 2, third: 1}
        assert {sluicegate.message(each).status for each in seen} == {"succeeded"}


def test_a_rate_limit_holds_though_the_actor_crashes() -> None:
    """Seed 4124 found six attempts in 4.9 seconds where one a second was allowed.

    The successor of an actor that crashes on a bug of ours began with a full bucket.
    """
    with Simulation(4124, direct=True, faults=Faults(bug=0.3)) as simulation:
        shop = simulation.host("shop.example")
        sluicegate = simulation.engine(actor_restarts_max=100)
        endpoint = sluicegate.create_endpoint(url=shop.url, rate_limit_rps=1, burst=1)
        for number in range(20):
            sluicegate.send(endpoint.id, {"n": number})
        simulation.advance(60)
        came_s = [request.at_s for request in shop.requests]
        assert len(came_s) > 10
        assert min(later - one for one, later in pairwise(came_s)) > 1 - _JOURNEY_S
