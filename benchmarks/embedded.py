"""An engine and its producer in one process, on one loop: no HTTP between them.

`closed`: the producer is as many coroutines as the job says, each of which sends its next message
when the last one is accepted. `open`: it sends at a fixed rate, and tells by how much the loop,
the host's own, was late for a timer that is due every millisecond, and how much of that can be the
engine's doing: no more than the CPU time that the process used meanwhile, on whichever thread. The
rest is the machine's, which let others run. The payload is handed over as JSON text.

    python benchmarks/embedded.py DATABASE URL ENDPOINTS
"""

import asyncio
import sys
import time
from collections.abc import Iterator

from figures import percentiles
from wire import Job, payload, serve_jobs, work

from sluicegate import Engine
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.settings import Settings

_TICK_S = 0.001


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
        told: Job = {}
        if job["do"] == "open":
            told["late_ms"] = await self._pace(job, numbers, refused)
        else:
            senders = range(job["connections"])
            await asyncio.gather(*(self._send_each(numbers, job, refused) for _ in senders))
        return told | {
            "wanted": job["count"],
            "accepted": job["count"] - len(refused),
            "example": refused[0] if refused else None,
            "started_ns": started_ns,
        }

    async def _send_each(self, numbers: Iterator[int], job: Job, refused: list[str]) -> None:
        for number in numbers:
            endpoint_id = self._endpoint_ids[number % len(self._endpoint_ids)]
            try:
                await self._engine.send(endpoint_id, payload(number, job["payload_bytes"]))
            except SluicegateError as error:
                refused.append(repr(error))

    async def _pace(self, job: Job, numbers: Iterator[int], refused: list[str]) -> dict[str, float]:
        """Send at the job's rate; return how late the loop was meanwhile."""
        loop = asyncio.get_running_loop()
        late_ms: list[float] = []
        own_ms: list[float] = []
        ticking = asyncio.create_task(_tick(late_ms, own_ms))
        started_s = loop.time()
        async with asyncio.TaskGroup() as sends:
            for count, number in enumerate(numbers):
                await asyncio.sleep(started_s + count / job["rate"] - loop.time())
                sends.create_task(self._send_each(iter((number,)), job, refused))
        ticking.cancel()
        own = {f"own_{name}": value for name, value in percentiles(own_ms).items()}
        return percentiles(late_ms) | own


async def _tick(late_ms: list[float], own_ms: list[float]) -> None:
    """Note for ever by how much a timer was late, and how much of it the process ran at most."""
    while True:
        due_s, used_s = time.monotonic() + _TICK_S, time.process_time()
        await asyncio.sleep(_TICK_S)
        late_s = time.monotonic() - due_s
        late_ms.append(late_s * 1e3)
        own_ms.append(min(late_s, time.process_time() - used_s) * 1e3)


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
