"""The engine's host: started, stopped, crashed and restarted, whatever else goes on."""

import msgspec
import pytest

from sluicegate.app import Engine
from sluicegate.engine.errors import SettingError, UnavailableError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.simulation import CALM, Answer, Faults, HostDownError, Simulation
from sluicegate.simulation.engine_host import EngineHost

BROKEN = Faults(write_error=1.0)


def send(simulation: Simulation, host: EngineHost, url: str, count: int) -> list[str]:
    """Make an endpoint and send messages to it; return their ids."""

    async def work(engine: Engine) -> list[str]:
        endpoint = await engine.create_endpoint(url=url)
        return [(await engine.send(endpoint.id, {"n": n})).message_id for n in range(count)]

    return simulation.run(host.call(work))


def lives(simulation: Simulation) -> list[str]:
    """Return what the trace says of hosts."""
    lines = [line.split(" ", 1)[1] for line in simulation.trace.tail(10_000)]
    return [line for line in lines if line.startswith("host.")]


def test_a_supervisor_starts_the_next_process_a_second_after_the_end_of_the_last() -> None:
    """However it ended; and not after a stop."""
    with Simulation(1, direct=True) as simulation:
        host = simulation.engine()
        began_s = simulation.loop.time()
        host.crash()
        simulation.advance(0.99)
        assert host.life.number == 1
        simulation.advance(1)
        assert host.is_up
        assert host.life.number == 2
        assert simulation.loop.time() - began_s < 2
        host.stop()
        simulation.advance(3600)
        assert not host.is_up


def test_starting_crashing_and_stopping_twice_is_fine() -> None:
    """Also while it starts: there is one process at a time."""
    with Simulation(1, direct=True) as simulation:
        host = simulation.engine()
        host.start()
        assert host.life.number == 1
        host.crash()
        host.crash()
        host.start()
        host.start()
        simulation.advance(10)
        assert host.life.number == 2
        host.stop()
        host.stop()
        host.start()
        assert host.life.number == 3


def test_it_may_crash_and_be_stopped_while_it_starts() -> None:
    """A start that is cut short leaves nothing behind that keeps the next one from its work."""
    with Simulation(1, direct=True) as simulation:
        host = simulation.engine()
        for cut_s in (0.0, 0.001, 0.003, 0.006, 0.01):
            host.crash()
            simulation.advance(1 + cut_s)
            assert not host.is_up
            host.crash(power_loss=True)
        simulation.advance(1.001)
        host.stop()
        assert host.life.dead
        simulation.advance(60)
        assert host.life.dead
        host.start()
        assert host.is_up
        assert not simulation.loop.problems


