"""Each fault of the disk, seen through the real engine."""

import pytest

from sluicegate.app import Engine
from sluicegate.engine.errors import UnavailableError
from sluicegate.simulation import CALM, Answer, EngineHost, Faults, ReceiverHost, Simulation


def world(
    simulation: Simulation, *, responses: int | Answer = 200
) -> tuple[EngineHost, ReceiverHost, str]:
    """Return an engine, a receiver, and the id of the endpoint that leads from one to the other."""
    shop = simulation.host("shop.example", responses=responses)
    host = simulation.engine(retry_slow_s=(30,))

    async def create(engine: Engine) -> str:
        return (await engine.create_endpoint(url=shop.url)).id

    return host, shop, simulation.run(host.call(create))


def send(simulation: Simulation, host: EngineHost, endpoint: str, *, payload: object = 1) -> str:
    """Send one message and return its id."""

    async def work(engine: Engine) -> str:
        return (await engine.send(endpoint, payload)).message_id

    return simulation.run(host.call(work))


def statuses(simulation: Simulation, host: EngineHost) -> list[str]:
    """Return what the messages of the log read."""

    async def work(engine: Engine) -> list[str]:
        return [each.status for each in (await engine.list_logs(limit=500)).items]

    return simulation.run(host.call(work))


def count(simulation: Simulation, host: EngineHost) -> int:
    """Return how many messages the log shows."""
    return len(statuses(simulation, host))


@pytest.mark.parametrize("seed", range(4))
def test_after_an_error_within_a_transaction_nothing_of_it_is_stored(seed: int) -> None:
    """The caller hears 503, the process ends, and the next one knows nothing of the message."""
    with Simulation(seed, direct=True) as simulation:
        host, shop, endpoint = world(simulation)
        simulation.set_faults(Faults(write_error=1))
        with pytest.raises(UnavailableError):
            send(simulation, host, endpoint)
        assert simulation.settle().finished
        assert host.life.number > 1
        assert count(simulation, host) == 0
        assert not shop.requests


def test_after_an_unknown_outcome_the_message_is_there_and_is_delivered() -> None:
    """The commit happened, though the caller heard 503."""
    with Simulation(1, direct=True) as simulation:
        host, shop, endpoint = world(simulation)
        simulation.set_faults(Faults(unknown_outcome=1))
        with pytest.raises(UnavailableError):
            send(simulation, host, endpoint)
        assert simulation.settle().finished
        assert host.life.number > 1
        assert count(simulation, host) == len(shop.requests) == 1


def test_after_a_failed_sync_the_message_may_be_there_or_not() -> None:
    """Both happen, also when power is lost before the next start."""
    found: set[tuple[bool, int]] = set()
    for seed in range(24):
        with Simulation(seed, direct=True) as simulation:
            host, shop, endpoint = world(simulation)
            simulation.set_faults(Faults(sync_error=1))
            with pytest.raises(UnavailableError):
                send(simulation, host, endpoint)
            power_loss = seed % 2 == 1
            simulation.crash(host, power_loss=power_loss)
            assert simulation.settle().finished
            assert count(simulation, host) == len(shop.requests)
            found.add((power_loss, len(shop.requests)))
    assert found == {(False, 0), (False, 1), (True, 0), (True, 1)}


def test_a_read_that_fails_is_told_and_harms_nothing() -> None:
    """The reader hears 503; the process goes on, and so do deliveries when it is over."""
    with Simulation(1, direct=True) as simulation:
        host, shop, endpoint = world(simulation)
        simulation.set_faults(Faults(read_error=1))
        with pytest.raises(UnavailableError):
            count(simulation, host)
        send(simulation, host, endpoint)
        simulation.advance(60)
        assert simulation.settle().finished
        assert host.life.number == 1
        assert len(shop.requests) == 1


def test_a_busy_file_refuses_sends_for_as_long_as_it_is_busy() -> None:
    """503, nothing is stored, and nothing ends."""
    with Simulation(1, direct=True) as simulation:
        host, shop, endpoint = world(simulation)
        simulation.set_faults(Faults(busy=1))
        with pytest.raises(UnavailableError):
            send(simulation, host, endpoint)
        simulation.set_faults(CALM)
        send(simulation, host, endpoint)
        assert simulation.settle().finished
        assert host.life.number == 1
        assert count(simulation, host) == len(shop.requests) == 1


def test_a_slow_disk_makes_callers_wait() -> None:
    """Each operation takes up to five seconds; everything happens all the same."""
    with Simulation(1, direct=True) as simulation:
        host, shop, endpoint = world(simulation)
        simulation.set_faults(Faults(slow_disk=1))
        began_s = simulation.loop.time()
        send(simulation, host, endpoint)
        assert simulation.loop.time() - began_s > 0.5
        assert simulation.settle().finished
        assert len(shop.requests) == 1


def test_a_file_that_cannot_be_opened_is_tried_again_at_the_next_start() -> None:
    """The supervisor starts processes until one gets its file open."""
    with Simulation(1, direct=True) as simulation:
        host, _, _ = world(simulation)
        simulation.set_faults(Faults(open_error=0.6))
        host.crash()
        host.start()
        assert host.life.number > 2


def test_a_full_disk_refuses_sends_and_records_results_from_the_reserve() -> None:
    """What was accepted is delivered once and recorded; with room again sends are taken."""
    with Simulation(1, direct=True) as simulation:
        host, shop, endpoint = world(simulation, responses=Answer(delay_s=5))
        accepted = [send(simulation, host, endpoint, payload=n) for n in range(5)]
        simulation.disk.fill()
        with pytest.raises(UnavailableError) as refused:
            send(simulation, host, endpoint, payload="x" * 2000)
        assert refused.value.retry_after_s is not None
        simulation.advance(20)
        assert statuses(simulation, host) == ["succeeded"] * 5
        simulation.crash(host)
        simulation.advance(60)
        assert len(shop.requests) == 5
        with pytest.raises(UnavailableError):
            send(simulation, host, endpoint)
        simulation.disk.make_room()
        simulation.advance(10)
        accepted.append(send(simulation, host, endpoint))
        assert simulation.settle().finished
        assert sorted(each.message_id for each in shop.requests) == sorted(accepted)
        assert not simulation.loop.problems


def test_the_rate_of_full_disks_fills_it_for_a_while() -> None:
    """At a transaction something else fills it; two minutes later at the latest there is room."""
    refused: list[bool] = []
    for seed in range(8):
        with Simulation(seed, direct=True) as simulation:
            host, shop, endpoint = world(simulation)
            simulation.set_faults(Faults(disk_full=1))
            try:
                send(simulation, host, endpoint, payload="x" * 100_000)
            except UnavailableError:
                refused.append(True)
            else:
                refused.append(False)
            simulation.set_faults(CALM)
            assert any(" disk.filled " in line for line in simulation.trace.tail(200))
            assert simulation.disk.free_bytes() < 1 << 40
            simulation.advance(120)
            assert simulation.disk.free_bytes() > 1 << 40
            assert " disk.has_room" in "".join(simulation.trace.tail(200))
            send(simulation, host, endpoint)
            assert simulation.settle().finished
            assert len(shop.requests) == 2 - refused[-1]
    assert any(refused)
