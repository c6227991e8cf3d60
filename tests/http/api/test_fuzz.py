"""schemathesis asks a server everything that its description allows, and much that it does not.

It checks that no answer is a fault of the server, that every status, header and body is as
described, that what the description forbids is refused and what it allows is not, that methods
and keys are looked at. `schemathesis_rules.py` holds what JSON Schema has no words for.

`SLUICEGATE_FUZZ_SECONDS` (`make fuzz`) makes it go on for so long, with another seed each time.
"""

import asyncio
import itertools
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from .harness import WAIT_S, Api, running_api

SECONDS = int(os.environ.get("SLUICEGATE_FUZZ_SECONDS", "0"))
LENGTH = ("--max-time", str(SECONDS)) if SECONDS else ("--seed", "1", "--max-examples", "6")
COMMAND = Path(sys.executable).with_name("schemathesis")


async def population(api: Api) -> dict[str, list[dict[str, str]]]:
    """Create what can be asked for, and other things that can be deleted."""
    before = len(api.receiver.requests)
    kept = [await some_ids(api) for _ in range(8)]
    doomed = [await some_ids(api) for _ in range(8)]
    for ids in doomed:
        key = await api.post(f"/v1/endpoints/{ids['endpoint_id']}/signing-keys")
        ids["signing_key_id"] = key.data["id"]
        ids["export_id"] = await some_export(api)
    for ids in kept:
        ids["export_id"] = await some_export(api)
        ids["token"] = await token_of(api, ids["export_id"])
    await api.receiver.received(before + len(kept) + len(doomed))
    return {
        "kept": kept,
        "doomed": doomed,
        "dead": await ids_that_read(api, "failed_permanent", answer=404),
        "retried": await ids_that_read(api, "pending_retry", answer=503),
    }


async def ids_that_read(api: Api, status: str, *, answer: int) -> list[dict[str, str]]:
    """Create messages that read so, because their receiver answers so."""
    answers, api.receiver.status = api.receiver.status, answer
    found = [await some_ids(api) for _ in range(8)]
    for ids in found:
        await reads(api, f"/v1/messages/{ids['message_id']}", status)
    api.receiver.status = answers
    return found


async def reads(api: Api, path: str, status: str) -> None:
    """Ask again and again until something has this status, as clients do."""
    async with asyncio.timeout(WAIT_S):
        while (await api.get(path)).data["status"] != status:  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.02)


async def some_ids(api: Api) -> dict[str, str]:
    """Create an endpoint with a message, and an API key."""
    endpoint_id = await api.endpoint(paused=False)
    return {
        "endpoint_id": endpoint_id,
        "message_id": (await api.send(endpoint_id=endpoint_id, payload=1)).data["message_id"],
        "api_key_id": (await api.post("/v1/api-keys")).data["key_id"],
    }


async def some_export(api: Api) -> str:
    """Create an export of nothing."""
    day = {"start_time": "2020-01-01", "end_time": "2020-01-02"}
    span = {name: f"{date}T00:00:00Z" for name, date in day.items()}
    export_id: str = (await api.post("/v1/exports", json=span)).data["id"]
    return export_id


async def token_of(api: Api, export_id: str) -> str:
    """Wait for an export, and return the token of a link to it."""
    await reads(api, f"/v1/exports/{export_id}", "completed")
    link = await api.get(f"/v1/exports/{export_id}/download")
    return URL(link.headers["Location"]).query["token"]


async def run_schemathesis(api: Api, folder: Path, *options: str) -> Any:
    """Run it against the server; return its report. Fails when a check does."""
    report = folder / "report.json"
    process = await asyncio.create_subprocess_exec(
        str(COMMAND),
        "run",
        f"{api.url}/openapi.json",
        *options,
        *("--header", f"Authorization: Bearer {api.key}"),
        *("--report", "json", "--report-json-path", str(report)),
        *("--generation-database", "none"),
        "--continue-on-failure",
        "--no-color",
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": str(Path(__file__).parent),
            "SCHEMATHESIS_HOOKS": "schemathesis_rules",
            "SLUICEGATE_FUZZ_IDS": json.dumps(await population(api)),
        },
        stdout=None if SECONDS else asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, (told or b"").decode()
    return json.loads(report.read_text(encoding="utf-8"))


@pytest.mark.timeout(SECONDS + 240)
async def test_the_server_does_what_its_description_says(tmp_path: Path) -> None:
    """No check of schemathesis fails, and no operation is left out."""
    async with running_api(tmp_path, auth_failures_per_minute=0, exports_live_max=10_000) as api:
        api.receiver.status = itertools.cycle((503, 200, 404, 429))
        document = (await api.get("/openapi.json")).json
        operations = sum(len(each) for each in document["paths"].values())
        # What is deleted by filter is deleted here, so the rest gets messages of its own.
        report = await run_schemathesis(api, tmp_path, "--phases", "examples,coverage", *LENGTH[:2])
        assert report["operations"]["tested"] == operations - 1  # not the document that it read
        report = await run_schemathesis(api, tmp_path, "--phases", "fuzzing,stateful", *LENGTH)
        assert report["operations"]["tested"] == operations - 1
        assert report["phases"]["stateful"]["status"] == "success"
    never = [name for name, phases in report["valid_rates"].items() if not accepted(phases)]
    # Each was asked for something that could be done. A long run uses that up.
    assert SECONDS or never == []


def accepted(phases: dict[str, dict[str, int]]) -> int:
    """Return how many requests of one operation had success."""
    return sum(phase["accepted"] for phase in phases.values())
