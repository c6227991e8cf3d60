"""Run by test_export_limits.py: export more than the kernel lets a file have."""

import asyncio
import resource
import sys
from datetime import UTC, datetime

from sluicegate import Engine, Settings
from sluicegate.engine.export_model import Export, ExportStatus
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Request

LIMIT_BYTES = 3_000_000
ENDED = {ExportStatus.COMPLETED, ExportStatus.FAILED}
FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Deliveries:
    """Takes what is delivered, without a network."""

    def __init__(self) -> None:
        self.count = 0
        self.three = asyncio.Event()

    async def post(self, request: Request) -> Outcome:
        """Count a delivery."""
        del request
        self.count += 1
        if self.count == 3:
            self.three.set()
        return Outcome(kind=OutcomeKind.ANSWERED, status=200)


async def ended(engine: Engine, export_id: str) -> Export:
    """Wait until an export has ended."""
    while (export := await engine.get_export(export_id)).status not in ENDED:
        pass
    return export


async def main(path: str) -> None:
    """Do as the test expects."""
    settings = Settings(database=path, dev=True, drain_s=0, exports_free_bytes_min=0)
    deliveries = Deliveries()
    async with Engine(settings, sender=deliveries) as engine:
        # The URL stands once in the database, and in every line of an export.
        held = await engine.create_endpoint("http://127.0.0.1:9/" + "x" * 2000)
        live = await engine.create_endpoint("http://127.0.0.1:9/live")
        await engine.pause(held.id)
        for _ in range(2):
            await engine.send_batch([{"endpoint_id": held.id, "payload": n} for n in range(1000)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES))
    async with Engine(settings, sender=deliveries) as engine:
        big = await engine.create_export(start_time=FIRST, end_time=LAST)
        for n in range(3):
            await engine.send(live.id, n)
        export = await ended(engine, big.id)
        print(export.status, export.error_message)  # noqa: T201 - tells the test
        await deliveries.three.wait()
        small = await engine.create_export(start_time=FIRST, end_time=LAST, endpoint_id=live.id)
        export = await ended(engine, small.id)
        print(export.status, export.row_count, engine.failed.is_set())  # noqa: T201 - as above


asyncio.run(main(sys.argv[1]))
