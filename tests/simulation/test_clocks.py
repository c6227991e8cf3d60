"""A clock that is set anew changes no schedule: nothing bursts, nothing waits for ever."""

import pytest

from sluicegate.simulation import Simulation

HOUR_S = 3600.0


@pytest.mark.parametrize("jump_s", [5 * HOUR_S, -5 * HOUR_S])
def test_a_jump_of_the_wall_clock_moves_no_retry(jump_s: float) -> None:
    """Schedules go by the steady clock; only what is told to people goes by the wall's."""
    with Simulation(11) as simulation:
        shop = simulation.host("shop.example", responses=[500, 503, 200])
        sluicegate = simulation.engine(retry_slow_s=(60, 600), retry_jitter=0)
        endpoint = sluicegate.create_endpoint(url=shop.url)
        sluicegate.send(endpoint.id, {"n": 1})
        simulation.advance(30)
        simulation.wall.jump(jump_s)
        simulation.advance(1000)
        first, second, third = (request.at_s for request in shop.requests)
        assert second - first == pytest.approx(60, abs=1)
        assert third - second == pytest.approx(600, abs=1)


@pytest.mark.parametrize("jump_s", [5 * HOUR_S, -5 * HOUR_S])
def test_a_restart_after_a_jump_keeps_to_the_wall_clock_and_loses_nothing(jump_s: float) -> None:
    """A new process knows no other clock: what is due by it is sent, what is not waits by it.

    So a clock that is five hours behind makes a retry late by as much, and no more.
    """
    with Simulation(12) as simulation:
        shop = simulation.host("shop.example", responses=[500, 200])
        sluicegate = simulation.engine(retry_slow_s=(600,), retry_jitter=0)
        endpoint = sluicegate.create_endpoint(url=shop.url)
        sluicegate.send(endpoint.id, {"n": 1})
        simulation.advance(30)
        simulation.wall.jump(jump_s)
        sluicegate.crash(power_loss=True)
        simulation.advance(60)
        assert len(shop.requests) == (2 if jump_s > 0 else 1)
        simulation.advance(600 + abs(jump_s))
        assert len(shop.requests) == 2


def test_messages_sent_after_a_jump_back_are_delivered_in_the_order_of_acceptance() -> None:
    """Order goes by the sequence of acceptance, not by any clock."""
    with Simulation(13) as simulation:
        shop = simulation.host("shop.example")
        sluicegate = simulation.engine()
        endpoint = sluicegate.create_endpoint(url=shop.url, ordered=True)
        sluicegate.pause(endpoint.id)
        sent = []
        for number in range(10):
            sent.append(sluicegate.send(endpoint.id, {"n": number}).message_id)
            simulation.wall.jump(-1000)
        sluicegate.resume(endpoint.id)
        simulation.advance(10)
        assert [request.message_id for request in shop.requests] == sent
