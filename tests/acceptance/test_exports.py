"""An export survives the end of the process, however it ends."""

import asyncio
import csv
import io
from pathlib import Path

import aiohttp
import pytest

from .harness import WAIT_S, ServerProcess, api, until

SPAN = {"start_time": "2020-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00Z"}


async def fill(server: ServerProcess, batches: int) -> list[str]:
    """Have so many thousand messages held; return their ids."""
    sent: list[str] = []
    async with api(server) as session:
        async with session.post("/v1/endpoints", json={"url": "https://127.0.0.1:9/"}) as answer:
            endpoint_id = (await answer.json())["data"]["id"]
        async with session.post(f"/v1/endpoints/{endpoint_id}/pause") as answer:
            assert answer.status == 200
        batch = [{"endpoint_id": endpoint_id, "payload": n} for n in range(1000)]
        for _ in range(batches):
            async with session.post("/v1/webhooks/send-batch", json={"messages": batch}) as answer:
                sent += [each["message_id"] for each in (await answer.json())["data"]]
    return sent


async def download(url: str) -> list[dict[str, str]]:
    """Open a link as a browser does: without a key."""
    async with aiohttp.ClientSession() as browser, browser.get(url) as answer:
        assert answer.status == 200
        text = io.StringIO((await answer.read()).decode(), newline="")
    return list(csv.DictReader(text))


def size_bytes(file: Path) -> int:
    """Return how large a file is; 0 if there is none."""
    return file.stat().st_size if file.exists() else 0


async def stood_still_in(server: ServerProcess, file: Path) -> bool:
    """Let the process stand still while it writes a file, and say so; or that the file is done.

    While it runs it may be done between a look and what follows from it, however quick that is.
    """
    part = file.with_name(f"{file.name}.part")
    while True:
        server.stand_still()
        if 100_000 < size_bytes(part) < 1_000_000:
            return True
        server.go_on()
        if size_bytes(file):
            return False
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("ending", ["kill", "terminate"])
async def test_an_export_goes_on_after_the_process_ended(
    server: ServerProcess, ending: str
) -> None:
    """Killed or stopped while it is written, it is written anew and whole; nothing is left over."""
    sent = await fill(server, 10)
    folder = server.directory / "sluicegate.db.exports"
    begun: list[str] = []
    async with api(server) as session:
        async with asyncio.timeout(WAIT_S):
            while not begun or not await stood_still_in(server, folder / f"{begun[-1]}.csv"):
                async with session.post("/v1/exports", json=SPAN) as answer:
                    begun.append((await answer.json())["data"]["id"])
        path = f"/v1/exports/{begun[-1]}"
        await getattr(server, ending)()
        assert (folder / f"{begun[-1]}.csv.part").exists(), "it was done before the process ended"
    await server.start()
    async with api(server) as session:

        async def is_done() -> bool:
            async with session.get(path) as answer:
                return bool((await answer.json())["data"]["status"] == "completed")

        await until(is_done)
        async with session.get(path) as answer:
            assert (await answer.json())["data"]["row_count"] == len(sent)
        async with session.get(f"{path}/download", allow_redirects=False) as answer:
            assert answer.status == 302
            url = answer.headers["Location"]
    assert [line["message_id"] for line in await download(url)] == sent
    assert {each.name for each in folder.iterdir()} == {f"{each}.csv" for each in begun}
