"""Run by test_disk_errors.py: append messages until the kernel refuses to let a file grow."""

import asyncio
import hashlib
import os
import resource
import sys

from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.errors import SluicegateError, UnavailableError
from sluicegate.engine.ids import new_endpoint_id, new_signing_key_id
from sluicegate.engine.model import EndpointConfig, NewMessage
from sluicegate.engine.ports import EndpointRow, SigningKeyRow
from sluicegate.storage import SecretBox, SqliteStorage


def say(line: object) -> None:
    """Tell the test."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(path: str) -> None:
    """Do as the test expects."""
    chance, clock = SystemRandom(), SystemClock()
    box = SecretBox.for_database(path, secret_key=None, random=chance)
    storage = SqliteStorage(
        path, secret_box=box, clock=clock, pending_bytes_max=1 << 26, reserve_bytes=1 << 16
    )
    await storage.open()
    fatal: list[BaseException] = []
    storage.on_fatal(fatal.append)
    project = await storage.default_project()
    assert project is not None
    endpoint = new_endpoint_id(chance)
    key = SigningKeyRow(id=new_signing_key_id(chance), secret="whsec_x", created_at_ms=1)
    config = EndpointConfig(url="https://receiver.example/")
    await storage.create_endpoint(
        EndpointRow(id=endpoint, project_id=project, config=config, key=key, created_at_ms=1)
    )

    async def send() -> str:
        payload = bytes(2_000)
        message = NewMessage(
            id=chance.uuid7(),
            project_id=project,
            endpoint_id=endpoint,
            payload=payload,
            payload_sha256=hashlib.sha256(payload).digest(),
            accepted_at_ms=1,
        )
        [answer] = await storage.append([message])
        assert not isinstance(answer, SluicegateError)
        return answer.message_id

    size_bytes = 100_000 + os.stat(f"{path}-wal").st_size  # noqa: PTH116 - nothing else runs yet
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))
    refused = 0
    while refused < 2:
        try:
            say(await send())
        except UnavailableError as error:
            refused += 1
            say(type(error).__name__)
    say(f"{len(fatal)} {type(fatal[0]).__name__}")
    stored = await storage.load_queued(endpoint, after_seq=0, limit=1_000)
    say(f"read {len(stored)}")
    await storage.close()


asyncio.run(main(sys.argv[1]))
