"""Run by test_crashes.py: append messages for ever, and write down each that was acknowledged."""

import asyncio
import hashlib
import sys

from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.model import Accepted, NewMessage
from sluicegate.storage import SecretBox, SqliteStorage


async def main(path: str, endpoint_id: str) -> None:
    """Open the database, say so, and append from many tasks at once."""
    chance = SystemRandom()
    box = SecretBox.for_database(path, secret_key=None, random=chance)
    storage = SqliteStorage(
        path, secret_box=box, clock=SystemClock(), pending_bytes_max=1 << 26, reserve_bytes=1 << 16
    )
    await storage.open()
    project = await storage.default_project()
    assert project is not None

    async def append() -> None:
        while True:
            message_id = chance.uuid7()
            payload = f'"{message_id}"'.encode()
            message = NewMessage(
                id=message_id,
                project_id=project,
                endpoint_id=endpoint_id,
                payload=payload,
                payload_sha256=hashlib.sha256(payload).digest(),
                accepted_at_ms=1,
            )
            assert await storage.append([message]) == [Accepted(message_id=message_id)]
            sys.stdout.write(f"{message_id}\n")
            sys.stdout.flush()

    sys.stdout.write("open\n")
    sys.stdout.flush()
    await asyncio.gather(*(append() for _ in range(20)))


asyncio.run(main(sys.argv[1], sys.argv[2]))
