"""Bugs of the engine that seeds have found: each, told plainly, once and for all."""

from collections import Counter

import pytest

from sluicegate.simulation import Simulation


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
