"""A `SyncEngine` and its producer in one process: threads that block, as many as the job says.

Each thread sends its next message when the last one is accepted. The payload is handed over as
JSON text.

    python benchmarks/embedded_blocking.py DATABASE URL ENDPOINTS
"""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from wire import Job, payload, serve_jobs, work

from sluicegate import Settings, SyncEngine
from sluicegate.engine.errors import SluicegateError


class Producer:
    """Sends to an engine."""

    def __init__(self, engine: SyncEngine, endpoint_ids: list[str]) -> None:
        self._engine = engine
        self._endpoint_ids = endpoint_ids

    async def answer(self, job: Job) -> Job:
        """Send as many messages as the job says."""
        return await asyncio.to_thread(self._send, job)

    def _send(self, job: Job) -> Job:
        numbers = iter(range(job["first"], job["first"] + job["count"]))
        refused: list[str] = []
        started_ns = time.monotonic_ns()

        def send_some() -> None:
            for number in numbers:
                endpoint_id = self._endpoint_ids[number % len(self._endpoint_ids)]
                try:
                    self._engine.send(endpoint_id, payload(number, job["payload_bytes"]))
                except SluicegateError as error:
                    refused.append(repr(error))

        with ThreadPoolExecutor(job["connections"]) as pool:
            senders = [pool.submit(send_some) for _ in range(job["connections"])]
        for sender in senders:
            sender.result()
        return {
            "wanted": job["count"],
            "accepted": job["count"] - len(refused),
            "example": refused[0] if refused else None,
            "started_ns": started_ns,
        }


def main() -> None:
    """Send until standard input ends."""
    database, url, endpoints = sys.argv[1:]
    with SyncEngine(Settings(database=database, dev=True)) as engine:
        endpoint_ids = [
            engine.create_endpoint(url=f"{url}/{number}").id for number in range(int(endpoints))
        ]
        work(serve_jobs({"endpoint_ids": endpoint_ids}, Producer(engine, endpoint_ids).answer))


if __name__ == "__main__":
    main()
