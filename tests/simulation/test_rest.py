"""A process at rest does nothing: no polling of what cannot have changed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluicegate.app import Engine
from sluicegate.engine.errors import RetentionExpiredError
from sluicegate.engine.export_model import ExportStatus
from sluicegate.simulation import Simulation

DAY_S = 86_400.0
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LAST = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("metrics", [False, True])
def test_an_engine_at_rest_looks_once_an_hour(*, metrics: bool) -> None:
    """With a day's history behind it, and nothing due, a day costs a few reads an hour.

    Between two looks no timer fires at all, and metrics are no reason to wake up.
    """
    with Simulation(5, direct=True) as simulation:
        shop = simulation.host("shop.example")
        sluicegate = simulation.engine(metrics=metrics)

        async def send(engine: Engine) -> str:
            endpoint = await engine.create_endpoint(url=shop.url)
            return (await engine.send(endpoint.id, {"n": 1})).message_id

        message_id = simulation.run(sluicegate.call(send))
        simulation.advance(600)
        assert [request.message_id for request in shop.requests] == [message_id]
        steps, writes = simulation.loop.steps, simulation.disk.writes
        simulation.advance(60)
        assert simulation.loop.steps == steps + 1  # the end of the minute itself
        simulation.advance(DAY_S)
        assert simulation.disk.writes == writes
        assert simulation.loop.steps - steps < 24 * 4 * 25


@pytest.mark.parametrize("hours", [0, 30])
def test_a_payload_goes_on_time_from_an_engine_at_rest(hours: int) -> None:
    """Within a minute of a moment that was foreseen, or that came with what was written."""
    with Simulation(5, direct=True) as simulation:
        shop = simulation.host("shop.example")
        sluicegate = simulation.engine(retention_succeeded_hours=hours)
        simulation.advance(1000)

        async def send(engine: Engine) -> str:
            endpoint = await engine.create_endpoint(url=shop.url)
            return (await engine.send(endpoint.id, {"n": 1})).message_id

        async def has_payload(engine: Engine) -> bool:
            try:
                return await engine.get_payload(message_id) == b'{"n":1}'
            except RetentionExpiredError:
                return False

        message_id = simulation.run(sluicegate.call(send))
        simulation.advance(hours * 3600 - 10 if hours else 0.5)
        assert simulation.run(sluicegate.call(has_payload))
        simulation.advance(75)
        assert not simulation.run(sluicegate.call(has_payload))


def test_an_export_that_is_asked_for_while_the_chores_rest_is_begun_at_once() -> None:
    """Not when its chore would come round by itself, an hour later."""
    with Simulation(6, direct=True) as simulation:
        sluicegate = simulation.engine()
        simulation.advance(2000)

        async def create(engine: Engine) -> str:
            return (await engine.create_export(start_time=FIRST, end_time=LAST)).id

        async def status(engine: Engine) -> ExportStatus:
            return (await engine.get_export(export_id)).status

        export_id = simulation.run(sluicegate.call(create))
        simulation.advance(1)
        assert simulation.run(sluicegate.call(status)) is ExportStatus.COMPLETED


def test_an_export_expires_on_time_from_an_engine_at_rest() -> None:
    """Within a minute of the moment that was foreseen."""
    with Simulation(7, direct=True) as simulation:
        sluicegate = simulation.engine(exports_keep_days=1)

        async def create(engine: Engine) -> str:
            return (await engine.create_export(start_time=FIRST, end_time=LAST)).id

        def has_file() -> bool:
            return bool(list(Path(f"{simulation.disk.database}.exports").glob("*.csv")))

        simulation.advance(3000)
        simulation.run(sluicegate.call(create))
        simulation.advance(DAY_S - 10)
        assert has_file()
        simulation.advance(75)
        assert not has_file()