@pytest.mark.parametrize("power_loss", [False, True], ids=["process", "power"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_crash_at_any_commit_of_the_first_start_leaves_a_file_that_starts(
    count: int,
    power_loss: bool,  # noqa: FBT001 - a parameter
) -> None:
    """The migration, the take-over, the first API key: each is whole or not there."""
    with Simulation(1, direct=True) as simulation:
        simulation.crash_at_write(count, power_loss=power_loss)
        host = simulation.engine()
        assert host.life.number == 2
        accepted = send(simulation, host, simulation.host("shop.example").url, 3)
        assert simulation.settle().finished
        assert len(accepted) == 3


def test_a_start_that_the_disk_fails_is_tried_again_until_it_succeeds() -> None:
    """The supervisor does not give up; who waits for it may."""
    with Simulation(1, direct=True) as simulation:
        host = simulation.engine()
        host.crash()
        simulation.set_faults(BROKEN)
        with pytest.raises(HostDownError):
            host.start(within_s=10)
        assert host.life.number > 5
        simulation.set_faults(CALM)
        simulation.advance(3)
        assert host.is_up


def test_settings_that_can_never_start_are_told_at_once() -> None:
    """Another secret key does not open the file, however often it is tried."""
    with Simulation(1, direct=True) as simulation:
        host = simulation.engine()
        with pytest.raises(SettingError, match="another key"):
            host.restart(secret_key="A" * 43 + "=")
        assert not host.is_up
        host.restart(secret_key=None)
        assert host.is_up


def test_a_commit_of_unknown_outcome_ends_the_process_and_the_next_one_goes_on() -> None:
    """The caller hears 503; the message may be stored, and then it is delivered."""
    with Simulation(1, direct=True) as simulation:
        shop = simulation.host("shop.example")
        host = simulation.engine()
        send(simulation, host, shop.url, 1)
        simulation.set_faults(Faults(unknown_outcome=1.0))
        with pytest.raises(UnavailableError):
            send(simulation, host, "https://shop.example/other", 1)
        simulation.set_faults(CALM)
        simulation.advance(10)
        assert host.is_up
        assert host.life.number > 1
        assert any(line.startswith("host.failed") for line in lives(simulation))


def test_a_call_in_a_process_that_dies_hears_of_it() -> None:
    """Rather than never; whether it was carried out is not known."""
    with Simulation(1, direct=True) as simulation:
        host = simulation.engine()
        shop = simulation.host("shop.example")
        simulation.crash_at_write(2)
        with pytest.raises(HostDownError):
            send(simulation, host, shop.url, 10)
        with pytest.raises(HostDownError):
            _ = host.engine


@pytest.mark.parametrize("direct", [False, True], ids=["http", "direct"])
def test_a_stop_lets_attempts_in_flight_end_and_keeps_their_results(direct: bool) -> None:  # noqa: FBT001 - a parameter
    """What was in flight is recorded; nothing is sent again after the next start."""
    with Simulation(1, direct=direct) as simulation:
        shop = simulation.host("shop.example", responses=Answer(delay_s=5))
        host = simulation.engine()
        accepted = send(simulation, host, shop.url, 30)
        simulation.advance(1)
        in_flight = len(shop.requests)
        assert 0 < in_flight < 30
        began_s = simulation.loop.time()
        host.stop()
        assert 3 < simulation.loop.time() - began_s < 6
        assert len(shop.requests) == in_flight
        host.start()
        simulation.advance(60)
        assert sorted(each.message_id for each in shop.requests) == sorted(accepted)


def test_a_stop_ends_with_the_process_if_that_dies_meanwhile() -> None:
    """It does not wait for what can never happen, and what was accepted is delivered later."""
    with Simulation(1, direct=True) as simulation:
        shop = simulation.host("shop.example", responses=Answer(delay_s=5))
        host = simulation.engine()
        accepted = send(simulation, host, shop.url, 3)
        simulation.advance(1)
        simulation.crash_at_write(1)
        host.stop()
        simulation.advance(60)
        assert not host.is_up
        host.start()
        simulation.settle()
        assert {each.message_id for each in shop.requests} == set(accepted)
        assert len(shop.requests) > 3


def test_settings_change_from_one_life_to_the_next() -> None:
    """`restart` takes them, `settings` holds what the next start gets."""
    with Simulation(1, direct=True) as simulation:
        host = simulation.engine(window=8)
        host.restart(window=16)
        assert host.engine.settings.window == 16
        host.settings = msgspec.structs.replace(host.settings, window=32)
        assert host.engine.settings.window == 16
        host.crash()
        simulation.advance(5)
        assert host.engine.settings.window == 32
        with pytest.raises(SettingError):
            host.restart(window=0)
        assert host.is_up


def test_settle_is_not_deceived_by_a_message_that_changes_while_it_looks() -> None:
    """Looked for by one status after the other, a message may be in none of them: 600 looks."""
    with Simulation(seed=1) as simulation:
        host = simulation.engine(retry_slow_s=(0.3,), retry_fast_s=(0.3,), attempts_max=100)
        shop = simulation.host("shop", responses=[500] * 40 + [200])
        sent = host.send(host.create_endpoint(shop.url).id, {"n": 1})
        while not simulation.settle(0).finished:
            simulation.advance(0.0137)
        assert host.message(sent.message_id).status == "succeeded"


def test_settle_lets_everything_finish_and_tells_what_did_not() -> None:
    """It heals first; a limit that is too short leaves a rest; a pause's messages are no rest."""
    with Simulation(1, direct=True) as simulation:
        shop = simulation.host("shop.example", responses=[500, 500, 200])
        host = simulation.engine(retry_slow_s=(60, 600))
        accepted = send(simulation, host, shop.url, 1)
        short = simulation.settle(10)
        assert [each.message_id for each in short.unfinished] == accepted
        assert short.unfinished[0].status is MessageStatus.PENDING_RETRY
        assert not short.finished
        simulation.partition(host, shop)
        simulation.crash(host)
        settled = simulation.settle()
        assert settled.finished
        assert settled.took_s < 1500
        assert {each.message_id for each in shop.requests} == set(accepted)
