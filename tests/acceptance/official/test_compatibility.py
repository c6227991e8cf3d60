"""The page about compatibility, the server's own description and the walks say the same."""

import importlib
import json
import re
from pathlib import Path

import hookbridge
import pytest

from .operations import INBOUND_OR_PULL, NO_OPERATION, OPERATIONS, WANTED, client_routes
from .test_everywhere import READS
from .walks import MET, WALKED

DOCS = Path(__file__).parents[3] / "docs"
ROW = re.compile(r"\| `(\w+)` \| `([A-Z]+) (/[^`]*)` \| (\w[\w ]*) \|")
PATH_PARAMETER = re.compile(r"\{\w+\}")
WALKS = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))

CANNOT_BE_ASKED_FOR = (
    {(name, "INTERNAL_ERROR") for name in WANTED}
    | {(name, "UNAVAILABLE") for name in READS}
    | {("list_exports", "INVALID_REQUEST"), ("download_export", "INVALID_REQUEST")}
)
"""Faults of ours, and of the disk under reads; a limit, a cursor and a `Host` that the client does
not send."""


@pytest.fixture(autouse=True)
def _walks() -> None:
    """Have all marks, whichever tests were chosen."""
    for name in WALKS:
        importlib.import_module(f".{name}", __package__)


def table() -> dict[str, tuple[str, str, str]]:
    """Return method, route and state of each operation in the page's table, in its order."""
    rows = ROW.findall((DOCS / "compatibility.md").read_text())
    found = {name: (method, path, state) for name, method, path, state in rows}
    assert len(found) == len(rows), "an operation stands there twice"
    return found


def described() -> dict[tuple[str, str], set[str]]:
    """Return the codes that /openapi.json lists, by method and path without parameter names."""
    document = json.loads((DOCS / "openapi.json").read_text())
    return {
        (method.upper(), bare(path)): {
            code
            for status, response in operation["responses"].items()
            if status[0] in "45"
            for code in response["content"]["application/json"]["examples"]
        }
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def bare(path: str) -> str:
    """Return a path without its parameters' names and its query."""
    return PATH_PARAMETER.sub("{}", path.partition("?")[0])


def test_the_client_is_the_published_one() -> None:
    """The suite means something only against the release that it names."""
    assert hookbridge.__version__ == "2.0.0"
    assert (len(OPERATIONS), len(WANTED), len(INBOUND_OR_PULL)) == (78, 39, 39)


async def test_every_operation_of_the_client_is_in_the_table_with_its_route() -> None:
    """None is forgotten, none invented; the routes are what the client itself asks for."""
    routes = await client_routes()
    assert set(routes) == {*OPERATIONS, "handle_stripe_webhook"}
    told = {name: (method, path) for name, (method, path, _) in table().items()}
    asked = {name: (method, path.partition("?")[0]) for name, (method, path) in routes.items()}
    assert told == asked


def test_what_works_is_what_is_walked() -> None:
    """And what does not work is said to, by its kind."""
    assert set(WANTED) == WALKED, "an operation that is wanted has no walk"
    states: dict[str, set[str]] = {}
    for name, (_, _, state) in table().items():
        states.setdefault(state, set()).add(name)
    assert states["works"] == WALKED
    assert states["not yet"] == set(INBOUND_OR_PULL)
    assert states["never"] == set(NO_OPERATION) - {"close"}
    assert set(states) == {"works", "not yet", "never"}


async def test_every_documented_error_of_an_operation_is_met() -> None:
    """And no other: by the codes that the server's description lists for its route."""
    codes = described()
    documented = {
        (name, code)
        for name, (method, path) in (await client_routes()).items()
        if name in WALKED
        for code in codes[method, bare(path)]
    }
    assert documented - MET - CANNOT_BE_ASKED_FOR == set()
    assert MET - documented == set()
