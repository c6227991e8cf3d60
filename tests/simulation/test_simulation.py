"""A whole world: the real engine, delivering, crashing and coming back, twice the same."""

import contextlib

import pytest

from sluicegate.app import Engine
from sluicegate.engine.errors import UnavailableError
from sluicegate.simulation import STORM, Simulation


def a_life(seed: int, *, direct: bool) -> tuple[str, int]:
    """Send a little through storms and a loss of power; return the digest and what arrived."""
    with Simulation(seed, faults=STORM, direct=direct) as simulation:
        shop = simulation.host("shop.example")
        sluicegate = simulation.engine(retry_slow_s=(5, 20), retry_fast_s=(1, 5))

        async def send(engine: Engine) -> None:
            endpoint = await engine.create_endpoint(url=shop.url)
            for number in range(10):
                with contextlib.suppress(UnavailableError):
                    await engine.send(endpoint.id, {"number": number})

        simulation.loop.spawn(sluicegate.life, send(sluicegate.engine))
        simulation.advance(10)
        sluicegate.crash(power_loss=True)
        simulation.advance(60)
        simulation.heal()
        simulation.advance(600)
        return simulation.digest(), len(shop.requests)


@pytest.mark.parametrize("direct", [False, True], ids=["http", "direct"])
def test_same_seed_gives_same_trace_and_another_seed_another(direct: bool) -> None:  # noqa: FBT001 - a parameter
    """A run is a function of its seed."""
    first = a_life(1, direct=direct)
    assert first == a_life(1, direct=direct)
    assert first[0] != a_life(2, direct=direct)[0]
    assert first[1] > 0


@pytest.mark.parametrize("direct", [False, True], ids=["http", "direct"])
def test_everything_accepted_is_delivered_after_a_crash(direct: bool) -> None:  # noqa: FBT001 - a parameter
    """The kit runs the real engine: what it accepted survives, and arrives."""
    with Simulation(3, direct=direct) as simulation:
        shop = simulation.host("shop.example", responses=[500, 200])
        sluicegate = simulation.engine(retry_slow_s=(30,), retry_jitter=0)

        async def send(engine: Engine) -> list[str]:
            endpoint = await engine.create_endpoint(url=shop.url)
            return [(await engine.send(endpoint.id, {"n": n})).message_id for n in range(50)]

        accepted = simulation.run(sluicegate.call(send))
        sluicegate.crash(power_loss=True)
        simulation.advance(120)
        assert {request.message_id for request in shop.requests} == set(accepted)
        assert not simulation.loop.problems
