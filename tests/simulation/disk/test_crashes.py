"""What a crash leaves: everything that was acknowledged, and of the rest any part."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluicegate.app import Engine
from sluicegate.simulation import EngineHost, HostDownError, Simulation
from sluicegate.simulation.disk.crash_points import Moment
from sluicegate.storage import database

SEEDS = 20
OPERATIONS = 90
"""How many statements a first start runs, and a few less."""


def lost(seed: int, *, power_loss: bool) -> tuple[int, int]:
    """Send until a crash at some commit; return how many were acknowledged, and of them lost."""
    with Simulation(seed, direct=True) as simulation:
        shop = simulation.host("shop.example", responses=503)
        host = simulation.engine()
        acknowledged: list[str] = []

        async def send(engine: Engine) -> None:
            endpoint = await engine.create_endpoint(url=shop.url)
            for number in range(100):
                accepted = await engine.send(endpoint.id, {"n": number})
                acknowledged.append(accepted.message_id)

        simulation.crash_at_write(5 + seed, power_loss=power_loss)
        with pytest.raises(HostDownError):
            simulation.run(host.call(send))
        host.start()
        found = simulation.run(host.call(ids))
        return len(acknowledged), len(set(acknowledged) - found)


async def ids(engine: Engine) -> set[str]:
    """Return the ids of all messages; no endpoint, no message."""
    return {each.message_id for each in (await engine.list_logs(limit=500)).items}


@pytest.mark.parametrize("power_loss", [False, True], ids=["process", "power"])
def test_nothing_acknowledged_is_lost_in_a_crash_at_any_commit(power_loss: bool) -> None:  # noqa: FBT001 - a parameter
    """With `synchronous = FULL`, whatever the moment within the commit."""
    runs = [lost(seed, power_loss=power_loss) for seed in range(SEEDS)]
    assert all(acknowledged for acknowledged, _ in runs)
    assert [missing for _, missing in runs] == [0] * SEEDS


def test_synchronous_normal_loses_what_was_acknowledged_when_power_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The model tells it from FULL within five seeds; the end of a process alone does not."""
    pragmas = database._WRITER_PRAGMAS  # noqa: SLF001 - the planted bug
    planted = tuple(each.replace("= FULL", "= NORMAL") for each in pragmas)
    assert planted != pragmas
    monkeypatch.setattr(database, "_WRITER_PRAGMAS", planted)
    assert any(lost(seed, power_loss=True)[1] for seed in range(5))
    assert not any(lost(seed, power_loss=False)[1] for seed in range(5))


@pytest.mark.parametrize("power_loss", [False, True], ids=["process", "power"])
@pytest.mark.parametrize("moment", Moment)
def test_a_commit_is_there_whole_or_not_at_all(moment: Moment, power_loss: bool) -> None:  # noqa: FBT001 - a parameter
    """Before: not there. After: there. Within: one of both, and the file is well."""
    with Simulation(1, direct=True) as simulation:
        shop = simulation.host("shop.example")
        host = simulation.engine()

        async def create(engine: Engine) -> str:
            return (await engine.create_endpoint(url=shop.url)).id

        endpoint = simulation.run(host.call(create))

        async def send(engine: Engine) -> None:
            await engine.send_batch([{"endpoint_id": endpoint, "payload": n} for n in range(50)])

        simulation.disk.crash_at_write(
            1, power_loss=power_loss, moment=moment, died=lambda loss: host.crash(power_loss=loss)
        )
        with pytest.raises(HostDownError):
            simulation.run(host.call(send))
        host.start()
        there = len(simulation.run(host.call(ids)))
        allowed = {Moment.BEFORE: {0}, Moment.WITHIN: {0, 50}}.get(moment, {50})
        assert there in allowed
        assert simulation.settle().finished
        assert len(shop.requests) == there


def test_a_crash_before_any_statement_of_a_start_leaves_a_file_that_starts() -> None:
    """Also before the reads, and between the statements of the migration."""
    for nth in range(1, OPERATIONS, 11):
        with Simulation(nth, direct=True) as simulation:
            hosts: list[EngineHost] = []
            simulation.disk.crash_at_operation(
                nth, power_loss=nth % 2 == 0, died=lambda loss: _crash(simulation, power_loss=loss)
            )
            hosts.append(simulation.engine())
            assert hosts[0].life.number == 2


def _crash(simulation: Simulation, *, power_loss: bool) -> None:
    simulation._the_engine().crash(power_loss=power_loss)  # noqa: SLF001 - it is being started


def test_what_dead_processes_had_open_is_closed_at_the_end() -> None:
    """Locks and databases of every life; no number of somebody else is closed."""
    before = os.listdir("/dev/fd")  # noqa: PTH208 - names suffice
    with Simulation(1, direct=True) as simulation:
        host = simulation.engine()
        for cut_s in (0.003, 0.01, 3.0, 3.0):
            simulation.crash(host)
            simulation.advance(1 + cut_s)
    assert os.listdir("/dev/fd") == before  # noqa: PTH208 - same


def left(seed: int, files: dict[str, bytes], *, power_loss: bool) -> dict[str, bytes | None]:
    """Return what a crash leaves of files that the engine was writing."""
    with Simulation(seed, direct=True) as simulation:
        host = simulation.engine()
        folder = Path(simulation.disk.database).parent
        for name, content in files.items():
            file = folder / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        simulation.crash(host, power_loss=power_loss)
        folder = Path(simulation.disk.database).parent
        there = {name: folder / name for name in files}
        found = {name: file.read_bytes() if file.exists() else None for name, file in there.items()}
        host.start()
        assert simulation.settle().finished
        return found


def test_a_loss_of_power_leaves_any_piece_of_an_export_that_is_being_written() -> None:
    """From nothing to all of it, always from its beginning; the end of a process leaves all."""
    content = bytes(range(200))
    files = {"exports/one.part": content, "exports/two": content}
    lengths: set[int] = set()
    for seed in range(12):
        found = left(seed, files, power_loss=True)
        piece = found["exports/one.part"]
        assert piece is not None
        assert content.startswith(piece)
        assert found["exports/two"] == content, "what has its name was synced"
        lengths.add(len(piece))
    assert len(lengths) > 6
    assert min(lengths) < 50
    assert max(lengths) > 150
    assert left(1, files, power_loss=False) == files


def test_a_loss_of_power_may_take_the_reserve_and_the_next_start_makes_it_anew() -> None:
    """Its name is not synced. Half of the time it is gone; a process that ends leaves it."""

    def has_reserve(seed: int, *, power_loss: bool) -> tuple[bool, bool]:
        with Simulation(seed, direct=True) as simulation:
            host = simulation.engine()
            assert list(reserves(simulation))
            simulation.crash(host, power_loss=power_loss)
            survived = bool(list(reserves(simulation)))
            host.start()
            simulation.advance(120)
            return survived, bool(list(reserves(simulation)))

    after_power = [has_reserve(seed, power_loss=True) for seed in range(12)]
    assert {survived for survived, _ in after_power} == {True, False}
    assert all(there for _, there in after_power)
    assert has_reserve(1, power_loss=False) == (True, True)


def reserves(simulation: Simulation) -> Iterator[Path]:
    """Yield the files that keep room for results on a full disk."""
    return Path(simulation.disk.database).parent.glob("*.reserve")
