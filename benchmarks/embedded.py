"""An engine and its producer in one process, on one loop: no HTTP between them.

The producer is `CONNECTIONS` coroutines, each of which sends its next message when the last one is
accepted. The payload is handed over as JSON text.

    python benchmarks/embedded.py DATABASE URL ENDPOINTS
"""

import asyncio
import sys
import time

from wire import Job, payload, serve_jobs, work

from sluicegate import Engine
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.settings import Settings


class Producer:
    """Sends to an engine."""

    def __init__(self, engine: Engine, endpoint_ids: list[str]) -> None:
        self._engine = engine
        self._endpoint_ids = endpoint_ids

    async def answer(self, job: Job) -> Job:
        """Send as many messages as the job says."""
        numbers = iter(range(job["first"], job["first"] + job["count"]))
        refused: list[str] = []
        started_ns = time.monotonic_ns()

        async def send_some() -> None:
            for number in numbers:
                endpoint_id = self._endpoint_ids[number % len(self._endpoint_ids)]
                try:
                    await self._engine.send(endpoint_id, payload(number, job["payload_bytes"]))
                except SluicegateError as error:
                    refused.append(repr(error))

        await asyncio.gather(*(send_some() for _ in range(job["connections"])))
        return {
            "wanted": job["count"],
            "accepted": job["count"] - len(refused),
            "example": refused[0] if refused else None,
            "started_ns": started_ns,
        }


async def main() -> None:
    """Send until standard input ends."""
    database, url, endpoints = sys.argv[1:]
    async with Engine(Settings(database=database, dev=True)) as engine:
        endpoint_ids = [
            (await engine.create_endpoint(url=f"{url}/{number}")).id
            for number in range(int(endpoints))
        ]
        await serve_jobs({"endpoint_ids": endpoint_ids}, Producer(engine, endpoint_ids).answer)


if __name__ == "__main__":
    work(main())
