"""Run by test_retention.py: remove what is past its time, and write down each piece."""

import asyncio
import sys

from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.ports.retention_storage import KeptFor
from sluicegate.storage import SecretBox, SqliteStorage

KEPT_FOR = KeptFor(succeeded_ms=1_000, failed_ms=1_000, history_ms=2_000)


def say(line: object) -> None:
    """Tell the test."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(path: str, at_ms: int) -> None:
    """Open the database, say so, and sweep as long as there is anything to do."""
    box = SecretBox.for_database(path, secret_key=None, random=SystemRandom())
    storage = SqliteStorage(
        path, secret_box=box, clock=SystemClock(), pending_bytes_max=1 << 26, reserve_bytes=1 << 16
    )
    await storage.open()
    say("open")
    position: int | None = None
    while True:
        removed = await storage.remove_expired(KEPT_FOR, at_ms=at_ms, position=position)
        say(f"removed {removed.payloads} {removed.messages}")
        position = removed.position
        if position is None:
            break
    while True:
        released, more = await storage.release_space()
        say(f"released {released}")
        if not more:
            break
    await storage.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
