"""What the simulation leans on and nobody has promised: a new version may take it away."""

import ast
import asyncio
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp.client_reqrep
import aiohttp.client_ws
import aiohttp.connector
import aiohttp.helpers
import aiohttp.web_protocol
import aiosqlite
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

import sluicegate.simulation

SOURCE = Path(sluicegate.simulation.__file__).parent


async def nothing() -> None:
    """Do nothing."""


def parts_of(make: Callable[[asyncio.AbstractEventLoop], object]) -> set[str]:
    """Return the names that an object of asyncio has, made on a loop of its own."""
    loop = asyncio.new_event_loop()
    try:
        made = make(loop)
        names = set(dir(made))
        if isinstance(made, asyncio.Task):
            loop.run_until_complete(made)
        return names
    finally:
        loop.close()


def a_server(loop: asyncio.AbstractEventLoop) -> object:
    """Return a server of aiohttp."""

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response()

    return web.Server(answer, loop=loop)


def a_connection() -> set[str]:
    """Return the names that a connection of aiosqlite has before it is opened."""
    return set(dir(aiosqlite.Connection(lambda: pytest.fail("never opened"), 64)))


def anyio_backend() -> set[str]:
    """Return the names of what anyio does on asyncio."""
    return set(dir(importlib.import_module("anyio._backends._asyncio").AsyncIOBackend))


PARTS: list[tuple[str, str, Callable[[], set[str]]]] = [
    ("_ready", "loop.py", lambda: parts_of(lambda loop: loop)),
    ("_scheduled", "loop.py", lambda: parts_of(lambda loop: loop)),
    ("_selector", "loop.py", lambda: parts_of(lambda loop: loop)),
    ("_clock_resolution", "loop.py", lambda: parts_of(lambda loop: loop)),
    ("_call_soon", "loop.py", lambda: parts_of(lambda loop: loop)),
    ("_check_closed", "loop.py", lambda: parts_of(lambda loop: loop)),
    ("_process_events", "loop.py", lambda: parts_of(lambda loop: loop)),
    ("_write_to_self", "loop.py", lambda: parts_of(lambda loop: loop)),
    ("_run_once", "loop.py", lambda: parts_of(lambda loop: loop)),
    ("_thread_id", "loop_threads.py", lambda: parts_of(lambda loop: loop)),
    ("_scheduled", "loop.py", lambda: parts_of(lambda loop: loop.call_later(1, print))),
    ("_when", "numbered.py", lambda: parts_of(lambda loop: loop.call_later(1, print))),
    ("_context", "lives.py", lambda: parts_of(lambda loop: loop.call_soon(print))),
    ("_callback", "loop.py", lambda: parts_of(lambda loop: loop.call_soon(print))),
    ("_args", "loop.py", lambda: parts_of(lambda loop: loop.call_soon(print))),
    (
        "_log_destroy_pending",
        "loop.py",
        lambda: parts_of(lambda loop: loop.create_task(nothing())),
    ),
    ("_get_running_loop", "loop.py", lambda: set(dir(asyncio))),
    ("_set_running_loop", "loop_threads.py", lambda: set(dir(asyncio))),
    ("_tx", "disk/connections.py", a_connection),
    ("_thread", "disk/connections.py", a_connection),
    ("_connection", "disk/disk.py", a_connection),
    ("monotonic", "aiohttp_world.py", lambda: set(vars(aiohttp.connector))),
    ("random", "aiohttp_world.py", lambda: set(vars(aiohttp.connector))),
    ("time", "aiohttp_world.py", lambda: set(vars(aiohttp.helpers))),
    ("sys", "aiohttp_world.py", lambda: set(vars(aiohttp.client_reqrep))),
    ("sys", "aiohttp_world.py", lambda: set(vars(aiohttp.client_ws))),
    ("sys", "aiohttp_world.py", lambda: set(vars(aiohttp.connector))),
    ("sys", "aiohttp_world.py", lambda: set(vars(aiohttp.web_protocol))),
    ("_payload", "receivers/http.py", lambda: set(vars(make_mocked_request("GET", "/")))),
    ("request_handler", "receivers/http.py", lambda: parts_of(a_server)),
    ("connection_lost", "receivers/http.py", lambda: set(dir(web.Server))),
    ("run_sync_in_worker_thread", "receivers/anyio_threads.py", anyio_backend),
    ("current_default_thread_limiter", "receivers/anyio_threads.py", anyio_backend),
    ("create_cancel_scope", "receivers/anyio_threads.py", anyio_backend),
]


@pytest.mark.parametrize(
    ("part", "file", "there"),
    PARTS,
    ids=[f"{number}-{part[0]}" for number, part in enumerate(PARTS)],
)
def test_what_is_private_to_others_is_still_there(
    part: str, file: str, there: Callable[[], set[str]]
) -> None:
    """One by one, and where it is used, so that it is known what a new version has broken."""
    assert part in there(), f"mend src/sluicegate/simulation/{file}: there is no {part} any more"


def test_every_private_part_of_others_is_named_here() -> None:
    """What is used and not in the list above would break where nobody looks."""
    named = {part for part, _, _ in PARTS}
    found: dict[str, str] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(file.read_text())
        own = {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or not is_private(node.attr):
                continue
            if isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}:
                continue
            if node.attr not in own | OURS:
                found.setdefault(node.attr, str(file.relative_to(SOURCE)))
    assert {name: file for name, file in found.items() if name not in named} == {}


OURS = {"_pass_time", "_parts"}
"""Private to other classes of ours."""


def is_private(name: Any) -> bool:
    """Return whether a name begins with one underscore."""
    return name.startswith("_") and not name.startswith("__")
