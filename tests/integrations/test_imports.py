"""What a program that embeds the engine does not pay for."""

import subprocess
import sys
from pathlib import Path

import pytest

BEGINNING = """
import sys
before = set(sys.modules)
"""
END = """
print(*sorted(set(sys.modules) - before))
"""
NAMES = "from sluicegate import Engine, Settings, SyncEngine, verify"

OUTBOX = """
import sqlite3
Engine(mode="enqueue").outbox(sqlite3.connect(":memory:")).create_tables()
"""

OPENED = """
import asyncio
from sluicegate import Engine, Settings

async def main():
    async with Engine(Settings(database=sys.argv[1], dev=True){mode}) as engine:
        {work}

asyncio.run(main())
"""


def modules_of(program: str, *args: str) -> set[str]:
    """Return what a program has loaded at its end, in a process of its own."""
    done = subprocess.run(  # noqa: S603 - our own interpreter, the programs above
        [sys.executable, "-c", BEGINNING + program + END, *args],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def tops_of(modules: set[str]) -> set[str]:
    """Return the packages that modules are of."""
    return {name.partition(".")[0] for name in modules}


def test_importing_the_package_imports_no_framework() -> None:
    """Neither its names, an outbox nor the integrations load what a host may not have."""
    program = f"{NAMES}\n{OUTBOX}\nimport sluicegate.integrations"
    tops = tops_of(modules_of(program))
    assert "sluicegate" in tops
    assert not tops & {
        "celery",
        "django",
        "fastapi",
        "flask",
        "psycopg",
        "pytest",
        "sqlalchemy",
        "starlette",
    }


def test_importing_the_public_face_costs_little() -> None:
    """What takes its time is loaded when an engine is made: an event loop, SQLite, TLS."""
    modules = modules_of(NAMES)
    outside = {name for name in tops_of(modules) if not name.startswith("_")}
    ours = {"sluicegate"} | {"msgspec", "typing_extensions", "uuid_utils"}
    assert outside - set(sys.stdlib_module_names) == ours
    assert not outside & {"asyncio", "http", "socket", "sqlite3", "ssl", "subprocess"}
    parts = ("actors", "assembly", "engine.ports", "http", "modes", "storage", "telemetry")
    assert not {
        name for name in modules if name.startswith(tuple(f"sluicegate.{x}" for x in parts))
    }


@pytest.mark.parametrize("name", ["Settings", "verify"])
def test_who_needs_no_engine_loads_none(name: str) -> None:
    """Settings and the receiving side load nothing that sends."""
    modules = modules_of(f"from sluicegate import {name}")
    assert not modules & {"sluicegate.app", "sluicegate.embedding", "asyncio"}


def test_an_embedded_engine_does_not_load_the_servers_side(tmp_path: Path) -> None:
    """Neither when it is opened nor when it sends."""
    work = """
        endpoint = await engine.create_endpoint("http://127.0.0.1:9/")
        await engine.send(endpoint.id, {"event": "order.created"})
    """
    program = OPENED.format(mode="", work=work.strip())
    modules = modules_of(program, str(tmp_path / "engine.db"))
    assert "sluicegate.actors.endpoint" in modules
    assert "aiohttp" not in modules
    assert not {
        name
        for name in modules
        if name.startswith(("sluicegate.http.api", "sluicegate.http.server"))
    }


def test_an_engine_that_only_enqueues_does_not_load_what_delivers(tmp_path: Path) -> None:
    """It has an inbox: no actors, no sender, no metrics."""
    program = OPENED.format(mode=", mode='enqueue'", work="pass")
    modules = modules_of(program, str(tmp_path / "engine.db"))
    assert "aiosqlite" in modules
    assert not tops_of(modules) & {"httptools", "prometheus_client", "pykka"}
    assert not {
        name for name in modules if name.startswith(("sluicegate.actors", "sluicegate.http"))
    }
