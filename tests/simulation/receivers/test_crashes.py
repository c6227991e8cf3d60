"""A receiver dies and comes back, as its test plans it."""

from collections.abc import Callable

import pytest

from sluicegate.app import Engine
from sluicegate.simulation import Answer, ReceivedRequest, ReceiverHost, Simulation


def send(simulation: Simulation, host: ReceiverHost, count: int = 1) -> None:
    """Send numbered payloads to a new endpoint, one after the other."""

    async def act(engine: Engine) -> None:
        endpoint = await engine.create_endpoint(url=host.url, ordered=True)
        for number in range(count):
            await engine.send(endpoint.id, number)

    simulation.run(simulation.engine(retry_jitter=0, retry_slow_s=(60, 60, 60)).call(act))


def numbers(host: ReceiverHost) -> list[object]:
    """Return what arrived, repetitions included."""
    return [request.json() for request in host.requests]


REPEATED: dict[str, Callable[[ReceiverHost], None]] = {
    "the answer is lost": lambda host: host.lose_answer(nth=2),
    "the receiver dies before its answer": lambda host: host.crash_before_answer(nth=2),
    "the answer never comes": lambda host: void(host.plan("answer_never", nth=2)),
    "the sender dies": lambda host: void(host.plan("sender_crash", nth=2)),
    "it is busy": lambda host: void(host.plan("busy", nth=2)),
}


def void(_: object) -> None:
    """Return nothing."""


@pytest.mark.parametrize("direct", [False, True], ids=["http", "direct"])
@pytest.mark.parametrize("mishap", REPEATED)
def test_only_the_request_that_was_planned_is_repeated(mishap: str, direct: bool) -> None:  # noqa: FBT001 - a parameter
    """A mishap befalls one request, whose message the engine then sends again."""
    with Simulation(direct=direct) as simulation:
        host = simulation.host("shop.example")
        REPEATED[mishap](host)
        send(simulation, host, 3)
        simulation.advance(900)
        assert numbers(host) == [0, 1, 1, 2]
        assert [each.acted for each in host.exchanges] == [True, mishap != "it is busy", True, True]


@pytest.mark.parametrize("direct", [False, True], ids=["http", "direct"])
def test_an_answer_on_its_way_survives_the_one_who_gave_it(direct: bool) -> None:  # noqa: FBT001 - a parameter
    """What a process has written its kernel still sends: the message is not repeated."""
    for seed in range(20):
        with Simulation(seed, direct=direct) as simulation:
            host = simulation.host("shop.example")
            host.crash_after_answer()
            send(simulation, host, 2)
            simulation.advance(900)
            assert host.life.number == 2
            assert numbers(host) == [0, 1], seed


def test_a_process_that_dies_midway_never_gets_to_the_end() -> None:
    """After a crash nothing of a process runs, not even a `finally`."""
    steps: list[str] = []

    async def act(request: ReceivedRequest) -> Answer:
        del request
        steps.append("began")
        try:
            await simulation.loop.run_in_executor(None, steps.append, "worked")
        finally:
            steps.append("ended")
        return Answer()

    with Simulation() as simulation:
        host = simulation.host("shop.example", responses=act)
        host.crash_midway()
        send(simulation, host)
        simulation.advance(1)
        assert steps == ["began"]
        simulation.advance(600)
        assert steps == ["began", "began", "worked", "ended"]


def test_a_host_stays_down_until_it_is_started_if_its_test_says_so() -> None:
    """Without a restart it refuses connections, and what was sent arrives later."""
    with Simulation() as simulation:
        host = simulation.host("shop.example")
        host.crash(restart_after_s=None)
        send(simulation, host)
        simulation.advance(50)
        assert not host.requests
        host.start()
        simulation.advance(60)
        assert len(host.requests) == 1
