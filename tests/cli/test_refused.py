"""`sluicegate refused`: what the engine put aside is seen, taken anew, or dropped."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sluicegate import Engine, Settings
from sluicegate.cli.commands import main

NOWHERE = "http://127.0.0.1:9/hook"
UNKNOWN = f"ep_{'0' * 32}"
LOOKS_MAX = 1_000


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Where the engine's file is."""
    return str(tmp_path / "engine.db")


def run(database: str, *arguments: str, **settings: str) -> Result:
    """Run the command."""
    environment = {f"SLUICEGATE_{name.upper()}": text for name, text in settings.items()}
    return CliRunner().invoke(
        main, ["refused", *arguments, "--database", database], env=environment
    )


def listed(database: str, **settings: str) -> list[dict[str, Any]]:
    """Return what is told as JSON."""
    found: list[dict[str, Any]] = json.loads(run(database, "list", "--json", **settings).stdout)
    return found


async def until(count: int, database: str, **settings: str) -> list[dict[str, Any]]:
    """Wait until so much is refused."""
    for _ in range(LOOKS_MAX):
        if len(found := listed(database, **settings)) == count:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(found)


async def test_what_is_refused_is_listed_and_taken_anew(database: str) -> None:
    """Once what was wrong is put right; what is still wrong is refused again."""
    small = Settings(database=database, dev=True, payload_bytes_max=8)
    large = Settings(database=database, dev=True)
    async with Engine(small) as owner, Engine(large, mode="enqueue") as other:
        endpoint = (await owner.create_endpoint(NOWHERE)).endpoint.id
        too_large = await other.send(endpoint, {"order": 1}, idempotency_key="one")
        astray = await other.send(UNKNOWN, {"n": 1})
        found = await until(2, database)
    assert [each["id"] for each in found] == [astray.message_id, too_large.message_id]
    assert [each["code"] for each in found] == ["ENDPOINT_NOT_FOUND", "PAYLOAD_TOO_LARGE"]
    assert found[1]["idempotency_key"] == "one"
    assert found[1]["size_bytes"] == len(b'{"order":1}')
    assert found[1]["outbox"] == f"{database}.inbox"
    told = run(database, "list", "--limit", "1")
    lines = told.stdout.splitlines()
    assert lines[0] == f"{database}.inbox: 2 refused"
    assert len(lines) == 3
    assert lines[2].startswith(f"{astray.message_id}  {UNKNOWN}  20")
    assert "1 more: --limit 2" in told.stderr
    told = run(database, "retry", "--all")
    assert told.stdout == (f"{too_large.message_id} put back\n{astray.message_id} put back\n")
    assert "when the process that delivers starts" in told.stderr
    async with Engine(large) as owner:
        (again,) = await until(1, database)
        assert again["id"] == astray.message_id
        assert (await owner.get_message(too_large.message_id)).size_bytes == 11
        told = run(database, "retry", astray.message_id)
        assert "taken now" in told.stderr
        await until(1, database)
    told = run(database, "drop", astray.message_id)
    assert told.stdout == f"{astray.message_id} dropped\n"
    assert run(database, "list").stdout == f"{database}.inbox: nothing refused\n"


async def test_outboxes_in_databases_of_hosts_are_looked_into(
    database: str, tmp_path: Path
) -> None:
    """Those that the settings name; one that cannot be used says why."""
    host = tmp_path / "shop.db"
    outboxes = f"sqlite:///{host}"
    settings = Settings(database=database, dev=True, outboxes=(outboxes,), outbox_poll_s=0.1)
    with sqlite3.connect(host) as shop:
        engine = Engine(settings)
        engine.outbox(shop).create_tables()
        sent = engine.outbox(shop).send(UNKNOWN, {"n": 1})
    async with engine:
        (found,) = await until(1, database, outboxes=outboxes)
    assert (found["outbox"], found["id"]) == (str(host), sent)
    assert run(database, "drop", "--all", outboxes=outboxes).exit_code == 0
    shop.execute("DROP TABLE sluicegate_outbox_refused")
    shop.close()
    told = run(database, "list", outboxes=outboxes)
    assert told.exit_code == 2
    assert "no tables for an outbox" in told.stderr


@pytest.mark.parametrize("verb", ["retry", "drop"])
def test_what_is_to_be_settled_must_be_named(database: str, verb: str) -> None:
    """By ids that were refused, or all of them; a database without an inbox has none."""
    assert run(database, verb).exit_code == 2
    assert run(database, verb, "--all", "x").exit_code == 2
    told = run(database, verb, "x")
    assert told.exit_code == 1
    assert "x was not refused" in told.stderr
    assert run(database, verb, "--all").exit_code == 0
    assert not Path(database).exists()
