"""Plain calls to a simulated engine: they let time pass until they are answered."""

import pytest

from sluicegate.engine.errors import AlreadyPausedError, EndpointNotFoundError, NotPausedError
from sluicegate.simulation import Faults, Simulation


def test_a_story_needs_no_coroutine() -> None:
    """Create, send, pause, resume, replay and look, one after the other."""
    with Simulation(direct=True) as simulation:
        shop = simulation.host("shop.example")
        sluicegate = simulation.engine()
        endpoint = sluicegate.create_endpoint(shop.url, description="a shop")
        sluicegate.pause(endpoint.id)
        with pytest.raises(AlreadyPausedError):
            sluicegate.pause(endpoint.id)
        accepted = sluicegate.send(endpoint.id, {"n": 1})
        simulation.advance(60)
        assert not shop.requests
        assert sluicegate.resume(endpoint.id) == 1
        with pytest.raises(NotPausedError):
            sluicegate.resume(endpoint.id)
        assert simulation.settle().finished
        sluicegate.replay(accepted.message_id)
        assert simulation.settle().finished
        assert [request.json() for request in shop.requests] == [{"n": 1}, {"n": 1}]
        assert sluicegate.message(accepted.message_id).attempt_count == 2
        with pytest.raises(EndpointNotFoundError):
            sluicegate.send("ep_none", 1)


@pytest.mark.parametrize("seed", range(10))
def test_a_send_that_died_with_the_engine_is_one_message(seed: int) -> None:
    """It is sent again until it is answered, under one idempotency key."""
    with Simulation(seed, direct=True) as simulation:
        shop = simulation.host("shop.example")
        sluicegate = simulation.engine()
        endpoint = sluicegate.create_endpoint(shop.url)
        for number in range(3):
            simulation.crash_at_write(1)
            sluicegate.send(endpoint.id, number)
        assert sluicegate.life.number > 1
        simulation.settle()
        messages = {request.message_id: request.json() for request in shop.requests}
        assert sorted(map(str, messages.values())) == ["0", "1", "2"]


def test_a_pause_that_died_with_the_engine_is_a_pause() -> None:
    """Whether the first call took effect or not, the answer means the same."""
    for seed in range(6):
        with Simulation(seed, direct=True) as simulation:
            shop = simulation.host("shop.example")
            sluicegate = simulation.engine()
            endpoint = sluicegate.create_endpoint(shop.url)
            simulation.crash_at_write(1)
            sluicegate.pause(endpoint.id)
            sluicegate.send(endpoint.id, 1)
            simulation.advance(60)
            assert not shop.requests, seed
            simulation.crash_at_write(1)
            sluicegate.resume(endpoint.id)
            assert simulation.settle().finished
            assert shop.requests, seed


def test_calls_go_on_while_the_disk_fails() -> None:
    """A call that the engine cannot take is made again."""
    with Simulation(1, direct=True, faults=Faults(write_error=0.3)) as simulation:
        shop = simulation.host("shop.example")
        sluicegate = simulation.engine()
        endpoint = sluicegate.create_endpoint(shop.url)
        for number in range(10):
            sluicegate.send(endpoint.id, number)
        assert simulation.settle().finished
        assert len({request.message_id for request in shop.requests}) == 10
