"""Run by the tests: enqueue so many messages, from so many forked processes; tell their ids."""

import asyncio
import os
import sys

from sluicegate import Engine, Settings


async def enqueue(database: str, endpoint_id: str, count: int) -> None:
    """Send one after the other."""
    async with Engine(Settings(database=database), mode="enqueue") as engine:
        for number in range(count):
            accepted = await engine.send(endpoint_id, [os.getpid(), number])
            os.write(1, f"{os.getpid()} {accepted.message_id}\n".encode())


def main(database: str, endpoint_id: str, count: str, forks: str = "0") -> None:
    """Do it here, or in children."""
    children = []
    for _ in range(int(forks)):
        child = os.fork()
        if child == 0:
            asyncio.run(enqueue(database, endpoint_id, int(count)))
            os._exit(0)
        children.append(child)
    if not children:
        asyncio.run(enqueue(database, endpoint_id, int(count)))
    for child in children:
        assert os.waitpid(child, 0)[1] == 0


main(*sys.argv[1:])
